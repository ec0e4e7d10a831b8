"""Runs that look for something: the load at which a promise breaks, what becomes of many times the capacity, a leak."""
