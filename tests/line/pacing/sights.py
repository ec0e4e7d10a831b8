"""Sights and knobs made by hand: a sale that is live, in the middle of its serving."""

from dataclasses import replace
from typing import Any

from engine.line.pacing.lanes import LaneTerms
from engine.line.pacing.pace import Knobs
from engine.line.sight import LaneSight, LineSight, Shelves

NOW_MS = 1_000_000


def lane_of(waiting: int = 0, **numbers: Any) -> LaneSight:
    """A lane without a lobby, with so many people behind its head."""
    head = numbers.pop("head", 0)
    return LaneSight(head=head, tail=head + waiting, **numbers)


def sight_of(*lanes: LaneSight, free: int = 100, held: int = 0, sold: int = 0, **changes: Any) -> LineSight:
    """A sale that opened a while ago and has ticked a quarter of a second before."""
    sight = LineSight(
        epoch=1,
        now_ms=NOW_MS,
        drawn=True,
        final=False,
        tick=7,
        ticked_ms=NOW_MS - 250,
        serving_ms=200_000,
        pace=b"",
        lanes=lanes,
        admitted=0,
        claimers=0,
        orders_open=0,
        held_until_ms=0,
        opens_ms=NOW_MS - 500_000,
        closes_ms=NOW_MS + 500_000,
        shelves=Shelves(free=free, held=held, sold=sold, used=(0,) * len(lanes)),
    )
    return replace(sight, **changes)


def knobs_of(*terms: LaneTerms, **changes: Any) -> Knobs:
    """No caps but the adaptive limit, unless the test sets them."""
    knobs = Knobs(
        rate=None, concurrency=None, burst_count=100, window_ms=90_000, pass_ms=120_000, lanes=terms or (LaneTerms(),)
    )
    return replace(knobs, **changes)
