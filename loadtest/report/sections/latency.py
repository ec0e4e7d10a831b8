"""How long it took: by second, and by percentile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from loadtest.report import charts
from loadtest.report.canvas import PLAIN, TALL, WIDE, Size, both, group, nothing, panel
from loadtest.report.charts import Bound, Distribution
from loadtest.report.curves import Curve
from loadtest.report.figures import figure, known, milliseconds
from loadtest.report.markup import Html, Term
from loadtest.report.model import KindResult, Report, Series
from loadtest.report.sections.common import Section, silence
from loadtest.report.sections.verdict import is_least
from loadtest.report.words import in_order, kind

PERCENTILE_OF = {"p50_ms": 50.0, "p90_ms": 90.0, "p99_ms": 99.0, "p999_ms": 99.9}
_STRENGTHS: Sequence[tuple[str, str, Literal["band", "middle", "peaks"]]] = (
    ("max", "faint", "peaks"),
    ("p99", "s-1 strong", "band"),
    ("p90", "s-1 middle", "middle"),
    ("p50", "s-1 weak", "middle"),
)


def latency(report: Report) -> Section:
    timeline = report.timeline
    panels, silent = [], []
    for name in in_order(timeline.latency_ms):
        measures = timeline.latency_ms[name]
        if not any(known(values) for values in measures.values()):
            silent.append(name)
            continue
        panels.append(_latency_panel(name, measures, report))
    content = [group(*panels, class_="panels")] if panels else []
    if silent or not panels:
        content.append(nothing(silence(silent)))
    return Section(
        "latency",
        Term("Latency over time", "时延随时间变化"),
        content,
        Term(
            "Milliseconds on a logarithmic axis, second by second: p50, p90, p99 and, faint, the slowest. A dashed "
            "line is what the profile promises for the p99 of the whole run. In a long run lines are medians of a few "
            "seconds, and a pale band reaches from the lowest to the highest.",
            "纵轴为毫秒（对数），逐秒给出 p50、p90、p99，浅色为最慢值。虚线是剧本对整场 p99 的承诺。"
            "长时间运行时，线为数秒的中位数，浅色带为最低到最高。",
        ),
    )


def distribution(report: Report) -> Section:
    there = {name: report.kinds[name] for name in in_order(report.kinds) if report.kinds[name].distribution}
    title = Term("Latency by percentile", "时延分布曲线")
    lead = Term(
        "Each further nine has the same width, so the tail is as easy to read as the middle. A short dashed line is a "
        "bound of the profile: its curve should pass below.",
        "每多一个 9 占同样宽度，长尾与中段一样易读。短虚线是剧本的上限，曲线应从其下方通过。",
    )
    if not there:
        return Section("distribution", title, [nothing(silence([]))], lead)
    curves = [
        Distribution(kind(name), f"s-{n % 7 + 1}", result.distribution, result.count)
        for n, (name, result) in enumerate(there.items())
    ]

    def drawn(size: Size) -> Html:
        return charts.by_percentile(title, curves, size=size)

    wide = Size(width=WIDE.width, height=340, right=116, left=WIDE.left)
    narrow = Size(width=TALL.width, height=320, right=84, left=TALL.left)
    panels = [_distribution_panel(name, result, report) for name, result in there.items()]
    everything = panel(
        Term("All kinds", "所有类别"),
        Term("milliseconds by percentile", "毫秒，按百分位"),
        both(drawn(wide), drawn(narrow)),
        class_="across",
    )
    return Section("distribution", title, [everything, group(*panels, class_="panels")], lead)


def _latency_panel(name: str, measures: Mapping[str, Series], report: Report) -> Html:
    curves = [
        Curve(measures[measure], look, measure, stretched=stretched)
        for measure, look, stretched in _STRENGTHS
        if known(measures.get(measure, []))
    ]
    promised = [slo for slo in report.slos if slo.kind == name and slo.measure == "p99_ms" and not is_least(slo)]
    bound = Bound(promised[0].bound, f"p99 ≤ {figure(promised[0].bound)}") if promised else None
    result = report.kinds.get(name)
    note = f"p99 {milliseconds(result.p99_ms)}" if result is not None else "ms"
    return panel(kind(name), note, charts.latency_over_time(kind(name), report.timeline.t_s, curves, bound=bound))


def _distribution_panel(name: str, result: KindResult, report: Report) -> Html:
    bounds = [
        (PERCENTILE_OF[slo.measure], slo.bound)
        for slo in report.slos
        if slo.kind == name and slo.measure in PERCENTILE_OF and not is_least(slo)
    ]
    chart = charts.by_percentile(
        kind(name), [Distribution("", "s-1", result.distribution, result.count)], size=PLAIN, bounds=bounds
    )
    words = f"p50 {milliseconds(result.p50_ms)}, p99 {milliseconds(result.p99_ms)}"
    return panel(kind(name), words, chart)
