"""Phases at many times the capacity, and what is made of them."""

from collections.abc import Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.lab.searches import fitting, overloading
from loadtest.lab.searches.overloading import LEAD_S, RAMP_S, Phase
from loadtest.profiles.curves import level
from loadtest.profiles.loading import load
from loadtest.profiles.profile import Profile, RateArrivals
from tests.loadtest.searches.records import OPENS_AT_S, played

CAPACITY = 20.0
PLAN = overloading.phases(CAPACITY)

capacities = st.floats(min_value=0.1, max_value=100_000)


@pytest.fixture(scope="module")
def profile() -> Profile:
    return load("overload")


def phase_at(second: int) -> Phase | None:
    return next((phase for phase in PLAN if phase.from_s <= second < phase.until_s), None)


def flooded(goodput: Mapping[float, int]) -> dict[str, object]:
    """Orders and payments per second by the multiple of the phase."""

    def answers(second: int) -> dict[tuple[str, str], int]:
        phase = phase_at(second)
        count = goodput[phase.multiple] if phase else 0
        return {("order", "201"): count, ("paid", "200"): count, ("join", "OVERLOADED"): 3 if phase else 0}

    record = played(
        PLAN[-1].until_s + 5,
        arrivals=lambda second: round(phase.per_s) if (phase := phase_at(second)) else 0,
        answers=answers,
    )
    return overloading.told(PLAN, record, opens_at_s=OPENS_AT_S, capacity_per_s=CAPACITY)


@given(capacities)
def test_phases_follow_each_other_with_rests_between(capacity: float) -> None:
    plan = overloading.phases(capacity)
    assert plan[0].from_s >= LEAD_S
    assert all(one.until_s < other.from_s for one, other in pairwise(plan))


@given(capacities)
def test_every_phase_brings_its_multiple_of_the_capacity(profile: Profile, capacity: float) -> None:
    plan = overloading.phases(capacity)
    arrivals = overloading.overloaded(profile, plan).arrivals
    assert isinstance(arrivals, RateArrivals)
    for phase in plan:
        middle = level(arrivals.points, (phase.from_s + phase.until_s) / 2) * profile.scale.people
        assert middle == pytest.approx(phase.multiple * capacity)


def test_rests_bring_nobody(profile: Profile) -> None:
    arrivals = overloading.overloaded(profile, PLAN).arrivals
    assert isinstance(arrivals, RateArrivals)
    assert [level(arrivals.points, phase.until_s + 1) for phase in PLAN] == [0.0] * len(PLAN)


def test_nobody_comes_twice(profile: Profile) -> None:
    assert overloading.finding(profile).seed != overloading.overloaded(profile, PLAN).seed


def test_capacity_is_that_of_the_settled_half(profile: Profile) -> None:
    record = played(23, arrivals=lambda second: 100 if second < 5 else 40, answers=lambda _: {})
    assert overloading.capacity(profile, record, opens_at_s=OPENS_AT_S) == 40.0


def test_goodput_that_stays_holds() -> None:
    assert flooded({1: 20, 2: 20, 5: 20, 10: 19})["holds"] is True


def test_goodput_that_sinks_does_not_hold() -> None:
    told = flooded({1: 20, 2: 20, 5: 20, 10: 15})
    assert (told["holds"], told["kept"]) == (False, {"orders": 0.75, "payments": 0.75})


def test_a_burst_beyond_the_capacity_raises_no_bar() -> None:
    assert flooded({1: 20, 2: 60, 5: 60, 10: 20})["holds"] is True


def test_no_goodput_at_all_does_not_hold() -> None:
    assert flooded({1: 0, 2: 0, 5: 0, 10: 0})["holds"] is False


def test_what_was_turned_away_is_told_by_phase() -> None:
    rows = flooded({1: 20, 2: 20, 5: 20, 10: 20})["turned_away"]
    assert rows == [{"multiple": phase.multiple, "what": "join OVERLOADED", "per_s": 3.0} for phase in PLAN]


def test_the_curve_has_a_point_for_every_phase() -> None:
    points = overloading.points(flooded({1: 20, 2: 20, 5: 20, 10: 19}))["payments"]
    assert points == [(20.0, 20.0), (40.0, 20.0), (100.0, 20.0), (200.0, 19.0)]


def test_seconds_of_a_phase_that_only_begins_are_not_judged() -> None:
    assert PLAN[0].until_s - PLAN[0].from_s > RAMP_S


@pytest.mark.parametrize("search", ["breakpoint", "overload"])
def test_a_search_refuses_arrivals_that_it_cannot_use(search: str) -> None:
    drop = load("concert-drop", changes={"run.search": search})
    with pytest.raises(fitting.SearchInvalid, match=r"needs arrivals\.curve"):
        fitting.check(drop)


@pytest.mark.parametrize("name", ["breakpoint", "overload", "soak"])
def test_the_searches_that_come_with_the_lab_fit(name: str) -> None:
    fitting.check(load(name))
