"""Offered against goodput, as points of a curve. Pure.

Where people come at a rate, what is offered is people: each of them came for one of everything. In a drop they wait in
a line first, and what is offered is what they ask for: good answers, refusals and outages together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.report.model import Series, Timeline

WINDOW_S = 5
"""A point of a run at a rate is the mean of so many seconds: a visit takes some of them."""
COMES_WITH_THE_CROWD = frozenset({"polls", "refusals"})
"""Nobody came for these; how many there are is not a matter of how many people come."""

Points = list[tuple[float, float]]


def by_second(timeline: Timeline) -> dict[str, Points]:
    """Kind to (asked for per second, goodput per second), one point a second, the least asked for first."""
    return {
        kind: sorted(_points(timeline.offered[kind], goodput))
        for kind, goodput in timeline.goodput.items()
        if kind in timeline.offered
    }


def by_people(timeline: Timeline, *, window_s: int = WINDOW_S) -> dict[str, Points]:
    """Kind to (people per second, goodput per second), one point for each window in which somebody came."""
    kinds = [kind for kind in timeline.goodput if kind not in COMES_WITH_THE_CROWD]
    arrivals = _means(timeline.arrivals, window_s)
    return {kind: sorted(_points(arrivals, _means(timeline.goodput[kind], window_s))) for kind in kinds}


def _points(offered: Series, goodput: Series) -> Iterator[tuple[float, float]]:
    for asked, got in zip(offered, goodput, strict=True):
        if asked and got is not None:
            yield round(asked, 2), round(got, 2)


def _means(series: Series, window_s: int) -> list[float | None]:
    """Of whole windows only: the rest at the end says nothing."""
    return [_mean(series[at : at + window_s]) for at in range(0, len(series) - window_s + 1, window_s)]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
