"""Bad luck: every knob, what it does to one answer, and the rate limits."""
