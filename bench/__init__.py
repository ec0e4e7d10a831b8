"""Benchmarks: every figure as a ratio to a yardstick of the same run on the same cores.

`python -m bench` measures the whole in about a quarter of an hour and writes `.run/bench.json`; `--quick` takes a third
of that, `--only NAME` one figure (`--only saturation` all curves). `--ship` renews what `floodgate plan` reckons with
and the tables of docs/planning.md, `python -m bench.published --keep` the numbers of README, docs/numbers.md and
docs/searches.md.
`pytest bench/micro` compares the small pieces with yardsticks of their own.

The generator was checked against another one: autocannon (npm) sends the echo yardstick the same request over as
many connections, from the same core, and both must report the same rate within the spread of their rounds:

    python -m bench.yardsticks.echo --port 28999
    npx autocannon -c 64 -d 4 -m POST -H 'content-type: application/json' \\
        -b '{"items":[{"sku":"open-floor","quantity":1}]}' http://127.0.0.1:28999/echo

What is measured:
  figures/                     the figures, one module each
  saturation/                  a flood far beyond what the server can do, and everybody's fate in it
  reference/, yardsticks/      designs and an echo to measure against
  micro/                       the small pieces of the hot path, with a gate of their own
  rsa                          the floor under a paid checkout
  mass_refund                  a cancelled session; a command of its own
What it is measured on:
  stack, servers, sales        the engine, the servers beside it, the sales that are sold
  crowds, doors, passes        people put into a line; people at its doors; people let through
  machine                      cores, processes, CPU
What sends:
  requests, buyers, notices    the bytes of every request; buyers with all they need; WeChat's notifications
  generator                    a closed loop of requests
  shoppers                     a closed loop of whole checkouts
  openloop                     requests at their appointed times
  apart                        each of these in a process of its own
What is told:
  report                       figures, spread and costs, as tables and as JSON
  published/, planning_page    the numbers in README and docs; the tables of docs/planning.md
  flame                        flame graphs from sampled stacks
"""
