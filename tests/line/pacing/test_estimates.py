"""What the pacing learns, and how fast."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.line.pacing.estimates import Counted, Estimates, Share, belief


def test_an_estimate_begins_with_an_opinion() -> None:
    assert Estimates().show_rate == pytest.approx(0.8)


def test_a_share_follows_what_happens() -> None:
    share = Share.opinion(0.8)
    for _ in range(50):
        share = share.after(20, 100)
    assert share.value == pytest.approx(0.2, abs=0.01)


def test_the_show_rate_has_a_floor() -> None:
    assert Estimates(show=Share(0, 100)).show_rate == 0.3


def test_the_conversion_has_a_floor() -> None:
    assert Estimates(conversion=Share(0, 100)).conversion_rate == 0.2


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=30))
def test_a_share_of_shares_stays_between_nothing_and_all(counts: list[tuple[int, int]]) -> None:
    share = Share.opinion(0.8)
    for hits, more in counts:
        share = share.after(hits, hits + more)
    assert 0 <= share.value <= 1


def test_what_is_known_so_far_only_raises_a_share() -> None:
    assert [Share.opinion(0.8).at_least(hits, 100).value for hits in (10, 95)] == pytest.approx([0.8, 0.95])


def test_a_few_people_so_far_say_nothing() -> None:
    assert Share.opinion(0.8).at_least(5, 5).value == pytest.approx(0.8)


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_longer_somebody_stays_away_the_weaker_is_the_belief(one: float, other: float) -> None:
    sooner, later = sorted((one, other))
    assert 1 >= belief(sooner) >= belief(later) > 0


def test_orders_of_several_units_are_noticed() -> None:
    estimates = Estimates()
    for _ in range(20):
        estimates = estimates.learned(Counted(held=60), Counted(held=60), orders_open=20)
    assert estimates.units == pytest.approx(3, abs=0.01)


def test_holds_that_are_all_paid_leave_no_lapse() -> None:
    estimates = Estimates().learned(Counted(held=2000), Counted(held=0, sold=2000), orders_open=0)
    assert estimates.lapse_share == pytest.approx(0.2 * 20 / 2020)


def test_holds_that_come_back_unpaid_raise_the_lapse() -> None:
    estimates = Estimates().learned(Counted(held=2000), Counted(held=0, sold=0), orders_open=0)
    assert estimates.lapse_share > 0.89


def test_new_orders_alone_are_no_lapse() -> None:
    estimates = Estimates().learned(Counted(taken=5, held=5), Counted(taken=15, held=15), orders_open=15)
    assert estimates.lapse.value == pytest.approx(Estimates().lapse.value)


@pytest.mark.parametrize(("units_max", "units"), [(1, 1.0), (2, 1.5), (4, 2.0), (100, 2.0)])
def test_orders_are_thought_to_be_of_two_units_where_so_many_are_allowed(units_max: int, units: float) -> None:
    assert Estimates.untaught(units_max=units_max).units == units
