"""How fast lanes move and how far the units last."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.catalog.records import Sale
from engine.line.front.outlook import LaneOutlook, coarse, outlook_of
from engine.line.pacing.estimates import Estimates, Share
from engine.line.pacing.memory import Memory, TickRow
from engine.line.sight import LineSight, Shelves
from tests.line.front.scenes import LANES, SALE, WINDOW_MS, lane, sight

FRESH = Memory()
TWO_LANES = replace(SALE, lanes=LANES[:2])


def outlooks(sale: Sale, seen: LineSight, memory: Memory = FRESH) -> tuple[LaneOutlook, ...]:
    return outlook_of(sale, seen, memory, window_ms=WINDOW_MS)


def test_a_lane_moves_as_fast_as_it_was_seen_to_move() -> None:
    public, member = outlooks(TWO_LANES, sight(lane(), lane()), Memory(rates=(12.3456, 4.0)))
    assert (public.rate_per_s, member.rate_per_s) == (12.3, 4.0)


def ticks(*heads: int) -> tuple[TickRow, ...]:
    """The last ticks, a quarter of a second apart, the newest of this moment."""
    ends_ms = sight().now_ms
    return tuple(
        TickRow(number, ends_ms - 250 * (len(heads) - 1 - number), (head,), 0, 0, 0, 0)
        for number, head in enumerate(heads)
    )


def test_a_line_that_has_just_begun_to_move_is_as_fast_as_its_last_ticks() -> None:
    memory = Memory(rates=(0.5,), trail=ticks(0, 50, 100))
    assert outlooks(SALE, sight(), memory)[0].rate_per_s == 200.0


def test_old_ticks_do_not_make_a_line_fast() -> None:
    memory = Memory(rates=(0.5,), trail=ticks(0, 50, 100))
    later = sight(now_ms=sight().now_ms + 10_000)
    assert outlooks(SALE, later, memory)[0].rate_per_s == 0.5


def test_a_lane_in_which_nobody_has_to_wait_is_as_fast_as_it_is_set() -> None:
    assert outlooks(SALE, sight(lane(head=500)), Memory(rates=(0.5,)))[0].rate_per_s == 100.0


def test_before_anything_is_seen_lanes_move_by_the_organizers_rate_and_their_weights() -> None:
    public, member = outlooks(TWO_LANES, sight(lane(), lane()))
    assert (public.rate_per_s, member.rate_per_s) == (75.0, 25.0)


def test_a_lane_that_nobody_waits_in_leaves_its_share_to_the_others() -> None:
    public, _ = outlooks(TWO_LANES, sight(lane(), lane(head=500)))
    assert public.rate_per_s == 100.0


def test_a_concurrency_alone_gives_a_rate_too() -> None:
    sale = replace(SALE, line_rate=None, line_concurrency=600)
    assert outlooks(sale, sight())[0].rate_per_s == 20.0


def reach(memory: Memory = FRESH, **facts: Any) -> int:
    """How many people behind the head are likely to get a unit."""
    return outlooks(SALE, sight(lane(head=0, called=0, tail=10_000), **facts), memory)[0].likely


def test_people_at_the_till_and_on_their_way_use_up_what_is_left() -> None:
    shelves = Shelves(free=1280)
    assert reach(shelves=shelves) == 1600
    assert reach(shelves=shelves, admitted=100, claimers=60) == 1400


def test_units_last_further_where_few_of_the_called_come() -> None:
    few = replace(Estimates(), show=Share.opinion(0.4))
    assert reach(Memory(estimates=few), shelves=Shelves(free=1200)) > 1.8 * reach(shelves=Shelves(free=1200))


def test_units_last_less_far_where_an_order_has_many() -> None:
    double = replace(Estimates(), units=2.0)
    assert reach(Memory(estimates=double), shelves=Shelves(free=1200)) < 0.6 * reach(shelves=Shelves(free=1200))


def own(used: int, **shelves: int) -> LaneOutlook:
    """The outlook of a lane of 10,000 that may have 50 units of many."""
    sale = replace(SALE, lanes=(replace(LANES[0], quota_units=50),))
    here = lane(head=0, called=0, tail=10_000)
    return outlooks(sale, sight(here, shelves=Shelves(free=5000, used=(used,), **shelves)))[0]


def test_a_lane_whose_own_units_are_sold_has_no_chance_however_many_are_left_for_others() -> None:
    assert (own(50).likely, own(50).possible) == (0, 0)


def test_a_lanes_own_units_that_are_held_may_come_back() -> None:
    assert (own(50, held=10).likely, own(50, held=10).possible > 0) == (0, True)


def test_a_lane_is_told_no_more_than_its_own_units_serve() -> None:
    assert 0 < own(0).likely < own(0).possible < 100


@given(st.integers(min_value=0, max_value=10**7))
def test_a_coarse_number_has_two_digits_and_is_never_more(people: int) -> None:
    found = coarse(people)
    assert len(str(found).rstrip("0")) <= 2
    assert 0 <= people - found <= max(9, people // 10)


@given(st.integers(min_value=0, max_value=10**5), st.integers(min_value=0, max_value=10**5), st.integers(0, 10**4))
def test_units_never_last_further_for_sure_than_they_may(free: int, held: int, admitted: int) -> None:
    found = outlooks(SALE, sight(shelves=Shelves(free=free, held=held), admitted=admitted))[0]
    assert found.likely <= found.possible
