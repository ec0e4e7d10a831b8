"""The small pieces of the hot path, each beside a yardstick: `make bench-units`; docs/benchmarks.md tells how."""
