"""What lies between a phone and the server: a mobile network that is slow, uneven, and loses an answer now and then.

A request that is lost before it arrives costs the engine nothing; one whose answer is lost on the way back was done
and will be repeated. The second is the one that tests a promise, so that is what is dropped here.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

Z95 = 1.6449
"""Standard deviations from the median to the 95th percentile."""


@dataclass(frozen=True, slots=True)
class Network:
    """A round trip is lognormal: `median_ms` for half of them, `p95_ms` for all but one in twenty."""

    median_ms: float
    p95_ms: float
    dropped: float
    """The share of answers that never come back."""

    def travel_s(self, dice: random.Random) -> float:
        sigma = math.log(self.p95_ms / self.median_ms) / Z95
        return dice.lognormvariate(math.log(self.median_ms), sigma) / 1000

    def drops(self, dice: random.Random) -> bool:
        return dice.random() < self.dropped
