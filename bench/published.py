"""The numbers that README and docs/numbers.md tell, from the reports that are kept in `docs/reports` and nowhere else.

    python -m bench.published            writes every numbers block again
    python -m bench.published --keep     takes the newest reports of `.run` into `docs/reports` first

A block stands between `<!-- numbers:NAME -->` and `<!-- /numbers -->`; a test compares each with its report, so that
a figure there is always one that was measured. What a figure means is said beside the blocks, by hand.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from loadtest.demo.__main__ import parse as parse_demo
from loadtest.storm.__main__ import parse as parse_storm

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
NUMBERS = ROOT / "docs" / "numbers.md"
PAGES = (README, NUMBERS)
KEPT = ROOT / "docs" / "reports"
RUN = ROOT / ".run"
SOURCES = {"bench": "bench.json", "demo": "demo-report.json", "payment-storm": "payment-storm.json"}
BLOCK = re.compile(r"(<!-- numbers:([a-z-]+) -->\n).*?(<!-- /numbers -->)", re.DOTALL)

Document = Mapping[str, Any]


def rendered(text: str, reports: Mapping[str, Document]) -> str:
    """The text with every block written from its report. Raises KeyError for a block without one; where a bench left
    out what a block tells, the block stays as it is."""

    def block(found: re.Match[str]) -> str:
        name = found.group(2)
        report = reports["bench" if name in PARTS_OF_THE_BENCH else name]
        if name in PARTS_OF_THE_BENCH and not report.get(PARTS_OF_THE_BENCH[name]):
            return found.group(0)
        return f"{found.group(1)}{WORDS[name](report)}\n{found.group(3)}"

    return BLOCK.sub(block, text)


def reports() -> dict[str, Document]:
    """Every kept report by its name."""
    return {path.stem: orjson.loads(path.read_bytes()) for path in sorted(KEPT.glob("*.json"))}


def figures(bench: Document) -> str:
    """The table of the bench."""
    day = bench["measured_at"][:10]
    lines = [
        f"Measured on {day}: {bench['machine']}; load average before it {bench['load_before']:.1f}.",
        "",
        "| figure | measured | yardstick of the same run | ratio (spread) | goal |",
        "|---|---|---|---|---|",
    ]
    for one in bench["figures"]:
        is_ratio = one["yardstick"] != 1.0
        low, high = one["spread"]
        yardstick = f"{_number(one['yardstick'])} {one['against']}" if is_ratio else ""
        goal = f"{'at most' if one['at_most'] else 'at least'} {one['target']:g}"
        met = "" if one["met"] else ", **not met**"
        ratio = f"{_number(one['ratio'])} ({_number(low)} to {_number(high)})"
        lines.append(f"| {one['name']} | {_number(one['value'])} {one['unit']} | {yardstick} | {ratio} | {goal}{met} |")
    busiest = max(bench["rounds"], key=lambda one: one["generator_share"])
    lines += ["", f"The generator used {busiest['generator_share']:.0%} of a core at most ({busiest['name']})."]
    return "\n".join(lines)


def saturation(bench: Document) -> str:
    """A row for each curve: its best share, ten times the peak, and what an answer costs at both."""
    lines = [
        "| kind | goodput at best | at ten times | ratio (spread) | p50, p99 there | CPU at one, ten |",
        "|---|---|---|---|---|---|",
    ]
    ratios = {one["name"].rpartition(",")[0]: one for one in bench["figures"] if one["name"].endswith("peak offered")}
    for kind, points in bench["curves"].items():
        most, held = points[-1], ratios[kind]
        peak = next(point for point in points if point["share"] == 1)
        low, high = held["spread"]
        cells = (
            kind,
            f"{_number(held['yardstick'])} /s",
            f"{_number(most['goodput_per_s'])} /s of {_number(most['offered_per_s'])}",
            f"{held['ratio']:.2f} ({low:.2f} to {high:.2f})",
            f"{_number(most['p50_ms'])}, {_number(most['p99_ms'])} ms",
            f"{_number(sum(peak['cpu_us'].values()))}, {_number(sum(most['cpu_us'].values()))} µs",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def scale(bench: Document) -> str:
    """A row for each kind and number of workers."""
    lines = [
        "| kind | workers | per second | to one worker (spread) | web workers | Redis | PostgreSQL |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in bench["scale"]:
        costs = " | ".join(f"{one[whose]:.1f} µs" for whose in ("web_us", "redis_us", "postgres_us"))
        ratio = f"{one['ratio']:.2f} ({one['lowest']:.2f} to {one['highest']:.2f})"
        lines.append(f"| {one['kind']} | {one['workers']} | {one['per_s']:,.0f} | {ratio} | {costs} |")
    return "\n".join(lines)


def peers(bench: Document) -> str:
    """A row for each design, the engine first."""
    lines = ["| design | orders a second | p50 | p99 | CPU for an order, all processes |", "|---|---|---|---|---|"]
    for one in bench["peers"]:
        cells = (f"{one['orders_per_s']:,.0f}", f"{one['p50_ms']:.0f} ms", f"{one['p99_ms']:.0f} ms")
        lines.append(f"| {one['design']} | {' | '.join(cells)} | {one['cpu_us']:,.0f} µs |")
    return "\n".join(lines)


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


WORDS: Mapping[str, Callable[[Document], str]] = {
    "bench": figures,
    "saturation": saturation,
    "scale": scale,
    "peers": peers,
    "demo": demo,
    "payment-storm": storm,
    "concert-drop": drop,
}
# Blocks that tell a part of the bench, and what it is called there.
PARTS_OF_THE_BENCH = {"saturation": "curves", "scale": "scale", "peers": "peers"}


def keep() -> None:
    """Take the newest report of each kind out of `.run`."""
    KEPT.mkdir(exist_ok=True)
    for name, source in SOURCES.items():
        # Paths of this machine are nobody else's business.
        text = (RUN / source).read_text(encoding="utf-8").replace(f"{ROOT}/", "")
        (KEPT / f"{name}.json").write_text(text, encoding="utf-8")
    newest = max((RUN / "loadtest").glob("concert-drop-*/report.json"), key=lambda path: path.stat().st_mtime)
    shutil.copyfile(newest, KEPT / "concert-drop.json")
    shutil.copyfile(newest.with_name("report.html"), KEPT / "concert-drop.html")


def _number(value: float) -> str:
    """Three digits that mean something, and whole ones from a hundred on."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m bench.published", description="Write the numbers of the pages.")
    arguments.add_argument("--keep", action="store_true", help="take the newest reports of .run first")
    if arguments.parse_args().keep:
        keep()
    kept = reports()
    for page in PAGES:
        page.write_text(rendered(page.read_text(encoding="utf-8"), kept), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
