"""Simulated buyers for Floodgate: they know the engine only over HTTP, its command line and its files."""
