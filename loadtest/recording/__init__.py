"""What a run measures: counts and latencies by kind, second by second, kept raw and merged over processes."""
