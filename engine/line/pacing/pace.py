"""How many people a tick may call, from numbers alone. Pure: the same numbers give the same tick in every worker.

    target   = min(operator's concurrency, adaptive limit)
    room     = people whom the stock can still serve: (free + expected back - for passes that will become orders)
               / units per person
    release  = people to call so that, of those who show up, the lesser of target and room is at the till
             = (min(target - at the till, room) - called and still expected) / show rate, rounded up
    at most the rate of the operator, with a second's worth saved up

People who came and wait for room are at the door already: they count in full before anybody new is called. While
nothing is free nobody new is called at all; units that come back then go to the next in order.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.line.pacing.estimates import Counted, Estimates, Share
from engine.line.pacing.heads import advanced, people_between
from engine.line.pacing.lanes import LaneTerms, divided
from engine.line.pacing.memory import TRAIL_COUNT_MAX, Memory, TickRow
from engine.line.pacing.passes import Mark, mark_of
from engine.line.pacing.scripts import Move
from engine.line.pacing.window import (
    called_lately,
    checkpoint_due,
    drop_count,
    settled,
    shown_so_far,
    shows_expected,
)
from engine.line.sight import LineSight

STEP_MS_MAX = 1_000  # as the script: however late a tick is, it counts a second at most
RATE_OVER_S = 15.0  # the admission rate that people are told is an average of so long


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """What is set from outside. rate: people a second; concurrency: people at the till; None is no cap. strain: how
    hard the machinery works by this worker's measure, 1 is too much. window_ms, pass_ms: how long a called person is
    waited for and how long a pass is good, in serving time."""

    rate: int | None
    concurrency: int | None
    burst_count: int
    window_ms: int
    pass_ms: int
    lanes: Sequence[LaneTerms]
    strain: float = 0.0

    @property
    def burst(self) -> int:
        """How many people may be saved up: never more than a second's worth."""
        return self.burst_count if self.rate is None else max(1, min(self.burst_count, self.rate))


@dataclass(frozen=True, slots=True)
class Paced:
    """A tick that was computed, and what it means for this worker."""

    move: Move
    memory: Memory
    released: int


def step_ms(sight: LineSight) -> int:
    """How far the serving clock goes in this tick; the first one of an epoch only begins to count."""
    return max(0, min(sight.now_ms - sight.ticked_ms, STEP_MS_MAX)) if sight.ticked_ms else 0


def inflight(sight: LineSight) -> int:
    """People at the till: with a pass, or with an order that is not paid."""
    return sight.admitted + sight.orders_open


def limit_of(memory: Memory, concurrency: int | None) -> int:
    """How many people may be at the till at once."""
    limit = int(memory.limit.people)
    return limit if concurrency is None else min(limit, concurrency)


def stock_room(sight: LineSight, memory: Memory, *, pass_ms: int) -> float:
    """How many more people who show up the stock can serve. Units that may come back count only while something is
    free: nobody is called for units that others hold."""
    shelves, estimates = sight.shelves, memory.estimates
    if shelves.free <= 0:
        return 0.0
    units = shelves.free + estimates.lapse_share * shelves.held
    orders = memory.passes.orders_expected(sight, estimates.conversion_rate, pass_ms=pass_ms)
    return (units - orders * estimates.units) / estimates.units_per_person - sight.claimers


def pace(sight: LineSight, memory: Memory, knobs: Knobs) -> Paced:
    """The tick after the one that was seen. A sale that is not live calls nobody, and learns nothing."""
    if not sight.live:
        return Paced(_move(sight, tuple(lane.head for lane in sight.lanes), memory, knobs, writes=False), memory, 0)
    dt_ms = step_ms(sight)
    memory = _learned(sight, memory, knobs, dt_ms)
    allowance = _allowance(memory, knobs, dt_ms)
    wanted = wanted_by_lane(sight, memory.estimates, knobs)
    release = min(_release(sight, memory, knobs), sum(wanted))
    if allowance is not None:
        release = min(release, int(allowance))
        allowance -= release
    grants, deficits = divided(release, wanted, knobs.lanes, memory.deficits)
    heads = tuple(advanced(lane, count) for lane, count in zip(sight.lanes, grants, strict=True))
    memory = replace(
        memory,
        allowance=allowance,
        deficits=tuple(deficits),
        rates=_rates(sight, memory.rates, grants, dt_ms),
        trail=_trail(sight, memory.trail, heads, release),
    )
    return Paced(_move(sight, heads, memory, knobs, writes=True), memory, release)


def wanted_by_lane(sight: LineSight, estimates: Estimates, knobs: Knobs) -> list[int]:
    """How many people of each lane may be called at all: those who wait, as far as their lane's units go."""
    wanted = []
    for ordinal, (lane, terms) in enumerate(zip(sight.lanes, knobs.lanes, strict=True)):
        count = lane.waiting
        if terms.quota_units is not None:
            used = sight.shelves.used[ordinal] if ordinal < len(sight.shelves.used) else 0
            people = math.ceil(max(0, terms.quota_units - used) / estimates.units_per_person / estimates.show_rate)
            called = called_lately(sight, ordinal, window_ms=knobs.window_ms)
            under_way = max(0, min(math.ceil(called), lane.called - lane.taken - lane.lapsed))
            count = min(count, max(0, people - under_way))
        wanted.append(count)
    return wanted


def _release(sight: LineSight, memory: Memory, knobs: Knobs) -> int:
    """How many to call so that those who show up find room at the till, and units."""
    target = limit_of(memory, knobs.concurrency)
    room = min(target - inflight(sight) - sight.claimers, stock_room(sight, memory, pass_ms=knobs.pass_ms))
    show_rate = memory.estimates.show_rate
    expected = shows_expected(sight, show_rate, window_ms=knobs.window_ms)
    return max(0, math.ceil((room - expected) / show_rate))


def _learned(sight: LineSight, memory: Memory, knobs: Knobs, dt_ms: int) -> Memory:
    mark = mark_of(sight)
    now = Counted(taken=mark.taken, held=sight.shelves.held, sold=sight.shelves.sold)
    estimates = memory.estimates
    if sight.ticked_ms:  # what stood there before the first tick did not happen in it
        estimates = estimates.learned(memory.counted, now, orders_open=sight.orders_open)
    people, shown, settled_ms = settled(sight, after_ms=memory.settled_ms, window_ms=knobs.window_ms)
    passes, given, used = memory.passes.after(mark, pass_ms=knobs.pass_ms)
    return replace(
        memory,
        estimates=replace(
            estimates,
            show=_shown(estimates.show.after(shown, people), sight, knobs, settled_ms),
            conversion=_converted(estimates.conversion.after(used, given), mark, pass_ms=knobs.pass_ms),
        ),
        counted=now,
        limit=memory.limit.after(
            knobs.strain, inflight=inflight(sight), serving_ms=sight.serving_ms + dt_ms, dt_ms=dt_ms
        ),
        settled_ms=settled_ms,
        passes=passes,
    )


def _shown(show: Share, sight: LineSight, knobs: Knobs, settled_ms: int) -> Share:
    """Before the first window is over, those who have come by now are the least who will."""
    if settled_ms >= 0:
        return show
    people, shown = shown_so_far(sight, window_ms=knobs.window_ms)
    return show.at_least(shown, people)


def _converted(conversion: Share, mark: Mark, *, pass_ms: int) -> Share:
    """Before the first passes can run out, what has been taken so far is the least that will be."""
    return conversion.at_least(mark.taken, mark.given) if mark.serving_ms < pass_ms else conversion


def _allowance(memory: Memory, knobs: Knobs, dt_ms: int) -> float | None:
    if knobs.rate is None:
        return None
    if memory.allowance is None:
        return float(knobs.burst)
    earned = knobs.rate * dt_ms / 1000
    return min(memory.allowance + earned, max(earned, knobs.burst))


def _rates(sight: LineSight, before: Sequence[float], grants: Sequence[int], dt_ms: int) -> tuple[float, ...]:
    """Moving averages, from the first moment on. A lane without people to call keeps its rate: nobody was slow."""
    rates = [*before, *(0.0 for _ in range(len(grants) - len(before)))]
    if dt_ms <= 0:
        return tuple(rates)
    over_s = min(RATE_OVER_S, (sight.serving_ms + dt_ms) / 1000)
    weight = min(1.0, dt_ms / 1000 / over_s)
    for ordinal, (lane, count) in enumerate(zip(sight.lanes, grants, strict=True)):
        if lane.waiting:
            rates[ordinal] += (count * 1000 / dt_ms - rates[ordinal]) * weight
    return tuple(rates)


def _trail(sight: LineSight, before: tuple[TickRow, ...], heads: tuple[int, ...], released: int) -> tuple[TickRow, ...]:
    """The rows of the log that may not be written yet: ticks that moved a head, or saw the shelf empty or filled."""
    shelves = sight.shelves
    moved = heads != tuple(lane.head for lane in sight.lanes)
    turned = not before or (shelves.free > 0) != (before[-1].free > 0)
    if not moved and not turned:
        return before
    row = TickRow(sight.tick + 1, sight.now_ms, heads, shelves.free, shelves.held, sight.admitted, released)
    return (*before, row)[-TRAIL_COUNT_MAX:]


def _move(sight: LineSight, heads: tuple[int, ...], memory: Memory, knobs: Knobs, *, writes: bool) -> Move:
    called = (people_between(lane, lane.head, head) for lane, head in zip(sight.lanes, heads, strict=True))
    return Move(
        heads=heads,
        called=tuple(called),
        pace=memory.pack(),
        checkpoint=writes and checkpoint_due(sight, window_ms=knobs.window_ms, step_ms=step_ms(sight)),
        drop_count=drop_count(sight, window_ms=knobs.window_ms) if writes else 0,
    )
