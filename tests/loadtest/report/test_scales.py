"""Axes: round numbers in order, everything within them, labels that never touch."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.report.scales import ceiling, clock, dodge, from_zero, logarithmic, percentiles, short, steps

amounts = st.floats(1e-3, 1e9)


@given(amounts, st.integers(2, 8))
def test_an_axis_from_zero_reaches_its_highest_value(highest: float, most: int) -> None:
    assert ceiling(highest, most=most) >= highest * (1 - 1e-9)


@given(amounts, st.integers(2, 8))
def test_an_axis_from_zero_wastes_no_more_than_one_step(highest: float, most: int) -> None:
    marks = steps(0, ceiling(highest, most=most), most=most)
    assert len(marks) >= 2
    assert marks[-2] < highest * (1 + 1e-9)


@given(amounts, amounts, st.integers(2, 8))
def test_marks_are_few_round_and_evenly_apart(low: float, span: float, most: int) -> None:
    marks = steps(low, low + span, most=most)
    widths = {f"{(b - a):.6g}" for a, b in pairwise(marks)}
    assert len(marks) <= most + 1
    assert len(widths) <= 2  # rounding of large numbers with small steps
    assert all(float(f"{float(width):.1g}") == pytest.approx(float(width), rel=1e-3) for width in widths)


def test_an_axis_of_nothing_reaches_one() -> None:
    assert [value for value, _ in from_zero(0, start=100, end=0).ticks] == [0, 0.5, 1]


@given(amounts, amounts)
def test_every_latency_stands_within_its_logarithmic_axis(one: float, other: float) -> None:
    low, high = sorted((one, other))
    axis = logarithmic(low, high, start=200, end=10)
    assert 10 - 1e-6 <= axis.at(high) <= axis.at(low) <= 200 + 1e-6


@given(amounts, amounts)
def test_a_logarithmic_axis_has_marks_in_order_within_itself(one: float, other: float) -> None:
    low, high = sorted((one, other))
    axis = logarithmic(low, high, start=200, end=10)
    marks = [axis.at(value) for value, _ in axis.ticks]
    assert 1 <= len(marks) <= 14
    assert marks == sorted(marks, reverse=True)


@given(st.integers(1, 10**8), st.lists(st.floats(0, 100), min_size=2, max_size=20))
def test_percentiles_stand_in_order_within_their_axis(count: int, wanted: list[float]) -> None:
    axis = percentiles(count, start=40, end=400)
    places = [axis.at(percentile) for percentile in sorted(wanted)]
    assert places == sorted(places)
    assert all(40 <= place <= 400 + 1e-6 for place in places)


def test_each_nine_is_as_wide_as_the_one_before() -> None:
    axis = percentiles(10_000, start=0, end=400)
    assert [round(axis.at(p)) for p in (0, 90, 99, 99.9, 99.99)] == [0, 100, 200, 300, 400]


def test_an_axis_shows_no_nine_that_its_values_cannot_tell_of() -> None:
    assert [label for _, label in percentiles(250, start=0, end=400).ticks] == ["0", "50", "90", "99"]


@given(st.floats(-3600, 0), st.floats(0, 90_000))
def test_time_has_round_marks_within_the_run(first: float, last: float) -> None:
    marks = [value for value, _ in clock(first, last, start=0, end=400).ticks]
    assert len(marks) <= 8
    assert all(first <= mark <= max(last, first + 1) for mark in marks)


def test_the_opening_is_among_the_marks_of_a_run_with_a_lobby() -> None:
    assert 0 in [value for value, _ in clock(-17, 95, start=0, end=400).ticks]


def test_a_long_run_counts_in_minutes() -> None:
    assert [label for _, label in clock(0, 900, start=0, end=400).ticks] == ["0", "5", "10", "15"]


heights = st.lists(st.floats(0, 100), min_size=1, max_size=8)


@given(heights)
def test_labels_never_touch_and_stay_in_the_chart(wanted: list[float]) -> None:
    placed = sorted(dodge(wanted, gap=12, low=0, high=100))
    gap = min(12, 100 / max(1, len(wanted) - 1))
    assert all(b - a >= gap - 1e-6 for a, b in pairwise(placed))
    assert placed[0] >= -1e-6
    assert placed[-1] <= 100 + 1e-6


@given(heights)
def test_labels_keep_the_order_of_their_lines(wanted: list[float]) -> None:
    placed = dodge(wanted, gap=12, low=0, high=100)
    order = sorted(range(len(wanted)), key=lambda n: (wanted[n], n))
    assert [placed[n] for n in order] == sorted(placed)


def test_labels_with_room_stay_where_they_want_to_be() -> None:
    assert dodge([80, 20, 50], gap=12, low=0, high=100) == [80, 20, 50]


@pytest.mark.parametrize(
    ("value", "words"), [(0, "0"), (0.5, "0.5"), (999, "999"), (1500, "1.5k"), (2e6, "2M"), (-20, "−20"), (3e9, "3G")]
)
def test_axes_shorten_large_numbers(value: float, words: str) -> None:
    assert short(value) == words


def test_a_value_below_a_logarithmic_axis_stands_at_its_end() -> None:
    axis = logarithmic(1, 10, start=200, end=10)
    assert math.isclose(axis.at(0.0001), 200)
