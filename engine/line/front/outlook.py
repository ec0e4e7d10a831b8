"""What a place is worth at this instant: people ahead, the wait as a band, the chance of a unit, when to ask again.

Pure. Everything follows from one sight of the line, the same for everybody, so a buyer's own numbers and those that a
client computes from the public document agree. Nothing here is a promise: a wait is a band, a chance is one of three
words, and neither is told while the sale is paused or the line is out of sight.
"""

import enum
import math
from dataclasses import dataclass

from engine.catalog.records import Lane, Sale
from engine.line.pacing.heads import people_between
from engine.line.pacing.memory import Memory
from engine.line.pacing.window import outstanding
from engine.line.sight import LaneSight, LineSight

LIKELY_SHARE = 0.8  # of the free units; as far as they last people are likely to get one
POSSIBLE_SHARE = 1.2  # of the free and held units; behind that a chance is unlikely

WAIT_FROM, WAIT_TO = 0.7, 1.6  # the band around the expected wait
RATE_MIN = 0.01  # a lane that calls somebody every other minute has no speed to go by
TRAIL_AGE_MS_MAX = 3000  # older ticks say nothing about now
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


def ahead_of(lane: LaneSight, position: int) -> int:
    """People who are to be called before the one at this position; numbers that may have no owner are left out."""
    return people_between(lane, lane.head, position)


def planned_per_s(sale: Sale) -> float:
    """People let through a second by the organizer's settings, before it is seen how fast the line moves."""
    by_concurrency = math.inf if sale.line_concurrency is None else sale.line_concurrency / TILL_S
    return min(math.inf if sale.line_rate is None else float(sale.line_rate), by_concurrency)


def outlook_of(sale: Sale, sight: LineSight, memory: Memory, *, window_ms: int) -> tuple[LaneOutlook, ...]:
    """The outlook of each lane, by what the pacing has learned. A lane's share of what is left is that of its weight
    among the lanes that wait. `window_ms`: how long a called person is waited for."""
    waits = [lane.waiting > 0 for lane in sight.lanes]
    weights = [lane.weight if here or not any(waits) else 0 for lane, here in zip(sale.lanes, waits, strict=True)]
    likely = _people_served(sight, memory, LIKELY_SHARE * sight.shelves.free, window_ms=window_ms)
    units = POSSIBLE_SHARE * (sight.shelves.free + sight.shelves.held)
    possible = _people_served(sight, memory, units, window_ms=window_ms)
    found = []
    for at, (lane, seen) in enumerate(zip(sale.lanes, sight.lanes, strict=True)):
        share = (weights[at] or lane.weight) / max(sum(weights), lane.weight)
        speed = _speed(sight, memory, at)
        if speed < RATE_MIN or not seen.waiting:  # a lane that calls everybody at once was never seen at its best
            speed = max(speed, planned_per_s(sale) * share)
        sure, hoped = _people_of_own(lane, sight, memory)
        found.append(
            LaneOutlook(
                rate_per_s=_rounded(speed),
                likely=seen.head + coarse(min(likely * share, sure)),
                possible=seen.head + coarse(min(possible * share, hoped)),
            )
        )
    return tuple(found)


def _people_of_own(lane: Lane, sight: LineSight, memory: Memory) -> tuple[float, float]:
    """How many more people of a lane may be called until its own units are gone, for sure and at best, where what is
    held comes back; without end for a lane that may have all there are."""
    if lane.quota_units is None:
        return math.inf, math.inf
    used = sight.shelves.used[lane.ordinal] if lane.ordinal < len(sight.shelves.used) else 0
    left, estimates = max(0, lane.quota_units - used), memory.estimates
    back = min(used, sight.shelves.held)
    people_per_unit = 1 / estimates.units_per_person / estimates.show_rate
    return LIKELY_SHARE * left * people_per_unit, POSSIBLE_SHARE * (left + back) * people_per_unit


def _speed(sight: LineSight, memory: Memory, at: int) -> float:
    """People called a second: the average of the last while, or what the last ticks did, if that was more. So nobody
    is sent away for a minute because a line that has just begun to move was slow before."""
    average = memory.rates[at] if at < len(memory.rates) else 0.0
    if not memory.trail or sight.now_ms - memory.trail[-1].at_ms > TRAIL_AGE_MS_MAX:
        return average
    first, last = memory.trail[0], memory.trail[-1]
    if last.at_ms <= first.at_ms or at >= min(len(first.heads), len(last.heads)):
        return average
    return max(average, (last.heads[at] - first.heads[at]) * 1000 / (last.at_ms - first.at_ms))


def _people_served(sight: LineSight, memory: Memory, units: float, *, window_ms: int) -> float:
    """How many more people may be called until so many units are gone, after those who are called and not done."""
    estimates = memory.estimates
    people = units / estimates.units_per_person - sight.admitted - sight.claimers
    return max(0.0, people / estimates.show_rate - outstanding(sight, window_ms=window_ms))


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
