"""Series as lines. A short run is drawn sample by sample. A long one has several samples to each unit of width, and a
line through all of them would be a blot: there the line goes through the medians of short stretches, and a pale band
behind it reaches from the lowest to the highest sample of each, so that no peak is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from loadtest.report.canvas import Ending, num, path
from loadtest.report.figures import median
from loadtest.report.markup import Html, Term, element
from loadtest.report.model import Series
from loadtest.report.scales import Scale

DENSE = 0.8
"""More samples than this to a unit of width are drawn as stretches."""
STRETCH = 3.0
"""Units of width."""
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Curve:
    """One line: its values, its class in the style sheet, and what stands at its end."""

    values: Series
    look: str
    label: str | Term | None = None
    bridge: int = 0
    """So many samples may be missing in a row before the line is broken: watchers miss a second now and then. For what
    is counted, None is news and nothing is bridged."""
    stretched: Literal["band", "middle", "peaks"] = "band"
    """Of a stretch: its median with a band, its median alone, or its highest sample."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A curve in a chart, and the name at its end where it has both."""

    markup: Html
    ending: Ending | None


def drawn(t_s: Sequence[float], curve: Curve, across: Scale, up: Scale) -> Drawn:
    """The line of a curve, with its band where it needs one."""
    points, band = placed(t_s, curve, across, up), Html("")
    there = [point for point in points if point is not None]
    if there and len(there) > DENSE * max(1.0, there[-1][0] - there[0][0]):
        stretches = list(_stretches(there))
        if curve.stretched == "band":
            band = _band(stretches, curve.look)
        middle = min if curve.stretched == "peaks" else median
        points = _joined(stretches, [middle([y for _, y in one]) for one in stretches])
    ending = None
    last = next((point for point in reversed(points) if point is not None), None)
    if last is not None and curve.label is not None:
        ending = Ending(last[0], last[1], curve.label, curve.look)
    return Drawn(Html(band + path(points, curve.look)), ending)


def placed(t_s: Sequence[float], curve: Curve, across: Scale, up: Scale) -> list[Point | None]:
    """Samples as points; None where the pen is lifted."""
    points: list[Point | None] = []
    missing = 0
    for t, value in zip(t_s, curve.values, strict=False):
        if value is None:
            missing += 1
            continue
        if missing > curve.bridge:
            points.append(None)
        missing = 0
        points.append((across(t), up(value)))
    return points


def _stretches(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Neighbours within a stretch of width; every stretch has one point at least."""
    current: list[Point] = []
    number = 0
    for point in points:
        at = int((point[0] - points[0][0]) / STRETCH)
        if current and at != number:
            yield current
            current = []
        number = at
        current.append(point)
    yield current


def _joined(stretches: Sequence[Sequence[Point]], heights: Sequence[float]) -> list[Point | None]:
    """One point for each stretch, the pen lifted over stretches without samples."""
    points: list[Point | None] = []
    before = None
    for one, height in zip(stretches, heights, strict=True):
        x = (one[0][0] + one[-1][0]) / 2
        if before is not None and x - before > 2.5 * STRETCH:
            points.append(None)
        points.append((x, height))
        before = x
    return points


def _band(stretches: Sequence[Sequence[Point]], look: str) -> Html:
    tops = _joined(stretches, [min(y for _, y in one) for one in stretches])
    bottoms = _joined(stretches, [max(y for _, y in one) for one in stretches])
    outlines: list[str] = []
    start = 0
    for end in [n for n, point in enumerate(tops) if point is None] + [len(tops)]:
        around = [point for point in [*tops[start:end], *bottoms[start:end][::-1]] if point is not None]
        outlines.append("M" + "L".join(f"{num(x)} {num(y)}" for x, y in around) + "Z")
        start = end + 1
    return element("path", d="".join(outlines), class_=f"band {look}")
