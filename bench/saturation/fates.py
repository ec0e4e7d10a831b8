"""What became of everybody who came in one stretch: each of them has exactly one fate.

Good: the wanted answer within the deadline, counted from when the person came. Late: the wanted answer after it.
Refused: 429 or 503, honest and cheap. Turned away: no connection within the patience. Lost: anything else, which
spoils the round.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from hdrh.histogram import HdrHistogram

from bench.saturation.arrivals import Arrivals, Stretch

LATENCY_US_MAX = 120_000_000
DIGITS = 3


def histogram() -> HdrHistogram:
    """Of microseconds, to three digits."""
    return HdrHistogram(1, LATENCY_US_MAX, DIGITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flooded:
    """One stretch, as it went. good, late, refused, turned_away and lost sum up to offered: all who are judged.

    wanted_count, refused_count, strange: what came back in all, in the warm-up too. latencies: an encoded
    HdrHistogram of microseconds, of every judged answer that was wanted, late ones included. seconds: from the first
    arrival to the last answer, over which the server's processes spent spent_s of CPU. sender_share: of one core.
    lag_ms: the most that the sender was behind its own schedule.
    """

    stretch: Stretch
    offered: int
    good: int
    late: int
    refused: int
    turned_away: int
    lost: int
    wanted_count: int
    refused_count: int
    strange: Mapping[str, int]
    latencies: bytes
    seconds: float
    sender_share: float
    lag_ms: float
    spent_s: Mapping[str, float]

    @property
    def goodput_per_s(self) -> float:
        return self.good / self.stretch.measure_s


@dataclass(slots=True)
class Tally:
    """Counts while a stretch runs. `wanted`: what the good answer is called."""

    stretch: Stretch
    arrivals: Arrivals
    wanted: str
    deadline_s: float
    offered: int = 0
    good: int = 0
    late: int = 0
    refused: int = 0
    turned_away: int = 0
    lost: int = 0
    wanted_count: int = 0
    refused_count: int = 0
    strange: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)

    def came(self, came_s: float, count: int) -> None:
        if self.arrivals.judges(came_s):
            self.offered += count

    def gave_up(self, gone: list[tuple[float, int]]) -> None:
        self.turned_away += sum(count for came_s, count in gone if self.arrivals.judges(came_s))

    def answered(self, answer: str, came_s: float, now_s: float, *, refused: bool) -> None:
        """`answer`: a status, or what went wrong in words."""
        judged = self.arrivals.judges(came_s)
        if answer == self.wanted:
            self.wanted_count += 1
            if judged:
                waited_s = now_s - came_s
                self.latencies_s.append(waited_s)
                self.good += waited_s <= self.deadline_s
                self.late += waited_s > self.deadline_s
        elif refused:
            self.refused_count += 1
            self.refused += judged
        else:
            self.strange[answer] += 1
            self.lost += judged

    def told(self, *, seconds: float, sender_share: float, lag_s: float, spent_s: Mapping[str, float]) -> Flooded:
        """The stretch, now that everybody's fate is known."""
        kept = histogram()
        for waited_s in self.latencies_s:
            kept.record_value(min(LATENCY_US_MAX, max(1, round(waited_s * 1e6))))
        return Flooded(
            stretch=self.stretch,
            offered=self.offered,
            good=self.good,
            late=self.late,
            refused=self.refused,
            turned_away=self.turned_away,
            lost=self.lost,
            wanted_count=self.wanted_count,
            refused_count=self.refused_count,
            strange=dict(self.strange),
            latencies=kept.encode(),
            seconds=seconds,
            sender_share=sender_share,
            lag_ms=lag_s * 1e3,
            spent_s=spent_s,
        )
