"""Charts draw what there is, where it is, and nothing where there is nothing."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from loadtest.report import charts
from loadtest.report.canvas import SMALL
from loadtest.report.charts import Bound, Distribution
from loadtest.report.curves import Curve, drawn
from loadtest.report.markup import Html, Term
from tests.loadtest.report.documents import Document

TITLE = Term("Orders", "订单")
T = [float(n) for n in range(10)]


def lines(chart: Html, look: str) -> list[str]:
    """The paths of a look."""
    return re.findall(rf'<path d="([^"]*)" class="line {look}"', chart)


def heights(path: str) -> list[float]:
    return [float(y) for _, y in re.findall(r"([-\d.]+) ([-\d.]+)", path)]


def test_a_missing_sample_lifts_the_pen() -> None:
    values = [1, 2, 3, None, None, 4, 5, 6, 7, 8]
    assert lines(charts.over_time(TITLE, T, [Curve(values, "s-1")]), "s-1")[0].count("M") == 2


def test_a_watched_series_is_not_broken_by_a_second_that_was_missed() -> None:
    values = [1, 2, None, 3, 4, None, None, 6, 7, 8]
    chart = charts.over_time(TITLE, T, [Curve(values, "s-1", bridge=2)])
    assert lines(chart, "s-1")[0].count("M") == 1


def test_a_sample_without_neighbours_is_a_dot() -> None:
    values = [None, None, 5, None, None, None, None, None, None, None]
    assert "h.01" in lines(charts.over_time(TITLE, T, [Curve(values, "s-1")]), "s-1")[0]


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e6)), min_size=10, max_size=10).filter(any))
def test_every_curve_stays_within_its_chart(values: list[float | None]) -> None:
    (path,) = lines(charts.over_time(TITLE, T, [Curve(values, "s-1")]), "s-1")
    assert all(SMALL.y1 - 0.1 <= y <= SMALL.y0 + 0.1 for y in heights(path))


@given(st.lists(st.floats(0.001, 1e5), min_size=10, max_size=10))
def test_every_latency_stays_within_its_chart(values: list[float]) -> None:
    (path,) = lines(charts.latency_over_time(TITLE, T, [Curve(values, "s-1")]), "s-1")
    assert all(SMALL.y1 - 0.1 <= y <= SMALL.y0 + 0.1 for y in heights(path))


LONG = [float(n) for n in range(20_000)]
PEAK = [900.0 if n == 12_345 else 1.0 for n in range(20_000)]


def test_a_long_run_is_drawn_in_stretches() -> None:
    (line,) = lines(drawn(LONG, Curve(PEAK, "s-1"), lambda t: t / 50, lambda value: -value).markup, "s-1")
    assert 100 < line.count("L") < 200


def test_the_band_of_a_long_run_reaches_its_highest_peak() -> None:
    chart = drawn(LONG, Curve(PEAK, "s-1"), lambda t: t / 50, lambda value: -value).markup
    (band,) = re.findall(r'<path d="([^"]*)" class="band', chart)
    assert min(heights(band)) == -900


def test_the_peaks_of_a_long_run_are_its_line_where_peaks_are_wanted() -> None:
    chart = drawn(LONG, Curve(PEAK, "s-1", stretched="peaks"), lambda t: t / 50, lambda value: -value).markup
    assert min(heights(lines(chart, "s-1")[0])) == -900


def test_a_long_silence_breaks_line_and_band() -> None:
    values = [None if 8000 < t < 12_000 else 5.0 for t in LONG]
    chart = drawn(LONG, Curve(values, "s-1"), lambda t: t / 50, lambda value: -value).markup
    assert [path.count("M") for path in re.findall(r'd="([^"]*)"', chart)] == [2, 2]


def test_an_offer_far_above_goodput_does_not_flatten_it() -> None:
    chart = charts.over_time(TITLE, T, [Curve([10.0] * 10, "s-1")], background=Curve([5000.0] * 10, "offered"))
    assert heights(lines(chart, "s-1")[0])[0] < (SMALL.y0 + SMALL.y1) / 1.2
    assert heights(lines(chart, "offered")[0])[0] == SMALL.y1


def test_a_bound_is_within_the_chart_even_when_everything_is_far_below() -> None:
    chart = charts.latency_over_time(TITLE, T, [Curve([2.0] * 10, "s-1")], bound=Bound(800, "p99 ≤ 800"))
    assert "p99 ≤ 800" in Document(chart).text


@given(st.lists(st.tuples(*(st.floats(0, 1e4),) * 3), min_size=10, max_size=10))
def test_layers_lie_upon_each_other(columns: list[tuple[float, float, float]]) -> None:
    layers = [Curve([column[n] for column in columns], f"s-{n + 1}") for n in range(3)]
    chart = charts.stacked(TITLE, T, layers, size=SMALL)
    areas = re.findall(r'<path d="([^"]*)Z" class="area', chart)
    uppers = [heights(area)[:10] for area in areas]
    lowers = [heights(area)[10:][::-1] for area in areas]
    assert lowers[1:] == uppers[:-1]


def test_a_curve_ends_at_the_share_of_one_of_its_values() -> None:
    few = Distribution("few", "s-1", [(0, 1), (50, 2), (90, 4), (99, 8), (99.9, 9), (100, 9)], 100)
    many = Distribution("many", "s-2", [(0, 1), (50, 2), (90, 4), (99, 8), (99.9, 9), (100, 9)], 100_000)
    chart = charts.by_percentile(TITLE, [few, many], size=SMALL)
    ends = [float(re.findall(r"([-\d.]+) [-\d.]+", lines(chart, look)[0])[-1]) for look in ("s-1", "s-2")]
    assert ends[0] < ends[1] == SMALL.x1


def test_the_diagonal_of_a_saturation_curve_rises_from_the_corner() -> None:
    chart = charts.saturation(TITLE, [(10, 10), (100, 60)])
    (diagonal,) = lines(chart, "diagonal")
    assert diagonal.startswith(f"M42 {SMALL.y0:g}")


def test_the_words_of_a_chart_tell_its_highest_value_and_when() -> None:
    chart = charts.over_time(TITLE, T, [Curve([1, 2, 9, 4, 5, 6, 7, 8, 3, 2], "s-1")])
    assert "highest 9 at second 2" in Document(chart).text


def test_a_ratio_beyond_the_strip_stays_on_it() -> None:
    chart = charts.spark("p99", (0.001, 0.01, 30), low=0.5, high=2)
    assert all(0 <= float(x) <= 150 for x in re.findall(r'(?:x1|x2|cx)="([-\d.]+)"', chart))
