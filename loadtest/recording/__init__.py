"""What a run measures: counts and latencies by kind, second by second, kept raw and merged over processes.

kinds     the words for requests and for goodput
recorder  what one process hears
record    all processes, one over the other
trust     when a generator may be believed
"""
