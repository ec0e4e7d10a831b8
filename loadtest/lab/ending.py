"""The end of a run in a terminal: every promise with what was found, the audit, the generator, where it is kept."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from loadtest.report.model import Audit, Report, SloResult
from loadtest.report.words import MEASURES, named

REASONS_MAX = 12
GOOD, BAD, DOUBTFUL = "green", "red", "yellow"
UNITS = {"error_share": "", "count": "", "per_s": "/s"}
"""Of a measure; everything else is a time in milliseconds."""


def show(console: Console, report: Report, folder: Path, *, has_verdict: bool) -> None:
    word, colour = ("PASS", GOOD) if report.passed else ("FAIL", BAD) if has_verdict else ("NO VERDICT", DOUBTFUL)
    parts: list[RenderableType] = [_promises(report), Text(), _facts(report, has_verdict=has_verdict)]
    console.print()
    console.print(
        Panel(
            Group(*parts),
            title=f"[bold]{report.story['title']}[/] · seed {report.seed} · {report.digest}",
            border_style=colour,
            box=box.ROUNDED,
            padding=(1, 2),
            expand=False,
        )
    )
    if report.generator.was_the_limit:
        console.print(Text(f"THE GENERATOR MAY BE WHAT WAS MEASURED. {report.generator.words}", f"bold {DOUBTFUL}"))
    console.print(Text.assemble((f" {word} ", f"bold white on {colour}"), "  ", report.headline))
    for reason in report.audit.reasons[:REASONS_MAX]:
        console.print(Text.assemble(("  · ", colour), reason))
    if len(report.audit.reasons) > REASONS_MAX:
        console.print(Text(f"  · and {len(report.audit.reasons) - REASONS_MAX} more, in the report", colour))
    for note in report.notes:
        console.print(Text(f"  {note}", "dim"))
    console.print(f"\nReport: {folder / 'report.html'}", highlight=False, soft_wrap=True, markup=False)


def _promises(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    table.add_column("")
    table.add_column("promise")
    table.add_column("bound", justify="right", no_wrap=True)
    table.add_column("found", justify="right", no_wrap=True)
    for one in report.slos:
        mark, colour = ("✓", GOOD) if one.holds else ("✗", BAD)
        sign = "≤" if "at most" in one.words else "≥"
        table.add_row(
            Text(mark, colour),
            f"{one.kind} {named(one.measure, MEASURES).en}",
            f"{sign} {said(one, one.bound)}",
            Text("nothing" if one.found is None else said(one, one.found), "" if one.holds else f"bold {BAD}"),
        )
    return table


def said(one: SloResult, value: float) -> str:
    """A value of a promise in its unit."""
    if one.measure == "error_share":
        return f"{value:.2%}"
    unit = UNITS.get(one.measure, " ms")
    return f"{value:,.0f}{unit}" if value >= 10 or value == int(value) else f"{value:,.2f}{unit}"


def _facts(report: Report, *, has_verdict: bool) -> Table:
    table = Table.grid(padding=(0, 3))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    audit = audited(report.audit) if has_verdict else Text("not whole: see below", DOUBTFUL)
    rows = [("audit", audit), ("arrivals", _arrived(report)), ("generator", _generator(report))]
    if report.cross_checks:
        agree = sum(check.agree for check in report.cross_checks)
        checks = f"{agree} of {len(report.cross_checks)} agree with {report.cross_checks[0].tool}"
        rows.append(("cross-check", Text(checks, "" if agree == len(report.cross_checks) else DOUBTFUL)))
    if report.costs:
        costs = ", ".join(f"{name.replace('_', ' ')} {us:,.0f}" for name, us in report.costs.items())
        rows.append(("CPU µs per order", Text(costs)))
    rows.append(("took", Text(f"{report.duration_s:.0f} s on {report.machine.cores} cores of {report.machine.cpu}")))
    for name, text in rows:
        table.add_row(name, text)
    return table


def audited(audit: Audit) -> Text:
    figures = audit.figures
    if not audit.holds:
        return Text(f"does not hold: {len(audit.reasons)} reasons below", BAD)
    return Text.assemble(
        ("holds", GOOD),
        f": {figures['sold']:,} of {figures['capacity']:,} sold, {figures['oversold']} oversold, "
        f"{figures['undersold']} undersold, {figures['lost_paid']} paid and lost, {figures['double_paid']} paid twice",
    )


def _arrived(report: Report) -> Text:
    arrived = report.arrived
    words = (
        f"{arrived.intended:,} people, {arrived.missed:,} missed ({arrived.share:.2%}, allowed {arrived.allowed:.1%})"
    )
    return Text(words, "" if arrived.holds else BAD)


def _generator(report: Report) -> Text:
    count = report.generator.processes
    made_of = f"{report.generator.engine}, {count} process{'' if count == 1 else 'es'}. "
    return Text(made_of + report.generator.words, DOUBTFUL if report.generator.was_the_limit else "")
