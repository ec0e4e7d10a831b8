"""The page of a comparison: one HTML file like that of a run, with every ratio, its spread, and both sides' curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from loadtest.report import charts
from loadtest.report.alike import Difference
from loadtest.report.canvas import Size, group, panel
from loadtest.report.charts import Distribution
from loadtest.report.comparing import Meaning, Promise, Row
from loadtest.report.curves import Curve
from loadtest.report.figures import NOTHING, figure, known, median, moment
from loadtest.report.markup import Content, Html, Term, element
from loadtest.report.model import Report
from loadtest.report.page import document
from loadtest.report.sections.common import Section, bullets, pairs, table
from loadtest.report.words import in_order, kind

STRIP = (0.5, 2.0)
"""The ratios that the strip beside a row reaches."""
_LOOKS = {Meaning.BETTER: "better yes", Meaning.WORSE: "worse no"}
_NAMED = Size(right=30)

ONE_RUN = Term(
    "Spread unknown: one run on each side has no spread. Compare several of each to know what a ratio means.",
    "波动未知：两侧各只有一次运行，无法得知波动。请每侧比较多次运行，才能判断比值的意义。",
)


def page(
    a_words: str,
    a: Sequence[Report],
    b_words: str,
    b: Sequence[Report],
    found: Sequence[Difference],
    rows: Sequence[Row],
    promised: Sequence[Promise],
) -> str:
    """The whole document."""
    title = f"{a[0].story.get('title', '')}: B / A"
    header: list[Content] = [
        element("p", f"Floodgate · {a[0].story.get('name', '')}", class_="kicker"),
        element("h1", Term("Two sides of one story", "同一剧本的两侧对比"), element("small", title)),
        pairs([("A", _side(a_words, a)), ("B", _side(b_words, b))]),
        _summary(rows),
    ]
    if any(row.meaning is Meaning.SPREAD_UNKNOWN for row in rows):
        header.append(element("p", ONE_RUN))
    if found:
        header.append(element("h3", Term("Beside what was to be compared", "除比较对象外")))
        header.append(bullets([["⚠ ", one.words] for one in found], class_="warning bare"))
    return document(
        f"{a[0].story.get('name', '')}: A and B · Floodgate",
        header,
        [
            _promises(promised),
            *(_figures(n, title, list(some)) for n, (title, some) in enumerate(groupby(rows, lambda row: row.group))),
            _distributions(a, b),
            _goodput(a, b),
        ],
    )


def _summary(rows: Sequence[Row]) -> Html:
    """How many figures became what."""
    told = []
    for meaning in (Meaning.BETTER, Meaning.WORSE, Meaning.WITHIN_THE_SPREAD, Meaning.SPREAD_UNKNOWN):
        count = sum(row.meaning is meaning for row in rows)
        if count:
            look = {Meaning.BETTER: "yes", Meaning.WORSE: "no"}.get(meaning)
            told.append(
                element(
                    "div", element("small", meaning.value), element("strong", str(count), class_=look), class_="tile"
                )
            )
    return element("div", *told, class_="tiles")


def _side(words: str, runs: Sequence[Report]) -> Content:
    counted = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    return [words, element("br"), f"{counted}, ", ", ".join(moment(run.started_at) for run in runs)]


def _promises(promised: Sequence[Promise]) -> Section:
    def held(holds: int, runs: int) -> Html:
        return element("span", f"{holds} / {runs}", class_="yes" if holds == runs else "no")

    rows = [[one.words, held(one.a_holds, one.a_runs), held(one.b_holds, one.b_runs)] for one in promised]
    title = Term("What holds, in how many runs", "各项达标的运行次数")
    return Section("promises", title, [table((Term("promise", "目标"), "A", "B"), rows)])


def _figures(number: int, title: Term, rows: Sequence[Row]) -> Section:
    lines: list[list[Content]] = []
    for row in rows:
        several = len(row.a) > 1 or len(row.b) > 1
        limits = row.spread if several else None
        strip: Content = ""
        if row.ratio and row.spread is not None and row.spread[0] > 0:
            points = (row.spread[0], row.ratio, row.spread[1])
            strip = charts.spark(f"{row.name.en}, B / A", points, low=STRIP[0], high=STRIP[1])
        look = _LOOKS.get(row.meaning, "")
        lines.append(
            [
                row.name,
                _median(row.a, row.unit),
                _median(row.b, row.unit),
                element("b", NOTHING if row.ratio is None else f"{row.ratio:.2f}"),
                f"{limits[0]:.2f} – {limits[1]:.2f}" if limits else "",
                element("span", strip, class_=look.split(" ", maxsplit=1)[0] or None),
                element("span", row.meaning.value, class_=look or "nothing"),
            ]
        )
    head: list[Content] = [
        "",
        "A",
        "B",
        "B / A",
        Term("spread", "波动"),
        f"{STRIP[0]:g} … 1 … {STRIP[1]:g}",
        Term("means", "含义"),
    ]
    return Section(f"figures-{number}", title, [table(head, lines, class_="ratios")])


def _median(values: Sequence[float], unit: str) -> str:
    return f"{figure(median(values))} {unit}".strip() if values else NOTHING


def _distributions(a: Sequence[Report], b: Sequence[Report]) -> Section:
    panels = []
    for name in in_order({name for run in [*a, *b] for name in run.kinds}):
        curves: list[Distribution] = []
        for letter, look, side in (("A", "s-7", a), ("B", "s-2", b)):
            there = [run.kinds[name] for run in side if name in run.kinds and run.kinds[name].distribution]
            for n, result in enumerate(there):
                label = letter if n == 0 else ""
                curves.append(Distribution(label, f"{look} weak", result.distribution, result.count))
        if curves:
            chart = charts.by_percentile(kind(name), curves, size=_NAMED)
            panels.append(panel(kind(name), Term("milliseconds by percentile", "毫秒，按百分位"), chart))
    lead = Term("One line for each run: A grey, B orange.", "每次运行一条线：A 灰色，B 橙色。")
    return Section("distribution", Term("Latency by percentile", "时延分布"), [group(*panels, class_="panels")], lead)


def _goodput(a: Sequence[Report], b: Sequence[Report]) -> Section:
    panels = []
    for name in in_order({name for run in [*a, *b] for name in run.timeline.goodput}):
        first = min(run.timeline.t_s[0] for run in [*a, *b] if run.timeline.t_s)
        last = max(run.timeline.t_s[-1] for run in [*a, *b] if run.timeline.t_s)
        seconds = [first + n for n in range(int(last - first) + 1)]
        curves = []
        for letter, look, side in (("A", "s-7", a), ("B", "s-2", b)):
            for n, run in enumerate(side):
                at = _by_second(run, name)
                values = [at(second) for second in seconds]
                if known(values):
                    curves.append(Curve(values, f"{look} weak", letter if n == 0 else None))
        if curves:
            chart = charts.over_time(kind(name), seconds, curves, size=_NAMED)
            panels.append(panel(kind(name), Term("per second", "每秒"), chart))
    lead = Term("Seconds from the opening, one line for each run.", "以开售为零点的秒数，每次运行一条线。")
    return Section("goodput", Term("Goodput over time", "有效吞吐随时间变化"), [group(*panels, class_="panels")], lead)


def _by_second(run: Report, name: str) -> Callable[[float], float | None]:
    values = dict(zip(run.timeline.t_s, run.timeline.goodput.get(name, []), strict=False))
    return values.get
