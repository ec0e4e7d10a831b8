"""The page's sections, in the order a reader needs them; each is a function of the report.

verdict   did it hold, and why; every promise
honesty   may the numbers be believed
flow      goodput by kind; saturation
latency   by second, and by percentile
inside    stock, line, processors, memory, connections, costs
books     the audit, every answer, the cross-check, how it ended
origins   story, machine, versions, how to play it again
common    heading, tables, marks; `anything` for what searches write in words of their own
"""
