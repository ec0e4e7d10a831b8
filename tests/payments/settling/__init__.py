"""Settling: reports of money that come together, in the wrong order, or while something else is decided."""
