"""Moments of arrival: along the curve, in order, within it, and as many as it says."""

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.profiles import curves, loading
from loadtest.profiles.profile import DropArrivals

SIGMAS = 6
HEIGHTS = st.floats(0, 200)
LENGTHS = st.floats(0.5, 20)


@st.composite
def lines(draw: st.DrawFn) -> list[curves.Point]:
    """Straight lines between points, some of them upright."""
    at, points = 0.0, [(0.0, draw(HEIGHTS))]
    for length in draw(st.lists(st.one_of(st.just(0.0), LENGTHS), min_size=1, max_size=6)):
        at += length
        points.append((at, draw(HEIGHTS)))
    return points


def area(points: list[curves.Point], *, until: float = math.inf) -> float:
    """People that the curve means to come, up to a moment."""
    people = 0.0
    for (a, low), (b, high) in pairwise(points):
        end = min(b, until)
        if end > a:
            height = low + (high - low) * (end - a) / (b - a)
            people += (end - a) * (low + height) / 2
    return people


@given(lines(), st.integers(0, 1 << 32))
def test_moments_are_in_order_and_within_the_curve(points: list[curves.Point], seed: int) -> None:
    moments = curves.poisson(points, random.Random(seed))

    assert moments == sorted(moments)
    assert all(-1e-6 <= moment <= points[-1][0] + 1e-6 for moment in moments)


@given(lines(), st.integers(0, 1 << 32), st.floats(0, 1))
def test_as_many_come_by_any_moment_as_the_area_under_the_curve(
    points: list[curves.Point], seed: int, share: float
) -> None:
    until = share * points[-1][0]

    moments = curves.poisson(points, random.Random(seed))

    meant = area(points, until=until)
    assert abs(sum(moment <= until for moment in moments) - meant) <= SIGMAS * math.sqrt(meant) + SIGMAS


@given(lines(), st.floats(0, 1))
def test_the_level_of_a_curve_lies_between_its_neighbours(points: list[curves.Point], share: float) -> None:
    at = share * points[-1][0]

    height = curves.level(points, at)

    around = [h for (a, low), (b, high) in pairwise(points) if a <= at <= b for h in (low, high)]
    assert min(around) - 1e-6 <= height <= max(around) + 1e-6


def test_the_level_stays_where_the_curve_ends() -> None:
    assert curves.level([(0, 10), (5, 30)], 500) == 30


@given(
    st.floats(0, 60),
    st.floats(0, 1).flatmap(lambda lobby: st.tuples(st.just(lobby), st.floats(0, 1 - lobby))),
    st.integers(0, 1 << 32),
)
def test_a_drop_has_its_lobby_before_the_opening_and_the_rest_behind(
    lobby_s: float, shares: tuple[float, float], seed: int
) -> None:
    lobby, step = shares
    shape = DropArrivals(curve="drop", people=1, lobby_s=lobby_s, lobby=lobby, step=min(step, 1 - lobby))

    moments = curves.drop(shape, 2000, random.Random(seed))

    early = sum(moment <= 0 for moment in moments)
    assert moments == sorted(moments)
    assert moments[0] >= -lobby_s
    assert abs(early - 2000 * lobby) <= SIGMAS * math.sqrt(2000 * lobby * (1 - lobby)) + 1


def test_people_gather_towards_the_opening() -> None:
    shape = DropArrivals(curve="drop", people=1, lobby_s=10, lobby=1, step=0)

    moments = curves.drop(shape, 5000, random.Random(1))

    assert sum(moment > -5 for moment in moments) > 2 * sum(moment <= -5 for moment in moments)


@pytest.mark.parametrize("scale", [0.01, 0.02])
def test_a_drop_brings_exactly_its_people_at_the_scale(scale: float) -> None:
    profile = loading.load("concert-drop", changes={"scale.people": scale})

    assert len(curves.moments(profile, random.Random(1))) == round(120_000 * scale)


def test_a_closed_loop_has_no_moments() -> None:
    profile = loading.load("concert-drop", changes={"arrivals": {"curve": "closed", "points": [[0, 5], [9, 5]]}})

    assert curves.moments(profile, random.Random(1)) == []
