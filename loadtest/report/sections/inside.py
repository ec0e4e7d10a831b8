"""What went on inside: stock, line, processors, memory, connections, and what an order cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loadtest.report import charts
from loadtest.report.canvas import COMPACT, PLAIN, TALL, WIDE, Size, both, group, nothing, panel
from loadtest.report.charts import Bound
from loadtest.report.curves import Curve
from loadtest.report.figures import at_share, figure, known, mean, share
from loadtest.report.markup import Content, Html, Term, element
from loadtest.report.model import Report, Series
from loadtest.report.scales import ceiling
from loadtest.report.sections.common import Section, bar, silence, table
from loadtest.report.sections.honesty import CPU_CAREFUL
from loadtest.report.words import LINE, PROCESSES, STOCK, named

_LAYERS = (("sold", "s-good"), ("held", "s-wait"), ("free", "s-rest"))
_BRIDGE = 3
"""Seconds that a watcher may miss."""
_APART = ("simulator", "generator")
"""What belongs to the lab and not to the engine, by the beginning of its name."""


def stock(report: Report) -> Section:
    timeline, title = report.timeline, Term("Stock", "库存")
    layers = [
        Curve(timeline.stock[name], look, named(name, STOCK))
        for name, look in _LAYERS
        if known(timeline.stock.get(name, []))
    ]
    layers += [
        Curve(values, "s-7", named(name, STOCK))
        for name, values in timeline.stock.items()
        if name not in dict(_LAYERS) and known(values)
    ]
    lead = Term(
        "Units of all tiers, stacked: what is sold, what is held by somebody who may still pay, what is free.",
        "所有票档合计，堆叠显示：已售、锁定待支付、可售。",
    )
    if not layers or not timeline.t_s:
        return Section("stock", title, [nothing(silence([]))], lead)

    def drawn(size: Size) -> Html:
        return charts.stacked(title, timeline.t_s, layers, size=size)

    note = [
        *(element("span", element("i", class_=f"block {layer.look}"), layer.label, class_="key") for layer in layers),
        _lasts(timeline.stock),
    ]
    wide = Size(width=WIDE.width, height=WIDE.height, right=PLAIN.right)
    narrow = Size(width=TALL.width, height=TALL.height, right=PLAIN.right)
    chart = both(drawn(wide), drawn(narrow))
    return Section("stock", title, [panel(Term("Units", "张数"), note, chart, class_="across")], lead)


def line(report: Report) -> Section:
    timeline, title = report.timeline, Term("The line", "排队")
    curves = [
        Curve(values, f"s-{n + 1}", named(name, LINE), bridge=_BRIDGE)
        for n, (name, values) in enumerate(timeline.line.items())
        if known(values)
    ]
    lead = Term(
        "People of all lanes: who waits, who has been called, who has used their pass to order.",
        "所有通道合计：等待、已叫号、已用资格下单的人数。",
    )
    if not curves or not timeline.t_s:
        return Section("line", title, [nothing(silence([]))], lead)

    def drawn(size: Size) -> Html:
        return charts.over_time(title, timeline.t_s, curves, size=size)

    chart = both(drawn(WIDE), drawn(TALL))
    return Section("line", title, [panel(Term("People", "人数"), _lasts(timeline.line), chart, class_="across")], lead)


def processors(report: Report) -> Section:
    timeline = report.timeline
    everything = [value for values in timeline.cpu.values() for value in known(values)]
    lead = Term(
        "Per cent of one core, second by second; all panels have the same axis. PostgreSQL is many processes and may "
        "pass 100. The dashed line is where a generator begins to measure itself.",
        "逐秒单核占用百分比，各图纵轴相同。PostgreSQL 为多进程，可超过 100。虚线以上压测端开始测到自己。",
    )
    title = Term("Processors", "处理器")
    if not everything or not timeline.t_s:
        return Section("cpu", title, [nothing(silence([]))], lead)
    top = ceiling(max(*everything, 1.0) * 100, most=2)
    panels = []
    for name in sorted(timeline.cpu, key=_ours_last):
        values = timeline.cpu[name]
        if not known(values):
            panels.append(panel(named(name, PROCESSES), "", nothing(silence([]))))
            continue
        generator = name.startswith("generator")
        note = Term(
            f"mean {share(mean(values))}, p95 {share(at_share(values, 0.95))}",
            f"平均 {share(mean(values))}，p95 {share(at_share(values, 0.95))}",
        )
        bound = Bound(CPU_CAREFUL * 100, "") if generator else None
        per_cent = [None if value is None else value * 100 for value in values]
        chart = charts.over_time(
            named(name, PROCESSES),
            timeline.t_s,
            [Curve(per_cent, "s-4" if generator else "s-1", bridge=_BRIDGE)],
            size=COMPACT,
            bound=bound,
            top=top,
            ticks=2,
        )
        panels.append(panel(named(name, PROCESSES), note, chart))
    return Section("cpu", title, [group(*panels, class_="panels compact")], lead)


def memory(report: Report) -> Section:
    timeline = report.timeline
    wanted: list[tuple[Content, Series]] = [(named(name, PROCESSES), v) for name, v in timeline.memory_mib.items()]
    wanted.append((Term("connections", "连接数"), timeline.connections))
    wanted.append((Term("Redis keys", "Redis 键数"), timeline.redis_keys))
    panels = []
    missing: list[Content] = []
    for name, values in wanted:
        there = known(values)
        if not there or not timeline.t_s:
            missing.append(name)
            continue
        note = Term(
            f"first {figure(there[0])}, last {figure(there[-1])}, most {figure(max(there))}",
            f"始 {figure(there[0])}，末 {figure(there[-1])}，最高 {figure(max(there))}",
        )
        words = name if isinstance(name, Term) else Term("", "")
        chart = charts.over_time(words, timeline.t_s, [Curve(values, "s-3", bridge=_BRIDGE)], size=COMPACT, ticks=2)
        panels.append(panel(name, note, chart))
    content = [group(*panels, class_="panels compact")] if panels else []
    if missing:
        names = [part for name in missing for part in (" ", name, ",")][:-1]
        content.append(element("p", Term("Not measured:", "未测："), *names, ".", class_="nothing"))
    return Section(
        "memory",
        Term("Memory, connections, keys", "内存、连接与键"),
        content,
        Term(
            "Resident memory in MiB, each process on its own axis from zero.", "常驻内存（MiB），各进程纵轴均从零开始。"
        ),
    )


def costs(report: Report) -> Section:
    title = Term("What an order costs", "每单成本")
    lead = Term(
        "Microseconds of processor time for each order held: all that a process did in the run, polls and refusals "
        "too, divided by the orders. The simulator and its signing stand in for WeChat: on a real installation they "
        "run there, not here.",
        "处理器时间除以锁票订单数（微秒），包含各进程在整场中的全部工作（查询、拒绝等）。模拟器及其签名代表微信侧，"
        "真实部署时不在本机。",
    )
    if not report.costs:
        return Section("costs", title, [nothing(silence([]))], lead)
    ours = {name: cost for name, cost in report.costs.items() if not name.startswith(_APART)}
    apart = {name: cost for name, cost in report.costs.items() if name.startswith(_APART)}
    longest = max(report.costs.values()) or 1.0
    rows = [_cost(name, cost, longest) for name, cost in ours.items()]
    if len(ours) > 1:
        total = sum(ours.values())
        rows.append(
            [element("b", Term("the engine with its stores", "引擎与存储合计")), element("b", figure(total)), ""]
        )
    rows += [_cost(name, cost, longest, class_="apart") for name, cost in sorted(apart.items(), key=_signing_behind)]
    head = (Term("where", "位置"), Term("µs per order", "微秒/单"), "")
    return Section("costs", title, [table(head, rows, class_="costs")], lead)


def _cost(name: str, cost: float, longest: float, *, class_: str = "") -> list[Content]:
    return [named(name, PROCESSES), figure(cost), bar(cost / longest, class_=class_)]


def _signing_behind(cost: tuple[str, float]) -> tuple[bool, str]:
    """The simulator directly before its signing, the generator last."""
    return cost[0].startswith("generator"), cost[0]


def _ours_last(name: str) -> tuple[bool, bool, str]:
    """Generators first, then the engine, then the simulator."""
    return not name.startswith("generator"), name.startswith("simulator"), name


def _lasts(several: Mapping[str, Sequence[float | None]]) -> Term:
    """How it stood at the end."""
    words = STOCK | LINE
    ends = [(named(name, words), known(values)[-1]) for name, values in several.items() if known(values)]
    return Term(
        "at the end: " + ", ".join(f"{figure(value)} {name.en}" for name, value in ends),
        "结束时：" + "，".join(f"{name.zh} {figure(value)}" for name, value in ends),
    )
