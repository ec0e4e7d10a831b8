"""What both generators are told to do, and what each of them measured.

Both send in the same way, which is autocannon's: at a rate, every connection sends its share at the beginning of each
second, one request after the other, and then waits for the next second; flat out, it never waits. What is counted
begins `lead_s` after the start, half a second beside every beginning, so that no second is cut in two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LEAD_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One measurement. `rate_per_s` 0 is flat out; otherwise a multiple of `connections`."""

    url: str
    headers: Mapping[str, str]
    connections: int
    rate_per_s: int
    seconds: float
    lead_s: float = LEAD_S

    def __post_init__(self) -> None:
        assert self.seconds > 0
        assert self.rate_per_s == 0 or self.seconds == int(self.seconds), "at a rate, whole seconds are counted"
        assert self.rate_per_s % self.connections == 0, "every connection sends the same number in a second"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Of one shot: answers per second, latencies from the sending (at a rate: corrected for what could not be sent
    meanwhile), the generator's share of one core, and what was not answered with 200."""

    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_share: float
    failed: int
