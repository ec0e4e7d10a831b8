"""Cancelled sessions: their SKUs are sold no more, open orders end, and every paid order gets its money back."""
