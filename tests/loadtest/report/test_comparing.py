"""Ratios, their spread, and when a difference means something."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loadtest.report.comparing import Better, Meaning, Row, promises, rows
from loadtest.report.figures import median
from loadtest.report.markup import Term
from tests.loadtest.report import samples

values = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=6)
several = st.lists(st.floats(0.001, 1e6), min_size=2, max_size=6)


def row(a: list[float], b: list[float], better: Better = Better.LOWER) -> Row:
    return Row(Term("g", "g"), Term("n", "n"), "ms", better, a, b)


@given(values, values)
def test_a_ratio_lies_within_its_spread(a: list[float], b: list[float]) -> None:
    one = row(a, b)
    assert one.ratio is not None
    assert one.spread is not None
    assert one.spread[0] * (1 - 1e-9) <= one.ratio <= one.spread[1] * (1 + 1e-9)


@given(values)
def test_a_side_compared_with_itself_is_one(a: list[float]) -> None:
    assert row(a, a).ratio == 1


@given(values)
def test_a_side_compared_with_itself_is_neither_better_nor_worse(a: list[float]) -> None:
    assert row(a, a).meaning in {Meaning.SAME, Meaning.WITHIN_THE_SPREAD}


@given(several, several)
def test_a_difference_means_something_only_outside_its_spread(a: list[float], b: list[float]) -> None:
    one = row(a, b)
    assert one.spread is not None
    straddles = one.spread[0] <= 1 <= one.spread[1]
    assert straddles == (one.meaning in {Meaning.WITHIN_THE_SPREAD, Meaning.SAME})


@given(several, several)
def test_what_is_better_one_way_is_worse_the_other(a: list[float], b: list[float]) -> None:
    opposite = {Meaning.BETTER: Meaning.WORSE, Meaning.WORSE: Meaning.BETTER}
    there = row(a, b).meaning
    assert row(b, a).meaning is opposite.get(there, there)


@given(several, several)
def test_what_is_better_when_low_is_worse_when_high(a: list[float], b: list[float]) -> None:
    opposite = {Meaning.BETTER: Meaning.WORSE, Meaning.WORSE: Meaning.BETTER}
    there = row(a, b).meaning
    assert row(a, b, Better.HIGHER).meaning is opposite.get(there, there)


@given(st.lists(st.floats(1, 9), min_size=2, max_size=6), st.lists(st.floats(10, 90), min_size=2, max_size=6))
def test_a_rise_beyond_the_spread_is_better_where_more_is_better(a: list[float], b: list[float]) -> None:
    assert row(a, b, Better.HIGHER).meaning is Meaning.BETTER


@given(st.floats(1, 9), st.floats(10, 90))
def test_one_run_on_each_side_has_no_spread(a: float, b: float) -> None:
    assert row([a], [b]).meaning is Meaning.SPREAD_UNKNOWN


def test_the_spread_of_one_side_serves_both() -> None:
    assert row([8, 12], [10]).meaning is Meaning.WITHIN_THE_SPREAD
    assert row([8, 12], [20]).meaning is Meaning.WORSE


def test_a_figure_without_good_or_bad_is_only_different() -> None:
    assert row([1, 2], [5, 6], Better.NEITHER).meaning is Meaning.DIFFERENT


def test_nothing_is_divided_by_zero() -> None:
    one = row([0, 0], [3, 4])
    assert (one.ratio, one.spread, one.meaning) == (None, None, Meaning.WORSE)


def test_zero_outages_on_both_sides_are_the_same() -> None:
    assert row([0, 0], [0, 0]).meaning is Meaning.SAME


def test_a_figure_that_one_side_lacks_has_no_ratio() -> None:
    assert (row([], [3]).ratio, row([], [3]).meaning) == (None, Meaning.MISSING)


@given(values)
def test_the_median_has_as_many_values_above_as_below(some: list[float]) -> None:
    middle = median(some)
    assert sum(value < middle for value in some) <= len(some) / 2
    assert sum(value > middle for value in some) <= len(some) / 2


def test_slower_runs_are_worse_in_every_latency() -> None:
    a = [samples.report(seed=n) for n in (1, 2)]
    b = [samples.report(seed=n, slower=3.0) for n in (3, 4)]
    found = {one.meaning for one in rows(a, b) if one.name.en == "p50"}
    assert found == {Meaning.WORSE}


def test_costs_keep_the_signing_apart() -> None:
    found = [one.name.en for one in rows([samples.report()], [samples.report()]) if one.group.en == "CPU per order"]
    assert "of that, signing" in found


def test_a_broken_promise_is_counted_by_side() -> None:
    fine, broken = samples.report(), samples.report(passed=False)
    words = broken.slos[0].words
    (found,) = [one for one in promises([fine, fine], [broken]) if one.words == words]
    assert (found.a_holds, found.a_runs, found.b_holds, found.b_runs) == (0, 0, 0, 1)
