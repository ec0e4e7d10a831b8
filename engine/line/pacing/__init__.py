"""Pacing: how far the line is called, how fast, and when it is over.

Every worker looks at the line a few times a second. If a tick is due, it computes from pure numbers how many people
may be called now and sends that as a compare-and-set, so any number of workers together are one ticker.
"""
