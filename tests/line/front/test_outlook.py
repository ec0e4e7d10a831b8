"""How fast lanes move and how far the units last."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.line.outlook import Speedometer, coarse, outlook_of
from engine.line.sight import Checkpoint, Shelves
from tests.line.front.scenes import LANES, SALE, lane, sight

TWO_LANES = replace(SALE, lanes=LANES[:2])


def measured(*readings: tuple[int, int]) -> Speedometer:
    """A speedometer that saw so many called by so many ms of serving."""
    speed = Speedometer()
    for serving_ms, called in readings:
        speed.note(sight(lane(called=called), serving_ms=serving_ms))
    return speed


def test_speed_is_people_called_per_second_of_serving() -> None:
    assert measured((0, 0), (5_000, 300), (10_000, 500)).per_s(0) == 50.0


def test_time_that_serves_nobody_does_not_slow_the_line() -> None:
    assert measured((0, 0), (10_000, 500), (10_000, 500), (10_000, 500)).per_s(0) == 50.0


def test_old_speed_is_forgotten() -> None:
    assert measured((0, 0), (20_000, 2_000), (39_000, 2_190), (40_000, 2_200)).per_s(0) == 10.0


def test_too_short_a_look_says_nothing() -> None:
    assert measured((0, 0), (1_000, 500)).per_s(0) is None


def test_another_epoch_begins_anew() -> None:
    speed = measured((0, 0), (10_000, 500))
    speed.note(replace(sight(), epoch=4, serving_ms=11_000))
    assert speed.per_s(0) is None


def test_before_anything_is_seen_lanes_move_by_the_organizers_rate_and_their_weights() -> None:
    public, member = outlook_of(TWO_LANES, sight(lane(), lane()), Speedometer())
    assert (public.rate_per_s, member.rate_per_s) == (75.0, 25.0)


def test_a_lane_that_nobody_waits_in_leaves_its_share_to_the_others() -> None:
    public, _ = outlook_of(TWO_LANES, sight(lane(), lane(head=500)), Speedometer())
    assert public.rate_per_s == 100.0


def test_a_concurrency_alone_gives_a_rate_too() -> None:
    sale = replace(SALE, line_rate=None, line_concurrency=600)
    assert outlook_of(sale, sight(), Speedometer())[0].rate_per_s == 20.0


def reach(**facts: Any) -> int:
    """How many people behind the head are likely to get a unit."""
    seen = sight(lane(head=0, called=facts.pop("called", 0), taken=facts.pop("taken", 0), tail=10_000), **facts)
    return outlook_of(SALE, seen, Speedometer())[0].likely


def test_people_at_the_till_and_on_their_way_use_up_what_is_left() -> None:
    shelves, on_their_way = Shelves(free=1200), (Checkpoint(serving_ms=0, heads=(-50,), shown=10),)
    assert reach(shelves=shelves) == 1000
    assert reach(shelves=shelves, admitted=100, claimers=60, checkpoints=on_their_way) == 800


def test_units_last_further_where_few_of_the_called_use_their_pass() -> None:
    shelves = Shelves(free=1200)
    assert reach(shelves=shelves, called=5000, taken=500) > 3 * reach(shelves=shelves, called=5000, taken=4500)


def test_units_last_less_far_where_an_order_has_many() -> None:
    single, double = Shelves(free=1200, held=500), Shelves(free=1200, held=1000)
    assert reach(shelves=single, orders_open=500) > reach(shelves=double, orders_open=500)


@given(st.integers(min_value=0, max_value=10**7))
def test_a_coarse_number_has_two_digits_and_is_never_more(people: int) -> None:
    found = coarse(people)
    assert len(str(found).rstrip("0")) <= 2
    assert 0 <= people - found <= max(9, people // 10)


@given(st.integers(min_value=0, max_value=10**5), st.integers(min_value=0, max_value=10**5), st.integers(0, 10**4))
def test_units_never_last_further_for_sure_than_they_may(free: int, held: int, admitted: int) -> None:
    found = outlook_of(SALE, sight(shelves=Shelves(free=free, held=held), admitted=admitted), Speedometer())[0]
    assert found.likely <= found.possible
