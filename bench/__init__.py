"""Benchmarks: every figure as a ratio to a yardstick of the same run on the same cores.

`python -m bench` measures the whole in about a quarter of an hour and writes `.run/bench.json`; `--quick` takes a third
of that, `--only NAME` one figure (`--only saturation` all curves). `--ship` renews what `floodgate plan` reckons with
and the tables of docs/planning.md, `python -m bench.published --keep` the numbers of README and docs/numbers.md.
`pytest bench/micro` compares the small pieces with yardsticks of their own.

The generator was checked against another one: autocannon (npm) sends the echo yardstick the same request over as
many connections, from the same core, and both must report the same rate within the spread of their rounds:

    python -m bench.yardsticks.echo --port 28999
    npx autocannon -c 64 -d 4 -m POST -H 'content-type: application/json' \\
        -b '{"items":[{"sku":"open-floor","quantity":1}]}' http://127.0.0.1:28999/echo
"""
