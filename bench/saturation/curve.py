"""Rounds of floods put together: one point for each share of the peak, at the medians, with the spread. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from hdrh.histogram import HdrHistogram

from bench.saturation.fates import Flooded, histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What came of offering so much, at the median of the rounds. share: of the peak that the closed loop found.

    lowest_per_s, highest_per_s: the spread of the goodput. p50_ms, p99_ms: of all rounds' wanted answers, from when the
    person came. cpu_us: of each process for each wanted answer, whatever else it spent its time on.
    """

    share: float
    offered_per_s: float
    goodput_per_s: float
    lowest_per_s: float
    highest_per_s: float
    late_per_s: float
    refused_per_s: float
    turned_away_per_s: float
    p50_ms: float
    p99_ms: float
    sender_share: float
    lag_ms: float
    cpu_us: Mapping[str, float]

    @property
    def server_us(self) -> float:
        """CPU of all processes for each wanted answer: what a busy machine changes least."""
        return sum(self.cpu_us.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Offered against goodput for one kind of request. connections: how many the sender had."""

    name: str
    connections: int
    deadline_s: float
    points: Sequence[Point]


def curve_of(name: str, rounds: Sequence[Sequence[Flooded]], *, connections: int, deadline_s: float) -> Curve:
    """The curve of several rounds, each with the same shares in the same order."""
    points = [_point(same_share) for same_share in zip(*rounds, strict=True)]
    return Curve(name=name, connections=connections, deadline_s=deadline_s, points=points)


def held(rounds: Sequence[Sequence[Flooded]]) -> tuple[list[float], list[float]]:
    """For each round the goodput at the highest offer, and that of the share which is best at the median of all rounds.

    The best of each round by itself would be the luckiest of eight moments, and nothing could stand beside it.
    """
    by_share = list(zip(*rounds, strict=True))
    best = max(by_share, key=lambda found: median(one.goodput_per_s for one in found))
    most = max(by_share, key=lambda found: found[0].stretch.share)
    return [one.goodput_per_s for one in most], [one.goodput_per_s for one in best]


def document(curve: Curve) -> list[dict[str, Any]]:
    """The points as a report draws them."""
    return [
        {
            "share": point.share,
            "connections": curve.connections,
            "deadline_s": curve.deadline_s,
            "offered_per_s": round(point.offered_per_s, 1),
            "goodput_per_s": round(point.goodput_per_s, 1),
            "goodput_spread_per_s": [round(point.lowest_per_s, 1), round(point.highest_per_s, 1)],
            "late_per_s": round(point.late_per_s, 1),
            "refused_per_s": round(point.refused_per_s, 1),
            "turned_away_per_s": round(point.turned_away_per_s, 1),
            "p50_ms": round(point.p50_ms, 2),
            "p99_ms": round(point.p99_ms, 2),
            "generator_share": round(point.sender_share, 3),
            "generator_lag_ms": round(point.lag_ms, 2),
            "cpu_us": {name: round(us, 1) for name, us in point.cpu_us.items()},
        }
        for point in curve.points
    ]


def _point(found: Sequence[Flooded]) -> Point:
    latencies = histogram()
    for one in found:
        latencies.add(HdrHistogram.decode(one.latencies))
    goodputs = [one.goodput_per_s for one in found]
    # Of the whole stretch with its warm-up, as the time that was spent.
    answers = sum(one.wanted_count for one in found)
    spent_s: dict[str, float] = {}
    for one in found:
        for name, seconds in one.spent_s.items():
            spent_s[name] = spent_s.get(name, 0.0) + seconds
    return Point(
        share=found[0].stretch.share,
        offered_per_s=median(one.offered / one.stretch.measure_s for one in found),
        goodput_per_s=median(goodputs),
        lowest_per_s=min(goodputs),
        highest_per_s=max(goodputs),
        late_per_s=median(one.late / one.stretch.measure_s for one in found),
        refused_per_s=median(one.refused / one.stretch.measure_s for one in found),
        turned_away_per_s=median(one.turned_away / one.stretch.measure_s for one in found),
        p50_ms=latencies.get_value_at_percentile(50) / 1e3,
        p99_ms=latencies.get_value_at_percentile(99) / 1e3,
        sender_share=median(one.sender_share for one in found),
        lag_ms=max(one.lag_ms for one in found),
        cpu_us={name: seconds * 1e6 / answers for name, seconds in spent_s.items()} if answers else {},
    )
