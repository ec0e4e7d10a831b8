"""Token buckets in memory, many and cheap: how often somebody may ask. Pure: the clock is an argument.

A bucket is one number: the time at which it would be full again. So taking from it is a look, an addition and a
store, and somebody who has asked for nothing lately needs no bucket at all. The memory is bounded by two generations:
when the young one is full it becomes the old one, and what the old one held is forgotten. Whoever is forgotten has a
full bucket again; that is harmless, because it takes many others to be forgotten.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

GRAIN_S = 1e-6  # sums of floats are no finer; whoever waited as told must not be told to wait again


class Buckets(Generic[Key]):
    """One bucket for each key: `burst_count` at once, refilled by `rate_per_s`. Remembers 2 x `keys_max` at most."""

    def __init__(self, *, rate_per_s: float, burst_count: int, keys_max: int) -> None:
        self._step_s = 1.0 / rate_per_s
        self._depth_s = (burst_count - 1) / rate_per_s
        self._keys_max = keys_max
        self._young: dict[Key, float] = {}
        self._old: dict[Key, float] = {}

    def take(self, key: Key, now_s: float) -> float:
        """Take one: 0.0 when there was one, else the seconds until there will be one; then nothing was taken."""
        young = self._young
        full_s = young.get(key)
        if full_s is None:
            full_s = self._old.get(key, now_s)
        full_s = max(full_s, now_s)
        wait_s = full_s - now_s - self._depth_s
        if wait_s > GRAIN_S:
            return wait_s
        if len(young) >= self._keys_max:
            self._old, self._young = young, {}
            young = self._young
        young[key] = full_s + self._step_s
        return 0.0

    def __len__(self) -> int:
        """How many buckets are remembered."""
        return len(self._young) + len(self._old)
