"""Admission: who is called and comes forward gets a pass, as far as there is room, and nobody before those ahead.

Redis decides, and the pass is written down in PostgreSQL before its buyer hears of it. A pass is a nonce that Redis
knows; the order that gets units takes it, in the script that gives them.
"""
