"""Refunds: what goes back to whom is decided here once, written down, and carried out by the refunder."""
