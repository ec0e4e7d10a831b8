"""When people arrive: moments drawn along a curve, in seconds from the opening. Pure, from one seed.

An open loop: the moments are fixed before anybody comes and do not ask how the server is. Rates give a Poisson
process (of intensity as drawn by the points); a drop gives a fixed crowd with random moments.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise

from loadtest.profiles.profile import ClosedArrivals, DropArrivals, Profile, RateArrivals

Point = tuple[float, float]


def moments(profile: Profile, dice: random.Random) -> list[float]:
    """All arrivals, in order. A closed loop has none: there, everybody's end is the next one's beginning."""
    match profile.arrivals:
        case DropArrivals() as shape:
            return drop(shape, max(1, round(shape.people * profile.scale.people)), dice)
        case RateArrivals(points=points):
            return poisson([(at, rate * profile.scale.people) for at, rate in points], dice)
        case ClosedArrivals():
            return []


def drop(shape: DropArrivals, count: int, dice: random.Random) -> list[float]:
    """So many people: in the lobby, at the step, in the tail."""
    return sorted(_drop_moment(shape, dice) for _ in range(count))


def poisson(points: Sequence[Point], dice: random.Random) -> list[float]:
    """A Poisson process whose rate follows straight lines between (second, people per second)."""
    areas = [0.0, *accumulate((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))]
    arrived: list[float] = []
    people = dice.expovariate(1.0)
    while people < areas[-1]:
        segment = min(bisect_right(areas, people) - 1, len(points) - 2)
        arrived.append(_moment_of(points[segment], points[segment + 1], people - areas[segment]))
        people += dice.expovariate(1.0)
    return arrived


def level(points: Sequence[Point], at: float) -> float:
    """The height of the curve at a second; its last height afterwards."""
    for (a, low), (b, high) in pairwise(points):
        if at < b:
            return low + (high - low) * max(0.0, at - a) / (b - a)
    return points[-1][1]


def _moment_of(start: Point, end: Point, people: float) -> float:
    """Where within a segment so many people have come: the root of the area under a straight line."""
    length, slope = end[0] - start[0], 0.0
    if length > 0:
        slope = (end[1] - start[1]) / length
    if abs(slope) < 1e-9:
        return start[0] + people / start[1]
    return start[0] + (math.sqrt(max(0.0, start[1] ** 2 + 2 * slope * people)) - start[1]) / slope


def _drop_moment(shape: DropArrivals, dice: random.Random) -> float:
    lot = dice.random()
    if lot < shape.lobby:
        # Denser towards the opening: the square root of a uniform number, turned around.
        return -shape.lobby_s * (1 - math.sqrt(dice.random()))
    if lot < shape.lobby + shape.step:
        return dice.expovariate(1 / shape.step_mean_s)
    return min(dice.expovariate(1 / shape.tail_mean_s), shape.tail_max_s)
