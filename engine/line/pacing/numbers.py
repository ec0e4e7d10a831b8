"""What the line can tell people about itself: its rate, how long somebody may wait, how far the units reach. Pure.

Nothing is told that is not known: no time while nobody is called, none while nothing is free.
"""

import math

from engine.line.pacing.heads import advanced, people_between
from engine.line.pacing.lanes import divided, shares_of
from engine.line.pacing.memory import Memory
from engine.line.pacing.pace import Knobs, people_to_serve, wanted_by_lane
from engine.line.sight import LineSight

RATE_MIN = 0.01  # a lane that calls somebody every other minute has no rate to speak of
BAND_LOW, BAND_HIGH = 0.75, 1.5
BAND_SLACK_S = 5.0


def rate_per_s(memory: Memory) -> float:
    """People called a second lately, in all lanes."""
    return sum(memory.rates)


def lane_rate_per_s(sight: LineSight, memory: Memory, knobs: Knobs, ordinal: int) -> float:
    """People called a second lately in one lane; before anybody was, its share of what the operator set."""
    rate = memory.rates[ordinal] if ordinal < len(memory.rates) else 0.0
    if rate >= RATE_MIN or knobs.rate is None or sight.lanes[ordinal].called:
        return rate
    waiting = [number for number, lane in enumerate(sight.lanes) if lane.waiting or number == ordinal]
    return knobs.rate * shares_of(knobs.lanes, waiting)[ordinal]


def eta_band_s(
    sight: LineSight, memory: Memory, knobs: Knobs, ordinal: int, position: int
) -> tuple[float, float] | None:
    """From how many seconds to how many somebody at this position of a lane may wait; None where nobody can say: the
    sale is not live or paused, nothing is free, or the lane does not move."""
    if not sight.live or sight.shelves.free <= 0:
        return None
    lane = sight.lanes[ordinal]
    if position < lane.head:
        return 0.0, 0.0
    rate = lane_rate_per_s(sight, memory, knobs, ordinal)
    if rate < RATE_MIN:
        return None
    wait_s = (people_between(lane, lane.head, position) + 1) / rate
    return wait_s * BAND_LOW, wait_s * BAND_HIGH + BAND_SLACK_S


def time_to_end_s(sight: LineSight, memory: Memory) -> float | None:
    """How long the line takes to its end at the present rate; None while it does not move."""
    rate = rate_per_s(memory)
    return sight.waiting / rate if rate >= RATE_MIN else None


def reaches(sight: LineSight, memory: Memory, knobs: Knobs) -> tuple[int, ...]:
    """For each lane the position up to which the units suffice that are free or expected back, if the lanes go on by
    their weights. Never behind the head."""
    people = people_to_serve(sight, memory, knobs, at_most=math.inf)
    wanted = wanted_by_lane(sight, memory.estimates, knobs)
    grants, _ = divided(people, wanted, knobs.lanes, ())
    return tuple(advanced(lane, count) for lane, count in zip(sight.lanes, grants, strict=True))
