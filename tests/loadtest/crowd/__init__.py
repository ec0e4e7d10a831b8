"""Bots, organizers and whole visits against a running engine."""
