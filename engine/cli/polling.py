"""How often a waiting crowd asks for the line document, by the policy that the document itself carries. Pure.

A waiting client knows its distance to the head and the rate at which the head moves, so it knows its wait; it asks
again after clamp(floor, ceiling, wait / divisor) plus a random share of up to `jitter` of that. A crowd that stands in
a moving line is spread evenly over all waits up to the longest, so what it asks per second is an integral over the
waits, and what it asks until some instant is the integral of that; both have closed forms and are computed so.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPolicy:
    """When a client asks again. `divisor`: the wait is divided by it; `jitter`: the longest lateness, as a share."""

    floor_s: float
    ceiling_s: float
    divisor: float
    jitter: float

    @classmethod
    def told(cls, policy: Mapping[str, float]) -> "PollPolicy":
        """The policy as the line document says it."""
        return cls(
            floor_s=policy["floor_ms"] / 1000,
            ceiling_s=policy["ceiling_ms"] / 1000,
            divisor=policy["divisor"],
            jitter=policy["jitter"],
        )

    def interval_s(self, wait_s: float) -> float:
        """The mean time to the next poll of somebody who has so long to wait."""
        return min(self.ceiling_s, max(self.floor_s, wait_s / self.divisor)) * (1 + self.jitter / 2)

    def polls_per_s(self, waiting: int, *, rate_per_s: float) -> float:
        """What so many people ask per second while the line moves at this rate."""
        return rate_per_s * self._asked(waiting / rate_per_s) / (1 + self.jitter / 2)

    def polls(self, waiting: int, *, rate_per_s: float, for_s: float) -> float:
        """What they ask in all during so many seconds, while nobody joins and the line moves at this rate."""
        longest_s = waiting / rate_per_s
        left_s = max(0.0, longest_s - for_s)
        asked = self._asked_in_all(longest_s) - self._asked_in_all(left_s)
        return rate_per_s * asked / (1 + self.jitter / 2)

    def polls_at_standstill(self, waiting: int, *, wait_s: float) -> float:
        """What so many people ask per second who all have the same time to wait, as before a draw."""
        return waiting / self.interval_s(wait_s)

    @property
    def _bends_s(self) -> tuple[float, float]:
        """The waits between which the interval grows with the wait."""
        return self.floor_s * self.divisor, self.ceiling_s * self.divisor

    def _asked(self, longest_s: float) -> float:
        """The integral of 1 / clamp(floor, ceiling, wait / divisor) over the waits up to the longest one."""
        low_s, high_s = self._bends_s
        asked = min(longest_s, low_s) / self.floor_s
        if longest_s > low_s:
            asked += self.divisor * math.log(min(longest_s, high_s) / low_s)
        if longest_s > high_s:
            asked += (longest_s - high_s) / self.ceiling_s
        return asked

    def _asked_in_all(self, longest_s: float) -> float:
        """The integral of `_asked` from 0."""
        low_s, high_s = self._bends_s
        first_s = min(longest_s, low_s)
        asked = first_s * first_s / (2 * self.floor_s)
        if longest_s > low_s:
            until_s = min(longest_s, high_s)
            width_s = until_s - low_s
            asked += width_s * self._asked(low_s)
            asked += self.divisor * (until_s * math.log(until_s / low_s) - width_s)
        if longest_s > high_s:
            width_s = longest_s - high_s
            asked += width_s * self._asked(high_s) + width_s * width_s / (2 * self.ceiling_s)
        return asked
