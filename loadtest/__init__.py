"""Simulated buyers for Floodgate: they know the engine only over HTTP, its command line and its files.

People and what they do:
  crowd       people, bots and organizers: what they want, do and remember
  profiles    the stories of real peaks, as files; who comes in them and when
  wires       how a phone reaches a server, on asyncio and on gevent
What is measured and proved:
  recording   counts and latencies by kind and second
  books       the stack, what it says of itself, every ledger, and the verdict on all of them
  slopes      whether a series is flat
What a person starts:
  lab         `floodgate loadtest`: a profile played, watched, audited and judged; its searches
  locusts     the same crowd inside Locust
  demo        `make demo`: one drop, for the first look
  storm       `make payment-storm`: payments through a WeChat that does everything wrong
What is left to read:
  report      the page, tables, `floodgate compare`
  crosscheck  the same reads by a second generator
"""
