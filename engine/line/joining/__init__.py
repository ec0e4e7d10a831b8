"""Joining: one place for each buyer, written down before it is told, in a few bytes, and honoured after any loss.

In the lobby PostgreSQL gives the index, because the draw's root covers every entry. Live, Redis gives it, below a
ceiling that PostgreSQL has committed. Either way the roster in Redis then knows the buyer's place.
"""

VERBS = ("find", "enroll", "join", "extend", "restore", "forget")
