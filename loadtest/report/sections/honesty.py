"""May the numbers be believed: the generator's share of a core, the arrivals that it missed, who else was at work."""

from __future__ import annotations

from loadtest.report.figures import LOAD_BEFORE_SHARE, figure, share
from loadtest.report.markup import Content, Term, element
from loadtest.report.model import Report
from loadtest.report.sections.common import Section, bar, bullets, mark, table

CPU_CAREFUL = 0.8
"""Above this share of a core a generator may be what the latencies show."""


def honesty(report: Report) -> Section:
    """Whether the generator could do what it was asked to."""
    generator, arrived = report.generator, report.arrived
    busy, machine = generator.cpu_share_p95, report.machine
    quiet = machine.load_before <= LOAD_BEFORE_SHARE * machine.cores
    content = []
    if generator.was_the_limit:
        warning = Term(
            "The generator may be what was measured: latencies and rates may say more about it than about Floodgate.",
            "测到的可能是压测端本身：以下时延与吞吐未必反映 Floodgate。",
        )
        content.append(element("p", element("b", "⚠ ", warning), class_="warning"))
    rows: list[list[Content]] = [
        [
            Term("busiest process, share of one core at p95", "最忙进程，单核占用 p95"),
            mark(busy <= CPU_CAREFUL),
            Term(f"≤ {share(CPU_CAREFUL)}", f"≤ {share(CPU_CAREFUL)}"),
            share(busy),
            bar(busy, class_="over" if busy > CPU_CAREFUL else ""),
        ],
        [
            Term("arrivals that it missed", "错过的到场"),
            mark(arrived.holds),
            f"≤ {share(arrived.allowed)}",
            Term(
                f"{share(arrived.share)} ({arrived.missed:,} of {arrived.intended:,})",
                f"{share(arrived.share)}（{arrived.missed:,} / {arrived.intended:,}）",
            ),
            bar(arrived.share / arrived.allowed if arrived.allowed else 0, class_="" if arrived.holds else "over"),
        ],
        [
            Term("load average before the run", "运行前的系统负载"),
            mark(quiet, Term("quiet", "空闲"), Term("others were at work", "另有负载")),
            f"≤ {figure(LOAD_BEFORE_SHARE * machine.cores)}",
            figure(machine.load_before),
            bar(machine.load_before / machine.cores, class_="" if quiet else "over"),
        ],
    ]
    head = (Term("generator", "压测端"), Term("verdict", "结论"), Term("allowed", "允许"), Term("found", "实测"), "")
    content.append(table(head, rows, words=(0, 1), class_="slos honesty"))
    content.append(
        element(
            "p",
            Term(
                f"Generator: {generator.engine}, {generator.processes} processes. {generator.words}",
                f"压测端：{generator.engine}，{generator.processes} 个进程。{generator.words}",
            ),
        )
    )
    if report.notes:
        content.append(element("h3", Term("Worth knowing", "说明")))
        content.append(bullets(report.notes))
    return Section(
        "generator",
        Term("May the numbers be believed?", "数据可信吗？"),
        content,
        Term(
            "A generator that is too busy measures itself; arrivals that it misses are load that never was.",
            "压测端过忙时测到的是它自己；错过的到场等于没有施加的负载。",
        ),
    )
