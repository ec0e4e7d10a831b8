"""How many people a tick calls, and of which lanes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.line.pacing.estimates import Estimates, Share
from engine.line.pacing.health import Limit
from engine.line.pacing.lanes import LaneTerms
from engine.line.pacing.memory import TRAIL_COUNT_MAX, Memory
from engine.line.pacing.pace import Paced, pace
from engine.line.sight import Checkpoint, LineSight, Shelves
from tests.line.pacing.sights import knobs_of, lane_of, sight_of

# Everybody who is called comes, and orders one unit that is always paid.
SURE = Estimates(show=Share(100, 100), conversion=Share(100, 100), lapse=Share(0, 100))
KNOWING = Memory(estimates=SURE)


def released(sight: LineSight, memory: Memory = KNOWING, **changes: object) -> int:
    return pace(sight, memory, knobs_of(*(LaneTerms() for _ in sight.lanes), **changes)).released


def waited_for(people: int) -> tuple[Checkpoint, ...]:
    """So many people were called a moment ago, and none has come."""
    return (Checkpoint(serving_ms=200_000, heads=(0,), shown=0),)


def test_as_many_are_called_as_the_stock_can_serve() -> None:
    assert released(sight_of(lane_of(5000), free=30)) == 30


def test_never_ten_thousand_people_for_a_hundred_units() -> None:
    assert released(sight_of(lane_of(10_000), free=100), Memory()) == 157  # 100 / 0.8 who order / 0.8 who come


def test_nobody_is_called_who_is_not_there() -> None:
    assert released(sight_of(lane_of(3), free=30)) == 3


def test_the_concurrency_bounds_those_at_the_till() -> None:
    sight = sight_of(lane_of(5000), free=1000, admitted=10, orders_open=15)
    assert released(sight, concurrency=40) == 15


def test_the_adaptive_limit_bounds_them_too() -> None:
    memory = replace(KNOWING, limit=Limit(people=60))
    assert released(sight_of(lane_of(5000), free=1000), memory, concurrency=500) == 60


def test_people_at_the_door_take_room_before_anybody_is_called() -> None:
    assert released(sight_of(lane_of(5000), free=1000, claimers=30), concurrency=40) == 10


def test_those_with_a_pass_have_their_units_kept_for_them() -> None:
    assert released(sight_of(lane_of(5000), free=30, admitted=20)) == 10


def test_who_was_called_and_may_still_come_is_not_called_twice_over() -> None:
    sight = sight_of(lane_of(5000, head=25), free=30, checkpoints=waited_for(25))
    assert released(sight) == 5


def test_half_who_show_up_means_twice_as_many_called() -> None:
    memory = replace(KNOWING, estimates=replace(SURE, show=Share(50, 100)))
    assert released(sight_of(lane_of(5000), free=30), memory) == 60


def test_held_units_that_tend_to_come_back_are_counted_in_their_share() -> None:
    memory = replace(KNOWING, estimates=replace(SURE, lapse=Share(50, 100)))
    assert released(sight_of(lane_of(5000), free=10, held=40, orders_open=40), memory) == 30


def test_while_nothing_is_free_nobody_new_is_called() -> None:
    memory = replace(KNOWING, estimates=replace(SURE, lapse=Share(90, 100)))
    assert released(sight_of(lane_of(5000), free=0, held=40, orders_open=40), memory) == 0


def test_a_unit_that_comes_back_calls_the_next_in_order() -> None:
    paced = pace(sight_of(lane_of(5000, head=700), free=1), KNOWING, knobs_of())
    assert paced.move.heads == (701,)


def test_a_single_unit_always_calls_somebody() -> None:
    memory = Memory(estimates=replace(SURE, units=4.0))
    assert released(sight_of(lane_of(5000), free=1), memory) >= 1


def test_the_rate_bounds_a_tick() -> None:
    memory = replace(KNOWING, allowance=0.0)
    assert released(sight_of(lane_of(5000), free=1000), memory, rate=40) == 10


def test_a_late_tick_counts_a_second_at_most() -> None:
    memory = replace(KNOWING, allowance=0.0)
    sight = sight_of(lane_of(5000), free=1000)
    assert released(replace(sight, ticked_ms=sight.now_ms - 60_000), memory, rate=40) == 40


def test_the_first_tick_may_call_a_second_s_worth() -> None:
    sight = replace(sight_of(lane_of(5000), free=1000), ticked_ms=0)
    assert released(sight, rate=40) == 40


def test_no_more_is_saved_up_than_a_second_s_worth() -> None:
    memory = replace(KNOWING, allowance=1e6)
    assert released(sight_of(lane_of(5000), free=1000), memory, rate=40) == 40


def test_parts_of_people_are_kept_for_the_next_tick() -> None:
    memory, calls = replace(KNOWING, allowance=0.0), []
    for _ in range(8):
        paced = pace(sight_of(lane_of(5000), free=1000), memory, knobs_of(rate=2))
        memory, calls = paced.memory, [*calls, paced.released]
    assert sum(calls) == 4


@pytest.mark.parametrize("change", [{"paused": True}, {"drawn": False}, {"final": True}, {"opens_ms": 1 << 50}])
def test_nobody_is_called_while_the_sale_is_not_live(change: dict[str, object]) -> None:
    assert released(replace(sight_of(lane_of(5000)), **change)) == 0


def test_a_sale_that_is_not_live_forgets_nothing_it_learned() -> None:
    assert pace(sight_of(lane_of(5000), paused=True), KNOWING, knobs_of()).memory == KNOWING


def test_lanes_get_their_share_by_weight() -> None:
    sight = sight_of(lane_of(5000), lane_of(5000), free=40)
    paced = pace(sight, KNOWING, knobs_of(LaneTerms(weight=3), LaneTerms(weight=1, public=False)))
    assert paced.move.heads == (30, 10)


def test_a_lane_whose_units_are_used_up_calls_nobody() -> None:
    shelves = Shelves(free=40, used=(0, 25))
    sight = replace(sight_of(lane_of(5000), lane_of(5000)), shelves=shelves)
    paced = pace(sight, KNOWING, knobs_of(LaneTerms(), LaneTerms(public=False, quota_units=25)))
    assert paced.move.heads == (40, 0)


def test_a_lane_calls_no_more_people_than_its_units_may_serve() -> None:
    shelves = Shelves(free=1000, used=(20,))
    sight = replace(sight_of(lane_of(5000)), shelves=shelves)
    assert pace(sight, KNOWING, knobs_of(LaneTerms(quota_units=25))).released == 5


def test_a_lane_with_units_of_its_own_does_not_wait_a_whole_window_for_people_who_stay_away() -> None:
    point, newer = Checkpoint(serving_ms=160_000, heads=(0,)), Checkpoint(serving_ms=165_000, heads=(5,))
    lane = lane_of(5000, head=5, called=5)
    sight = replace(sight_of(lane, checkpoints=(point, newer)), shelves=Shelves(free=5, used=(0,)))
    assert pace(sight, KNOWING, knobs_of(LaneTerms(quota_units=5))).released >= 4


def test_the_show_rate_rises_as_soon_as_more_have_come_than_expected() -> None:
    point = Checkpoint(serving_ms=199_000, heads=(0,), shown=100)
    paced = pace(sight_of(lane_of(5000, head=100), free=30, checkpoints=(point,)), Memory(), knobs_of())
    assert paced.memory.estimates.show_rate == 1


def test_the_rate_that_is_told_follows_the_calls() -> None:
    memory = replace(KNOWING, allowance=0.0)
    for _ in range(400):
        memory = pace(sight_of(lane_of(5000), free=1000), memory, knobs_of(rate=40)).memory
    assert sum(memory.rates) == pytest.approx(40, rel=0.05)


def test_a_tick_that_moved_is_logged_with_its_heads() -> None:
    paced = pace(sight_of(lane_of(5000), free=30), KNOWING, knobs_of())
    assert (paced.memory.trail[-1].tick, paced.memory.trail[-1].heads) == (8, (30,))


def test_a_tick_that_changed_nothing_is_not_logged_again() -> None:
    first = pace(sight_of(lane_of(0), free=30), KNOWING, knobs_of())
    assert len(pace(sight_of(lane_of(0), free=30), first.memory, knobs_of()).memory.trail) == 1


def test_the_trail_is_bounded() -> None:
    memory = KNOWING
    for turn in range(20):
        memory = pace(sight_of(lane_of(5000, head=turn), free=30), memory, knobs_of()).memory
    assert len(memory.trail) == TRAIL_COUNT_MAX


sights = st.builds(
    sight_of,
    st.builds(lane_of, st.integers(0, 1000), head=st.integers(0, 1000)),
    st.builds(lane_of, st.integers(0, 1000), head=st.integers(0, 1000)),
    free=st.integers(0, 500),
    held=st.integers(0, 500),
    sold=st.integers(0, 500),
    admitted=st.integers(0, 300),
    claimers=st.integers(0, 300),
    orders_open=st.integers(0, 300),
)
caps = st.none() | st.integers(1, 400)


def paced_of(sight: LineSight, rate: int | None, concurrency: int | None) -> Paced:
    knobs = knobs_of(LaneTerms(weight=2), LaneTerms(weight=1, public=False), rate=rate, concurrency=concurrency)
    return pace(sight, Memory(), knobs)


@given(sights, caps, caps)
def test_heads_only_move_forward_and_only_over_people_who_wait(
    sight: LineSight, rate: int | None, concurrency: int | None
) -> None:
    heads = paced_of(sight, rate, concurrency).move.heads
    assert all(lane.head <= head <= lane.end for lane, head in zip(sight.lanes, heads, strict=True))


@given(sights, caps, caps)
def test_those_expected_fit_within_the_concurrency(sight: LineSight, rate: int | None, concurrency: int | None) -> None:
    paced = paced_of(sight, rate, concurrency)
    room = (concurrency or 1 << 30) - sight.admitted - sight.orders_open - sight.claimers
    assert paced.released * paced.memory.estimates.show_rate <= max(0, room) + 1


@given(sights, caps, caps)
def test_the_same_numbers_give_the_same_tick(sight: LineSight, rate: int | None, concurrency: int | None) -> None:
    assert paced_of(sight, rate, concurrency) == paced_of(sight, rate, concurrency)
