"""The curves of the shapes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.locusts.heights import HEIGHTS, STAY_S, STEPS, ramp, soak, spike, steps, users_of
from loadtest.profiles.loading import load
from loadtest.profiles.profile import ClosedArrivals

SHARES = st.floats(0, 1, exclude_max=True)


@given(st.sampled_from(sorted(HEIGHTS)), SHARES)
def test_every_curve_stays_between_nobody_and_all(name: str, at: float) -> None:
    assert 0 <= HEIGHTS[name](at) <= 1


@pytest.mark.parametrize("name", sorted(set(HEIGHTS) - {"ramp"}))
def test_a_curve_reaches_all_of_them(name: str) -> None:
    assert max(HEIGHTS[name](n / 1000) for n in range(1000)) > 0.99


@given(SHARES, SHARES)
def test_a_ramp_only_rises(one: float, other: float) -> None:
    assert ramp(min(one, other)) <= ramp(max(one, other))


def test_steps_are_as_many_as_they_say() -> None:
    assert len({steps(n / 1000) for n in range(1000)}) == STEPS


def test_a_spike_is_over_soon() -> None:
    assert (spike(0.4), spike(0.5), spike(0.6)) == (0.2, 1.0, 0.2)


def test_a_soak_keeps_all_of_them_to_the_end() -> None:
    assert {soak(n / 100) for n in range(5, 100)} == {1.0}


def test_a_closed_story_has_the_users_of_its_points() -> None:
    points = [(0.0, 10.0), (10.0, 30.0)]
    story = load("concert-drop", changes={"scale.people": 1.0})
    closed = story.model_copy(update={"arrivals": ClosedArrivals(curve="closed", points=points)})
    there, length_s = users_of(closed)
    assert ([there(at) for at in (0, 5, 10, 60)], length_s) == ([10, 20, 30, 30], story.run.after_opening_s)


def test_a_drop_has_those_who_came_within_a_visits_time() -> None:
    story = load("concert-drop", changes={"scale.people": 0.01})
    there, _ = users_of(story)
    everybody = 0.01 * 120_000
    assert there(0) == 0
    assert there(story.lobby_s) == pytest.approx(0.6 * everybody, rel=0.1)
    assert max(there(at) for at in range(60)) <= everybody
    assert there(story.lobby_s + 15 + STAY_S + 1) == 0
