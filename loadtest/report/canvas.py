"""What every chart is made of: a drawing area, two axes with their grid, paths with gaps, labels beside their lines.

Colours are classes of the style sheet (`s-1`, `s-good` ...), so that a chart follows light, dark and paper. A chart
says in words, too, what it shows: `desc` is what somebody hears who does not see it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadtest.report.figures import figure, known, mean
from loadtest.report.markup import Content, Html, Term, element, join
from loadtest.report.model import Series
from loadtest.report.scales import Axis, dodge

LABEL_GAP = 12.5
"""Between the baselines of two labels."""


@dataclass(frozen=True, slots=True)
class Size:
    """Of a drawing, in its own units (about CSS pixels), with the margins around the plot."""

    width: float = 400
    height: float = 190
    left: float = 42
    right: float = 50
    top: float = 10
    bottom: float = 22

    @property
    def x0(self) -> float:
        return self.left

    @property
    def x1(self) -> float:
        return self.width - self.right

    @property
    def y0(self) -> float:
        """The bottom of the plot."""
        return self.height - self.bottom

    @property
    def y1(self) -> float:
        return self.top


SMALL = Size()
PLAIN = Size(right=14)
"""No names beside its lines."""
WIDE = Size(width=1000, height=300, right=110)
TALL = Size(width=400, height=250, right=64)
"""The wide ones, on a phone."""
COMPACT = Size(width=272, height=116, left=36, right=14, bottom=22)


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a line ends, and what it is called there."""

    x: float
    y: float
    words: str | Term
    look: str


def drawing(size: Size, title: Content, desc: Content, *content: Content) -> Html:
    """The SVG with its title and its text alternative."""
    return element(
        "svg",
        element("title", title),
        element("desc", desc),
        *content,
        viewBox=f"0 0 {size.width:g} {size.height:g}",
        role="img",
        style=f"max-width:{size.width * 1.18:g}px",
    )


def both(wide: Html, narrow: Html) -> Html:
    """One chart drawn twice; the style sheet shows the one that fits."""
    return Html(element("div", wide, class_="wide") + element("div", narrow, class_="narrow", aria_hidden="true"))


def frame(size: Size, across: Axis, up: Axis, *, unit: str | Term = "") -> Html:
    """The grid and the numbers of both axes; `unit` stands behind the last number of the axis across."""
    parts: list[Html] = []
    for value, label in up.ticks:
        y = up.at(value)
        parts.append(element("line", x1=size.x0, x2=size.x1, y1=num(y), y2=num(y), class_="grid"))
        parts.append(element("text", label, x=size.x0 - 6, y=num(y + 3.5), class_="tick end"))
    last = across.ticks[-1][0] if across.ticks else None
    for value, label in across.ticks:
        x = across.at(value)
        parts.append(element("line", x1=num(x), x2=num(x), y1=size.y0, y2=size.y0 + 3, class_="axis"))
        content: Content = [label, " ", unit] if value == last and unit else label
        parts.append(element("text", content, x=num(x), y=size.y0 + 15, class_="tick mid"))
    parts.append(element("line", x1=size.x0, x2=size.x1, y1=size.y0, y2=size.y0, class_="axis"))
    return Html("".join(parts))


def opening(size: Size, across: Axis, first_s: float) -> Html:
    """The moment when the doors open, where the run has a time before it."""
    if first_s >= 0:
        return Html("")
    x = num(across.at(0))
    return element("line", x1=x, x2=x, y1=size.y1, y2=size.y0, class_="opening")


def limit(size: Size, up: Axis, value: float, label: str | Term) -> Html:
    """A line that a curve should stay below."""
    y = up.at(value)
    if y < size.y1 - 0.5:
        return Html("")
    return Html(
        element("line", x1=size.x0, x2=size.x1, y1=num(y), y2=num(y), class_="limit")
        + element("text", label, x=size.x0 + 4, y=num(y - 4), class_="tick limit-words")
    )


def path(points: Iterable[tuple[float, float] | None], look: str) -> Html:
    """A line through the points; None lifts the pen. A point alone becomes a dot."""
    steps: list[str] = []
    run: list[str] = []

    def lift() -> None:
        if run:
            steps.append("M" + "L".join(run) if len(run) > 1 else f"M{run[0]}h.01")
            run.clear()

    for point in points:
        if point is None:
            lift()
        else:
            run.append(f"{num(point[0])} {num(point[1])}")
    lift()
    return element("path", d="".join(steps), class_=f"line {look}")


def dots(points: Iterable[tuple[float, float]], look: str) -> Html:
    """Points of a scatter, as one path of dots."""
    return element("path", d="".join(f"M{num(x)} {num(y)}h.01" for x, y in points), class_=f"dots {look}")


def labels(size: Size, ends: Sequence[Ending]) -> Html:
    """Names beside the ends of their lines, moved apart where they would touch."""
    places = dodge([end.y for end in ends], gap=LABEL_GAP, low=size.y1 + 4, high=size.y0 - 2)
    return Html(
        "".join(
            element("text", end.words, x=num(end.x + 5), y=num(y + 3.5), class_=f"name {end.look}")
            for y, end in zip(places, ends, strict=True)
        )
    )


def told(t_s: Sequence[float], name: str, values: Series) -> str:
    """A curve in words."""
    there = known(values)
    if not there:
        return f"{name}: nothing measured."
    highest = max(there)
    when = next(t for t, value in zip(t_s, values, strict=False) if value == highest)
    return (
        f"{name}: highest {figure(highest)} at second {when:g}, lowest {figure(min(there))}, "
        f"mean {figure(mean(values))}, last {figure(there[-1])}."
    )


def panel(title: Content, note: Content, chart: Content, *, class_: str = "") -> Html:
    """A chart under its name; the note beside it says the figures that matter."""
    return element(
        "figure",
        element("figcaption", element("b", title), " ", element("small", note)),
        chart,
        class_=f"panel {class_}".strip(),
    )


def nothing(words: Term) -> Html:
    """In the place of a chart that has nothing to show."""
    return element("p", words, class_="nothing")


def group(*content: Content, class_: str) -> Html:
    return element("div", join(content), class_=class_)


def num(value: float) -> str:
    """A coordinate, to a tenth."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text
