"""The charts of the page: curves over time, stacked areas, latency by percentile, offered against goodput.

Each returns one drawing; whoever calls it puts words around it. A series with no sample is not drawn and the caller
says so: an empty chart would read as zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.report.canvas import (
    PLAIN,
    SMALL,
    Ending,
    Size,
    dots,
    drawing,
    frame,
    labels,
    limit,
    num,
    opening,
    path,
    told,
)
from loadtest.report.curves import Curve, drawn
from loadtest.report.figures import figure, known
from loadtest.report.markup import Html, Term, element
from loadtest.report.scales import Axis, clock, clock_unit, from_zero, linear, logarithmic, percentiles, short

OFFERED_ROOM = 2.5
"""An axis reaches at most so far beyond the best goodput; what was offered above it is told in words."""
LOWEST_MS = 0.1


@dataclass(frozen=True, slots=True)
class Bound:
    """A promise, as a line across the chart."""

    value: float
    words: str | Term


def over_time(
    title: Term,
    t_s: Sequence[float],
    curves: Sequence[Curve],
    *,
    size: Size = SMALL,
    background: Curve | None = None,
    bound: Bound | None = None,
    top: float | None = None,
    ticks: int = 4,
) -> Html:
    """Curves on an axis from zero. `background` is a thin line that may leave the chart at its top; `top` fixes the
    axis, so that neighbours can be compared."""
    highest = max((value for curve in curves for value in known(curve.values)), default=0.0)
    reach = highest
    if background is not None:
        reach = max(highest, min(max(known(background.values), default=0.0), highest * OFFERED_ROOM or math.inf))
    if bound is not None:
        reach = max(reach, bound.value)
    up = from_zero(top if top is not None else reach, start=size.y0, end=size.y1, most=ticks)
    across = clock(t_s[0], t_s[-1], start=size.x0, end=size.x1, most=max(2, int((size.x1 - size.x0) // 40)))
    content = [frame(size, across, up, unit=clock_unit(t_s)), opening(size, across, t_s[0])]
    if bound is not None:
        content.append(limit(size, up, bound.value, bound.words))
    if background is not None:
        held = [None if value is None else min(value, up.ticks[-1][0]) for value in background.values]
        content.append(drawn(t_s, Curve(held, background.look, stretched="middle"), across.at, up.at).markup)
    content.append(_lines(t_s, curves, across, up, size))
    return drawing(size, title, _words(title, t_s, [*curves, *([background] if background else [])]), *content)


def latency_over_time(
    title: Term, t_s: Sequence[float], curves: Sequence[Curve], *, size: Size = SMALL, bound: Bound | None = None
) -> Html:
    """Milliseconds on a logarithmic axis."""
    there = [max(value, LOWEST_MS) for curve in curves for value in known(curve.values)]
    if bound is not None:
        there.append(bound.value)
    up = logarithmic(min(there), max(there), start=size.y0, end=size.y1)
    across = clock(t_s[0], t_s[-1], start=size.x0, end=size.x1, most=max(2, int((size.x1 - size.x0) // 40)))
    content = [frame(size, across, up, unit=clock_unit(t_s)), opening(size, across, t_s[0])]
    if bound is not None:
        content.append(limit(size, up, bound.value, bound.words))
    content.append(_lines(t_s, curves, across, up, size))
    return drawing(size, title, _words(title, t_s, curves), *content)


def stacked(title: Term, t_s: Sequence[float], layers: Sequence[Curve], *, size: Size) -> Html:
    """Layers upon each other, the first at the bottom: parts of one whole. A moment for which a layer has no sample is
    left out."""
    columns = list(zip(*(layer.values for layer in layers), strict=False))
    moments = [(t, [v for v in column if v is not None]) for t, column in zip(t_s, columns, strict=False)]
    whole = [(t, column) for t, column in moments if len(column) == len(layers)]
    up = from_zero(max((sum(column) for _, column in whole), default=0.0), start=size.y0, end=size.y1)
    across = clock(t_s[0], t_s[-1], start=size.x0, end=size.x1, most=max(2, int((size.x1 - size.x0) // 50)))
    areas: list[Html] = []
    for n, layer in enumerate(layers):
        upper = [(across.at(t), up.at(sum(column[: n + 1]))) for t, column in whole]
        lower = [(across.at(t), up.at(sum(column[:n]))) for t, column in whole]
        outline = "L".join(f"{num(x)} {num(y)}" for x, y in _thinned(upper) + _thinned(lower)[::-1])
        areas.append(element("path", d=f"M{outline}Z", class_=f"area {layer.look}"))
    content = [*areas, frame(size, across, up, unit=clock_unit(t_s)), opening(size, across, t_s[0])]
    return drawing(size, title, _words(title, t_s, layers), *content)


@dataclass(frozen=True, slots=True)
class Distribution:
    """One latency curve: (percentile, ms) of so many values."""

    label: str | Term
    look: str
    points: Sequence[tuple[float, float]]
    count: int


def by_percentile(
    title: Term, curves: Sequence[Distribution], *, size: Size, bounds: Sequence[tuple[float, float]] = ()
) -> Html:
    """Latency on an axis that gives each further nine the same room. A curve ends at the share of one of its values:
    its slowest stands there. Bounds are promises, (percentile, ms)."""
    values = [max(ms, LOWEST_MS) for curve in curves for _, ms in curve.points] + [ms for _, ms in bounds]
    up = logarithmic(min(values), max(values), start=size.y0, end=size.y1)
    across = percentiles(max(curve.count for curve in curves), start=size.x0, end=size.x1)
    content = [frame(size, across, up, unit="%")]
    ends: list[Ending] = []
    for curve in curves:
        slowest_at = 100 * (1 - 1 / max(2, curve.count))
        told_of = [(percentile, ms) for percentile, ms in curve.points if percentile <= slowest_at]
        if curve.points and curve.points[-1][0] >= 100:
            told_of.append((slowest_at, curve.points[-1][1]))
        if told_of:
            content.append(path(((across.at(percentile), up.at(ms)) for percentile, ms in told_of), curve.look))
            ends.append(Ending(size.x1, up.at(told_of[-1][1]), curve.label, curve.look))
    for percentile, ms in bounds:
        x, y = across.at(percentile), up.at(ms)
        content.append(element("path", d=f"M{num(x - 14)} {num(y)}h28", class_="line limit"))
    desc = " ".join(_percentiles_told(curve) for curve in curves)
    return drawing(size, title, desc, *content, labels(size, [end for end in ends if end.words]))


def saturation(title: Term, points: Sequence[tuple[float, float]], *, size: Size = PLAIN) -> Html:
    """Offered per second across, goodput per second up, and the diagonal on which everything offered was served."""
    most_offered = max(offered for offered, _ in points)
    most_served = max(served for _, served in points)
    across = from_zero(most_offered, start=size.x0, end=size.x1)
    up = from_zero(most_served, start=size.y0, end=size.y1)
    corner = min(across.ticks[-1][0], up.ticks[-1][0])
    diagonal = path([(across.at(0), up.at(0)), (across.at(corner), up.at(corner))], "diagonal")
    content = [frame(size, across, up, unit="/s"), diagonal]
    content.append(dots(((across.at(offered), up.at(served)) for offered, served in points), "s-1"))
    best = max(points, key=lambda point: point[1])
    farthest = max(points)
    desc = (
        f"{len(points)} points. Best goodput {figure(best[1])}/s with {figure(best[0])}/s offered; "
        f"with the most offered, {figure(farthest[0])}/s, goodput was {figure(farthest[1])}/s."
    )
    return drawing(size, title, desc, *content)


def spark(title: str, points: Sequence[float], *, low: float, high: float) -> Html:
    """A ratio with its spread on a logarithmic strip around 1: `points` is (lowest, middle, highest)."""
    size = Size(width=150, height=18, left=4, right=4, top=0, bottom=0)
    place = linear(math.log(low), math.log(high), start=size.x0, end=size.x1)
    left, middle, right = (place(math.log(min(max(point, low), high))) for point in points)
    one, y = place(0), size.height / 2
    return drawing(
        size,
        title,
        f"from {short(points[0])} to {short(points[2])}",
        element("line", x1=num(one), x2=num(one), y1=0, y2=size.height, class_="axis"),
        element("line", x1=num(left), x2=num(right), y1=y, y2=y, class_="whisker"),
        element("circle", cx=num(middle), cy=y, r=3.5, class_="point"),
    )


def _lines(t_s: Sequence[float], curves: Sequence[Curve], across: Axis, up: Axis, size: Size) -> Html:
    """All curves, and their names above them."""
    lines = [drawn(t_s, curve, across.at, up.at) for curve in curves]
    names = labels(size, [line.ending for line in lines if line.ending is not None])
    return Html("".join(line.markup for line in lines) + names)


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """One point for each unit of width; areas move slowly."""
    kept: list[tuple[float, float]] = []
    for n, point in enumerate(points):
        if not kept or point[0] - kept[-1][0] >= 1 or n == len(points) - 1:
            kept.append(point)
    return kept


def _percentiles_told(curve: Distribution) -> str:
    """The percentiles worth saying aloud."""
    name = curve.label.plain if isinstance(curve.label, Term) else curve.label
    found = [next(((p, ms) for p, ms in curve.points if p >= wanted), None) for wanted in (50, 90, 99, 99.9)]
    said = ", ".join(f"p{point[0]:g} {figure(point[1])} ms" for point in found if point is not None)
    return f"{name}: {said}." if name else f"{said}."


def _words(title: Term, t_s: Sequence[float], curves: Sequence[Curve]) -> str:
    said = []
    for curve in curves:
        label = curve.label or title
        said.append(told(t_s, label.en if isinstance(label, Term) else label, curve.values))
    return " ".join(said)
