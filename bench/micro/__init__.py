"""The small pieces of the hot path, each beside a yardstick: `make bench-units`; docs/benchmarks.md tells how.

test_*      the units
yardsticks  the fixed work that they are counted in; it must never change
beside      times a unit and its yardstick in turns
gate        is a unit slower than it was? `baselines.json` says what it was, `conftest` hangs it on pytest
sale        a sale on a real server for the scripts; `claims` and `sending` make what they are sent
"""
