"""What a demo, a storm and the runs of the load lab say."""

from __future__ import annotations

from collections.abc import Mapping

from bench.published.numbers import Document, number
from loadtest.demo.__main__ import parse as parse_demo
from loadtest.storm.__main__ import parse as parse_storm


def demo(report: Document) -> str:
    usual = parse_demo([])
    changed = {"--buyers": report["buyers"]} if report["buyers"] != usual.buyers else {}
    return (
        f"`{_command('make demo', 'DEMO_OPTIONS', changed)}`: "
        f"{report['buyers']:,} buyers, {report['lobby_size']:,} of them in the lobby, "
        f"{report['capacity']:,} tickets: {report['duration_s']:.0f} s from start to audit, up to "
        f"{report['orders_per_s']:,} orders in a second, order p50 {report['order_p50_ms']:.0f} ms and "
        f"p99 {report['order_p99_ms']:.0f} ms, refusal p50 {report['refusal_p50_ms']:.0f} ms; "
        f"{report['oversold']} oversold, {report['lost_paid']} paid and lost, {report['double_paid']} paid twice; "
        f"draw verified: {'yes' if report['draw_verified'] else 'no'}; Kendall's tau of admission against position "
        f"{report['kendall_tau']:g}."
    )


def storm(report: Document) -> str:
    told, plan, usual = report["callbacks"], report["plan"], parse_storm([])
    chosen = {"--orders": (plan["orders"], usual.orders), "--kill": (plan["kill_every_s"] or 0, usual.kill)}
    changed = {option: was for option, (was, default) in chosen.items() if was != default}
    return (
        f"`{_command('make payment-storm', 'STORM_OPTIONS', changed)}`: "
        f"{report['paid']:,} orders paid in {report['paying_s']:.0f} s, "
        f"{report['duration_s']:.0f} s from start to audit, {len(report['killed'])} processes killed with -9, "
        f"{told['lost']:,} notices never sent, {told['late']:,} late, {told['duplicates']:,} doubled: "
        f"{report['lost']} lost, {report['double']} double, {report['unresolved']} unresolved, "
        f"{report['reconcile_differences']} differences to WeChat's bill."
    )


def _command(make: str, variable: str, changed: Mapping[str, float]) -> str:
    """What repeats a run: the bare command only where nothing was changed."""
    options = " ".join(f"{option} {value:g}" for option, value in changed.items())
    return f'{make} {variable}="{options}"' if options else make


def drop(report: Document) -> str:
    """A run of the lab."""
    held = ", ".join(
        f"{name} {kind['count']:,} (p50 {kind['p50_ms']:.0f}, p99 {kind['p99_ms']:.0f} ms)"
        for name, kind in report["kinds"].items()
        if kind["count"] and kind["p50_ms"] is not None
    )
    books = report["audit"]["figures"]
    return (
        f"`{report['command']}`: {'pass' if report['passed'] else 'fail'}; "
        f"{report['arrived']['intended']:,} people, {report['arrived']['missed']} missed; {held}; "
        f"{books['oversold']} oversold, {books['lost_paid']} paid and lost; the busiest generator process used "
        f"{report['generator']['cpu_share_p95']:.0%} of a core."
    )


def stories(report: Document) -> str:
    """A row for each story of the lab: the verdict, who came, and how quickly the two kinds that matter most went."""
    lines = [
        "| story | verdict | people | missed | orders | p50, p99 | payments | p50, p99 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for run in report["runs"]:
        kinds = (cell for kind in ("orders", "payments") for cell in _kind(run["kinds"].get(kind)))
        verdict = "pass" if run["passed"] else "**fail**"
        cells = (f"`{run['name']}`", verdict, f"{run['people']:,}", f"{run['missed']:,}", *kinds)
        lines.append(f"| {' | '.join(cells)} |")
    machines = " and ".join(sorted({run["machine"] for run in report["runs"]}))
    days = sorted({run["started_at"][:10] for run in report["runs"]})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return "\n".join([*lines, "", f"Played on {machines}, one after the other, {when}."])


def _kind(kind: Mapping[str, float] | None) -> tuple[str, str]:
    if kind is None or not kind["count"]:
        return "", ""
    return f"{kind['count']:,}", f"{number(kind['p50_ms'])}, {number(kind['p99_ms'])} ms"


def overload(report: Document) -> str:
    """A row for each phase: who came, and what of it came to its end, a second."""
    found = _extra(report, "overload")
    lines = [
        "| times the capacity | people a second | places | passes | orders | checkouts | payments |",
        "|---|---|---|---|---|---|---|",
    ]
    for phase in found["phases"]:
        kinds = (f"{phase.get(kind, 0):,.0f}" for kind in ("joins", "passes", "orders", "checkouts", "payments"))
        lines.append(f"| {phase['multiple']:g} | {phase['came_per_s']:,.0f} | {' | '.join(kinds)} |")
    capacity = f"The capacity that the closed loop found: {found['capacity_per_s']:,.0f} whole visits a second."
    return "\n".join([capacity, "", *lines, "", found["words"]])


def soak(report: Document) -> str:
    """A row for each series that must be flat."""
    found = _extra(report, "soak")
    lines = ["| series | mean | grows in an hour by | at most by | allowed | |", "|---|---|---|---|---|---|"]
    for one in found["series"]:
        numbers = " | ".join(number(one[key]) for key in ("mean", "per_hour", "per_hour_most", "per_hour_allowed"))
        lines.append(f"| {one['name']} | {numbers} | {'flat' if one['holds'] else '**not flat**'} |")
    judged = f"{found['people_per_s']:g} people a second; {found['judged_s'] / 60:g} minutes judged."
    return "\n".join([*lines, "", judged])


def _extra(report: Document, name: str) -> Document:
    found: dict[str, Document] = {kind: told for run in report["runs"] for kind, told in run["extra"].items()}
    return found[name]
