"""The line: one place per buyer, first come first served, called forward at a rate.

Waiting costs no question to any store: everybody reads one small document that each worker keeps in memory.
"""
