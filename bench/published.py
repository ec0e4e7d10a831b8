"""The numbers that the README tells, from the reports that are kept in `docs/reports`, and from nowhere else.

    python -m bench.published            writes every numbers block of the README again
    python -m bench.published --keep     takes the newest reports of `.run` into `docs/reports` first

A block stands between `<!-- numbers:NAME -->` and `<!-- /numbers -->`; a test compares each with its report, so that
a figure in the README is always one that was measured. What a figure means is said beside the blocks, by hand.
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

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
KEPT = ROOT / "docs" / "reports"
RUN = ROOT / ".run"
SOURCES = {"bench": "bench.json", "demo": "demo-report.json", "payment-storm": "payment-storm.json"}
BLOCK = re.compile(r"(<!-- numbers:([a-z-]+) -->\n).*?(\n<!-- /numbers -->)", re.DOTALL)

Document = Mapping[str, Any]


def rendered(text: str, reports: Mapping[str, Document]) -> str:
    """The text with every block written from its report. Raises KeyError for a block without one."""

    def block(found: re.Match[str]) -> str:
        name = found.group(2)
        return f"{found.group(1)}{WORDS[name](reports[name])}{found.group(3)}"

    return BLOCK.sub(block, text)


def reports() -> dict[str, Document]:
    """Every kept report by its name."""
    return {path.stem: orjson.loads(path.read_bytes()) for path in sorted(KEPT.glob("*.json"))}


def figures(bench: Document) -> str:
    """The table of the bench."""
    day = bench["measured_at"][:10]
    lines = [
        f"Measured on {day}: {bench['machine']}.",
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
    return "\n".join(lines)


def demo(report: Document) -> str:
    return (
        f"`make demo`: {report['buyers']:,} buyers, {report['lobby_size']:,} of them in the lobby, "
        f"{report['capacity']:,} tickets: {report['duration_s']:.0f} s from start to audit, up to "
        f"{report['orders_per_s']:,} orders in a second, order p50 {report['order_p50_ms']:.0f} ms and "
        f"p99 {report['order_p99_ms']:.0f} ms, refusal p50 {report['refusal_p50_ms']:.0f} ms; "
        f"{report['oversold']} oversold, {report['lost_paid']} paid and lost, {report['double_paid']} paid twice; "
        f"draw verified: {'yes' if report['draw_verified'] else 'no'}; Kendall's tau of admission against position "
        f"{report['kendall_tau']:g}."
    )


def storm(report: Document) -> str:
    told = report["callbacks"]
    return (
        f"`make payment-storm`: {report['paid']:,} orders paid in {report['paying_s']:.0f} s, "
        f"{report['duration_s']:.0f} s from start to audit, {len(report['killed'])} processes killed with -9, "
        f"{told['lost']:,} notices never sent, {told['late']:,} late, {told['duplicates']:,} doubled: "
        f"{report['lost']} lost, {report['double']} double, {report['unresolved']} unresolved, "
        f"{report['reconcile_differences']} differences to WeChat's bill."
    )


def drop(report: Document) -> str:
    """A run of the lab."""
    held = ", ".join(
        f"{name} {kind['count']:,} (p50 {kind['p50_ms']:.0f}, p99 {kind['p99_ms']:.0f} ms)"
        for name, kind in report["kinds"].items()
        if kind["count"] and kind["p50_ms"] is not None
    )
    books = report["audit"]["figures"]
    return (
        f"`floodgate loadtest {report['story']['name']}`: {'pass' if report['passed'] else 'fail'}; "
        f"{report['arrived']['intended']:,} people, {report['arrived']['missed']} missed; {held}; "
        f"{books['oversold']} oversold, {books['lost_paid']} paid and lost; the busiest generator process used "
        f"{report['generator']['cpu_share_p95']:.0%} of a core."
    )


WORDS: Mapping[str, Callable[[Document], str]] = {
    "bench": figures,
    "demo": demo,
    "payment-storm": storm,
    "concert-drop": drop,
}


def keep() -> None:
    """Take the newest report of each kind out of `.run`."""
    KEPT.mkdir(exist_ok=True)
    for name, source in SOURCES.items():
        shutil.copyfile(RUN / source, KEPT / f"{name}.json")
    newest = max((RUN / "loadtest").glob("concert-drop-*/report.json"), key=lambda path: path.stat().st_mtime)
    shutil.copyfile(newest, KEPT / "concert-drop.json")
    shutil.copyfile(newest.with_name("report.html"), KEPT / "concert-drop.html")


def _number(value: float) -> str:
    """Three digits that mean something, and whole ones from a hundred on."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m bench.published", description="Write the README's numbers.")
    arguments.add_argument("--keep", action="store_true", help="take the newest reports of .run first")
    if arguments.parse_args().keep:
        keep()
    README.write_text(rendered(README.read_text(encoding="utf-8"), reports()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
