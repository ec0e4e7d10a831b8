"""Offered against goodput: an open loop that keeps offering, whatever the server makes of it.

`arrivals` says when people come, `line` who of those who wait is served next, `fates` what became of each of them,
`sender` is the process that sends, `carriers` what takes somebody's business: a connection, a shopper; `curve` puts the
rounds together.
"""
