"""When people come: Poisson, tick by tick, at a rate that nothing the server does can change. Pure.

A tick draws how many come in it, so that half a million a second cost the sender no more than fifty. Whoever comes in
a tick is taken to have come at its beginning: the wait that is told is up to one tick too long, never too short.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

TICK_S = 0.002
# Above this mean the normal curve is closer to Poisson than the tick is to the moment of an arrival.
MEAN_TO_COUNT = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A while at one rate. `share`: of the peak, for the reports. Only what comes after `warm_s` is judged."""

    share: float
    offered_per_s: float
    warm_s: float
    measure_s: float


def poisson(mean: float, dice: random.Random) -> int:
    """How many come where so many come on average."""
    if mean > MEAN_TO_COUNT:
        return max(0, round(dice.gauss(mean, math.sqrt(mean))))
    count, left = 0, math.exp(-mean)
    product = dice.random()
    while product > left:
        count += 1
        product *= dice.random()
    return count


class Arrivals:
    """The ticks of one stretch, in order. A late sender makes up for every tick that it missed."""

    def __init__(self, stretch: Stretch, *, begins_s: float, dice: random.Random) -> None:
        self.judged_from_s = begins_s + stretch.warm_s
        self.ends_s = self.judged_from_s + stretch.measure_s
        self._begins_s = begins_s
        self._mean = stretch.offered_per_s * TICK_S
        self._dice = dice
        self._ticks = 0

    def due(self, now_s: float) -> list[tuple[float, int]]:
        """The ticks that are over by now: when each began, and how many came in it."""
        found = []
        # Counted, not added up: a thousand sums of a tick would drift.
        while (ends_s := self._begins_s + (self._ticks + 1) * TICK_S) <= now_s and ends_s <= self.ends_s + TICK_S / 2:
            if count := poisson(self._mean, self._dice):
                found.append((self._begins_s + self._ticks * TICK_S, count))
            self._ticks += 1
        return found

    def judges(self, came_s: float) -> bool:
        """Whether somebody who came then counts."""
        return self.judged_from_s <= came_s < self.ends_s
