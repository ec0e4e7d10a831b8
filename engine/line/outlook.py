"""What a place is worth at this instant: people ahead, the wait as a band, the chance of a unit, when to ask again.

Pure. Everything follows from one sight of the line, the same for everybody, so a buyer's own numbers and those that a
client computes from the public document agree. Nothing here is a promise: a wait is a band, a chance is one of three
words, and neither is told while the sale is paused or the line is out of sight.
"""

import enum
import math
from collections import deque
from dataclasses import dataclass

from engine.catalog.records import Sale
from engine.line.sight import LaneSight, LineSight

# Taken to be true until enough is seen: so many of those who are called use their pass, each for so many units.
USING_SHARE = 0.64  # 0.8 come, and 0.8 of those order
UNITS_PER_ORDER = 1.5
SEEN_COUNT = 50  # called people, and open orders, that weigh as much as what was taken to be true

LIKELY_SHARE = 0.8  # of the free units; as far as they last people are likely to get one
POSSIBLE_SHARE = 1.2  # of the free and held units; behind that a chance is unlikely

WAIT_FROM, WAIT_TO = 0.7, 1.6  # the band around the expected wait
SPEED_WINDOW_MS = 20_000  # of serving time, over which the speed of a lane is measured
SPEED_SPAN_MS_MIN = 2000
TILL_S = 30.0  # how long somebody is taken to be at the till, until it is seen how fast a lane moves

FLOOR_MS, CEILING_MS, EDGE_CEILING_MS = 2000, 60_000, 10_000
DIVISOR = 10
JITTER = 0.3


class Chance(enum.StrEnum):
    """Whether the units will last until somebody's turn."""

    LIKELY = "likely"
    POSSIBLE = "possible"
    UNLIKELY = "unlikely"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneOutlook:
    """How fast a lane moves, and how far the units last in it: to the positions (from 0) `likely` and `possible`."""

    rate_per_s: float
    likely: int
    possible: int

    def chance_at(self, position: int) -> Chance:
        """The chance of a unit at a position."""
        if position < self.likely:
            return Chance.LIKELY
        return Chance.POSSIBLE if position < self.possible else Chance.UNLIKELY


class Speedometer:
    """How many people of each lane were called per second of serving time, lately."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int, tuple[int, ...]]] = deque()

    def note(self, sight: LineSight) -> None:
        """Take what one look saw. Another epoch begins anew."""
        seen = self._seen
        if seen and (seen[-1][0] != sight.epoch or len(seen[-1][2]) != len(sight.lanes)):
            seen.clear()
        if not seen or sight.serving_ms > seen[-1][1]:
            seen.append((sight.epoch, sight.serving_ms, tuple(lane.called for lane in sight.lanes)))
        while seen[-1][1] - seen[0][1] > SPEED_WINDOW_MS:
            seen.popleft()

    def per_s(self, lane: int) -> float | None:
        """People called per second in the lane at this place in the list; None while too little was seen."""
        if not self._seen:
            return None
        (_, first_ms, first), (_, last_ms, last) = self._seen[0], self._seen[-1]
        if last_ms - first_ms < SPEED_SPAN_MS_MIN:
            return None
        return (last[lane] - first[lane]) * 1000 / (last_ms - first_ms)


def ahead_of(lane: LaneSight, position: int) -> int:
    """People who are to be called before the one at this position; numbers that may have no owner are left out."""
    gap_from, gap_to = lane.lobby + lane.gap_from, lane.lobby + lane.gap_to
    nobody = max(0, min(gap_to, position) - max(gap_from, lane.head))
    return max(0, position - lane.head - nobody)


def planned_per_s(sale: Sale) -> float:
    """People let through a second by the organizer's settings, before it is seen how fast the line moves."""
    by_concurrency = math.inf if sale.line_concurrency is None else sale.line_concurrency / TILL_S
    return min(math.inf if sale.line_rate is None else float(sale.line_rate), by_concurrency)


def outlook_of(sale: Sale, sight: LineSight, speed: Speedometer) -> tuple[LaneOutlook, ...]:
    """The outlook of each lane. A lane's share of what is left is that of its weight among the lanes that wait."""
    waits = [lane.waiting > 0 for lane in sight.lanes]
    everybody = not any(waits)
    weights = [lane.weight if here or everybody else 0 for lane, here in zip(sale.lanes, waits, strict=True)]
    whole = sum(weights)
    likely, possible = _people_served(sight)
    found = []
    for at, (lane, seen) in enumerate(zip(sale.lanes, sight.lanes, strict=True)):
        share = (weights[at] or lane.weight) / max(whole, lane.weight)
        found.append(
            LaneOutlook(
                rate_per_s=_rounded(speed.per_s(at) or planned_per_s(sale) * share),
                likely=seen.head + coarse(likely * share),
                possible=seen.head + coarse(possible * share),
            )
        )
    return tuple(found)


def _people_served(sight: LineSight) -> tuple[float, float]:
    """How many people more find a unit, likely and possibly, after those who are called already and not done."""
    shelves, lanes = sight.shelves, sight.lanes
    pending = sight.admitted + sight.claimers + _on_their_way(sight)
    done = max(0, sum(lane.called for lane in lanes) - pending)
    using = (sum(lane.taken for lane in lanes) + USING_SHARE * SEEN_COUNT) / (done + SEEN_COUNT)
    per_order = (shelves.held + UNITS_PER_ORDER * SEEN_COUNT) / (sight.orders_open + SEEN_COUNT)
    units = using * per_order
    likely = LIKELY_SHARE * shelves.free / units - pending
    possible = POSSIBLE_SHARE * (shelves.free + shelves.held) / units - pending
    return max(0.0, likely), max(0.0, possible)


def _on_their_way(sight: LineSight) -> int:
    """People called within the claim window who have not come yet."""
    if not sight.checkpoints:
        return 0
    oldest = sight.checkpoints[0]
    called = sum(lane.head - head for lane, head in zip(sight.lanes, oldest.heads, strict=False))
    return max(0, called - sum(one.shown for one in sight.checkpoints))


def coarse(people: float) -> int:
    """Two leading digits: how many units are left is nobody's business, to the last one."""
    whole = int(people)
    step: int = 10 ** max(0, len(str(whole)) - 2)
    return whole // step * step


def _rounded(rate_per_s: float) -> float:
    """Three digits are more than is known."""
    return float(f"{rate_per_s:.3g}")


def wait_of(ahead: int, rate_per_s: float, *, until_open_s: float = 0.0) -> tuple[int, int]:
    """The wait as a band of seconds."""
    expected_s = ahead / rate_per_s
    return math.floor(until_open_s + WAIT_FROM * expected_s), math.ceil(until_open_s + WAIT_TO * expected_s)


def ask_again_ms(eta_s: float, *, edge: bool, spread: float) -> int:
    """When to ask again who expects to wait `eta_s`. edge: near where the units end; spread: random, from 0 to 1."""
    ceiling_ms = EDGE_CEILING_MS if edge else CEILING_MS
    wait_ms = min(ceiling_ms, max(FLOOR_MS, eta_s * 1000 / DIVISOR))
    return round(wait_ms * (1 + JITTER * spread))
