"""Profiles: their files, their curves, their people."""
