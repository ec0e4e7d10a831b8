"""What the people got: goodput by kind against what was offered, never a sum over kinds."""

from __future__ import annotations

from loadtest.report import charts
from loadtest.report.canvas import PLAIN, group, nothing, panel
from loadtest.report.curves import Curve
from loadtest.report.figures import figure, known
from loadtest.report.markup import Content, Html, Term, element
from loadtest.report.model import KindResult, Report, Series
from loadtest.report.sections.common import Section, silence, table
from loadtest.report.words import KIND_MEANINGS, in_order, kind


def goodput(report: Report) -> Section:
    panels: list[Html] = []
    timeline = report.timeline
    if len(known(timeline.arrivals)) and timeline.t_s:
        words = Term("People who were to come", "应到场人数")
        chart = charts.over_time(words, timeline.t_s, [Curve(timeline.arrivals, "s-7")], size=PLAIN)
        panels.append(
            panel(words, Term(f"{report.arrived.intended:,} in all", f"共 {report.arrived.intended:,}"), chart)
        )
    silent: list[str] = []
    for name in in_order(timeline.goodput):
        values = timeline.goodput[name]
        if not any(known(values)):
            silent.append(name)
            continue
        panels.append(_goodput_panel(name, values, timeline.offered.get(name), report))
    content = [group(*panels, class_="panels")] if panels else []
    if silent or not panels:
        content.append(nothing(silence(silent)))
    lead = [
        element("i", class_="swatch s-1"),
        Term(
            " answers of this kind per second, each on its own axis. ",
            " 每秒此类成功应答，各用各的纵轴。",
        ),
        element("i", class_="swatch offered"),
        Term(
            " what was offered: every attempt, whatever became of it. Seconds count from the opening.",
            " 施加的负载：所有尝试，无论结果。秒数从开售算起。",
        ),
    ]
    return Section("goodput", Term("Goodput by kind", "各类有效吞吐"), [kinds(report), *content], lead)


def kinds(report: Report) -> Html:
    """Every kind in one row."""
    head = (
        Term("kind", "类别"),
        Term("count", "数量"),
        Term("mean /s", "平均/秒"),
        Term("best /s", "峰值/秒"),
        Term("outages", "故障"),
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "p99.9 ms",
        Term("slowest ms", "最慢 ms"),
    )
    rows: list[list[Content]] = []
    for name in in_order(report.kinds):
        result = report.kinds[name]
        meaning = KIND_MEANINGS.get(name)
        title = [element("b", kind(name)), element("small", meaning) if meaning else None]
        rows.append([title, *map(figure, _row(result))])
    return table(head, rows, class_="kinds")


def saturation(report: Report) -> Section:
    panels = []
    silent = []
    for name in in_order(report.saturation):
        points = list(report.saturation[name])
        if not points or not max(offered for offered, _ in points):
            silent.append(name)
            continue
        best = max(points, key=lambda point: point[1])
        note = Term(
            f"best {figure(best[1])} at {figure(best[0])} offered", f"负载 {figure(best[0])} 时峰值 {figure(best[1])}"
        )
        panels.append(panel(kind(name), note, charts.saturation(kind(name), points)))
    content = [group(*panels, class_="panels")] if panels else []
    if silent or not panels:
        content.append(nothing(silence(silent)))
    return Section(
        "saturation",
        Term("Saturation", "饱和曲线"),
        content,
        Term(
            "Offered per second across, goodput per second up; one dot for a second or a step. On the diagonal "
            "everything that was offered was served. A healthy server stays flat to the right of its best.",
            "横轴为每秒负载，纵轴为每秒有效吞吐，每点为一秒或一个台阶。落在对角线上表示有求必应；健康的服务在峰值右侧保持平稳。",
        ),
    )


def _goodput_panel(name: str, values: Series, offered: Series | None, report: Report) -> Html:
    result = report.kinds.get(name)
    note = Term("per second", "每秒")
    best, most = max(known(values)), max(known(offered or []), default=0.0)
    if result is not None:
        note = Term(
            f"best {figure(result.per_s_best)}, mean {figure(result.per_s_mean)} per second",
            f"峰值 {figure(result.per_s_best)}/秒，平均 {figure(result.per_s_mean)}/秒",
        )
    if most > best * charts.OFFERED_ROOM:
        note = Term(f"{note.en}; up to {figure(most)} offered", f"{note.zh}；负载最高 {figure(most)}/秒")
    background = Curve(offered, "offered") if offered is not None else None
    curves = [Curve(values, "s-1")]
    chart = charts.over_time(kind(name), report.timeline.t_s, curves, size=PLAIN, background=background)
    return panel(kind(name), note, chart)


def _row(result: KindResult) -> tuple[float | None, ...]:
    return (
        result.count,
        result.per_s_mean,
        result.per_s_best,
        result.outage_count,
        result.p50_ms,
        result.p90_ms,
        result.p99_ms,
        result.p999_ms,
        result.max_ms,
    )
