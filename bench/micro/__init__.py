"""The small pieces of the hot path, each beside a yardstick in one table: `pytest bench/micro`."""
