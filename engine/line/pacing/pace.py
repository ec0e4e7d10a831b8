"""How many people a tick may call, from numbers alone. Pure: the same numbers give the same tick in every worker.

    target   = min(operator's concurrency, adaptive limit)
    room     = what the stock can still serve: (free + expected back) / units per person, less those with a pass
    release  = people to call so that, of those who show up, the lesser of target and room is at the till
             = ceil(min(target - at the till, room) / show rate) - called and still waited for
    at most the rate of the operator, with a second's worth saved up

People who came and wait for room are at the door already: they count in full before anybody new is called. While
nothing is free nobody new is called at all; units that come back then go to the next in order.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.line.pacing.estimates import Counted, Estimates
from engine.line.pacing.heads import advanced, people_between
from engine.line.pacing.lanes import LaneTerms, divided
from engine.line.pacing.memory import TRAIL_COUNT_MAX, Memory, TickRow
from engine.line.pacing.scripts import Move
from engine.line.pacing.window import (
    called_in_window,
    checkpoint_due,
    drop_count,
    outstanding,
    settled,
    shown_so_far,
)
from engine.line.sight import LineSight

STEP_MS_MAX = 1_000  # as the script: however late a tick is, it counts a second at most
RATE_OVER_S = 15.0  # the admission rate that people are told is an average of so long
SHOW_KNOWN_PEOPLE = 20  # below so many people called, what has been shown so far says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """What is set from outside. rate: people a second; concurrency: people at the till; None is no cap. strain: how
    hard the machinery works by this worker's measure, 1 is too much."""

    rate: int | None
    concurrency: int | None
    burst_count: int
    window_ms: int
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


def stock_room(sight: LineSight, estimates: Estimates) -> float:
    """How many more people who show up the stock can serve. Units that may come back count only while something is
    free: nobody is called for units that others hold."""
    shelves = sight.shelves
    if shelves.free <= 0:
        return 0.0
    units = shelves.free + estimates.lapse_share * shelves.held
    return units / estimates.units_per_person - sight.admitted - sight.claimers


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
            called = called_in_window(sight, ordinal, window_ms=knobs.window_ms)
            under_way = max(0, min(called, lane.called - lane.taken - lane.lapsed))
            count = min(count, max(0, people - under_way))
        wanted.append(count)
    return wanted


def people_to_serve(sight: LineSight, memory: Memory, knobs: Knobs, *, at_most: float = math.inf) -> int:
    """How many people may still be called so that those who show up find units, and no more than `at_most` of them."""
    room = min(at_most, stock_room(sight, memory.estimates))
    people = math.ceil(room / memory.estimates.show_rate) - outstanding(sight, window_ms=knobs.window_ms)
    return max(0, people)


def _release(sight: LineSight, memory: Memory, knobs: Knobs) -> int:
    target = limit_of(memory, knobs.concurrency)
    return people_to_serve(sight, memory, knobs, at_most=target - inflight(sight) - sight.claimers)


def _learned(sight: LineSight, memory: Memory, knobs: Knobs, dt_ms: int) -> Memory:
    now = Counted(
        taken=sum(lane.taken for lane in sight.lanes),
        lapsed=sum(lane.lapsed for lane in sight.lanes),
        held=sight.shelves.held,
        sold=sight.shelves.sold,
    )
    estimates = memory.estimates
    if sight.ticked_ms:  # what stood there before the first tick did not happen in it
        estimates = estimates.learned(memory.counted, now, orders_open=sight.orders_open)
    people, shown, settled_ms = settled(sight, after_ms=memory.settled_ms, window_ms=knobs.window_ms)
    show = estimates.show.after(shown, people)
    people, shown = shown_so_far(sight, window_ms=knobs.window_ms)
    if people >= SHOW_KNOWN_PEOPLE and shown > show.value * people:
        show = replace(show, hits=show.tries * shown / people)
    limit = memory.limit.after(knobs.strain, inflight=inflight(sight), serving_ms=sight.serving_ms + dt_ms, dt_ms=dt_ms)
    return replace(memory, estimates=replace(estimates, show=show), counted=now, limit=limit, settled_ms=settled_ms)


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
