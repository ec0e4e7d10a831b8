"""`floodgate compare A B`: two runs, or two sides of several, beside each other in the terminal and on a page.

Exit code 0; 2 when something is no report, or when the sides ask different things and nobody said `--anyway`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from loadtest.report import compare_page
from loadtest.report.alike import Difference, differences
from loadtest.report.comparing import Meaning, Promise, Row, promises, rows
from loadtest.report.figures import figure, median, moment
from loadtest.report.model import Report
from loadtest.report.reading import FILE, ReportUnreadable, read

WIDE = 90
"""A terminal with so many columns has room between the figures."""
_LOOKS = {
    Meaning.BETTER: "green",
    Meaning.WORSE: "bold red",
    Meaning.DIFFERENT: "yellow",
    Meaning.MISSING: "dim",
    Meaning.WITHIN_THE_SPREAD: "dim",
    Meaning.SAME: "dim",
}


@dataclass(frozen=True, slots=True)
class Side:
    """Runs that are repeats of each other."""

    words: str
    runs: Sequence[Report]


def main(argv: Sequence[str] | None = None) -> int:
    """Compare as the arguments say; the exit code."""
    wanted = _arguments().parse_args(argv)
    complain = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        a, b = side(wanted.a), side(wanted.b)
    except ReportUnreadable as problem:
        complain.print(Text(str(problem)))
        return 2
    found = differences(a.runs, b.runs)
    if any(one.forbids for one in found) and not wanted.anyway:
        for one in found:
            if one.forbids:
                complain.print(Text(one.words))
        complain.print("A ratio between them would mean nothing. --anyway compares them all the same.")
        return 2
    table, promised = rows(a.runs, b.runs), promises(a.runs, b.runs)
    show(Console(highlight=False), a, b, found, table, promised)
    if wanted.html is not None:
        try:
            wanted.html.write_text(
                compare_page.page(a.words, a.runs, b.words, b.runs, found, table, promised), encoding="utf-8"
            )
        except OSError as problem:
            complain.print(Text(f"{wanted.html} cannot be written: {problem.strerror}."))
            return 2
        print(f"The same with charts: {wanted.html}")
    return 0


def side(words: str) -> Side:
    """Runs from "folder", "report.json", "one,two,three", or a folder that holds several runs' folders.
    Raises ReportUnreadable."""
    paths: list[Path] = []
    for part in filter(None, (part.strip() for part in words.split(","))):
        path = Path(part)
        inner = sorted(found.parent for found in path.glob(f"*/{FILE}")) if path.is_dir() else []
        paths.extend([path] if (path / FILE).exists() or not inner else inner)
    if not paths:
        raise ReportUnreadable("One side names no run.")
    if len({path.resolve() for path in paths}) < len(paths):
        raise ReportUnreadable(f"{words}: one run is named twice; a repeat is another run.")
    return Side(words, [read(path) for path in paths])


def show(
    console: Console,
    a: Side,
    b: Side,
    found: Sequence[Difference],
    table: Sequence[Row],
    promised: Sequence[Promise],
) -> None:
    """Everything, in the terminal."""
    for name, one in (("A", a), ("B", b)):
        run = one.runs[0]
        runs = "1 run" if len(one.runs) == 1 else f"{len(one.runs)} runs"
        console.print(
            Text(f"{name}  {one.words}  ({run.story.get('title', '')}; {runs}, first {moment(run.started_at)})"),
            soft_wrap=True,
        )
    for difference in found:
        console.print(Text(f"! {difference.words}", style="bold yellow"), soft_wrap=True)
    grid = Table(box=None, padding=(0, 2 if console.width >= WIDE else 1, 0, 0), header_style="dim")
    for heading, justify in (("", "left"), ("A", "right"), ("B", "right"), ("B / A", "right"), ("spread", "right")):
        grid.add_column(heading, justify="right" if justify == "right" else "left", no_wrap=True)
    grid.add_column("")
    group = ""
    for row in table:
        if row.group.en != group:
            group = row.group.en
            grid.add_row()
            grid.add_row(Text(group, style="bold"))
        look = _LOOKS.get(row.meaning, "")
        grid.add_row(
            Text(f"  {row.name.en}"),
            in_unit(row.a, row.unit),
            in_unit(row.b, row.unit),
            ratio(row),
            spread(row),
            Text("" if row.meaning is Meaning.SPREAD_UNKNOWN else row.meaning.value.en, style=look),
        )
    console.print(grid)
    console.print()
    held = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    held.add_column("holds in")
    held.add_column("A", justify="right", no_wrap=True)
    held.add_column("B", justify="right", no_wrap=True)
    for promise in promised:
        sides = ((promise.a_holds, promise.a_runs), (promise.b_holds, promise.b_runs))
        cells = [Text(f"{holds} of {runs}", style="" if holds == runs else "bold red") for holds, runs in sides]
        held.add_row(Text(promise.words), *cells)
    console.print(held)
    if any(row.meaning is Meaning.SPREAD_UNKNOWN for row in table):
        console.print("\nOne run on each side has no spread: give several (A1,A2,A3) to know what a ratio means.")


def in_unit(values: Sequence[float], unit: str) -> str:
    """The median of a side."""
    return f"{figure(median(values))} {unit}".strip() if values else "–"


def ratio(row: Row) -> str:
    return "–" if row.ratio is None else f"{row.ratio:.2f}"


def spread(row: Row) -> str:
    if row.spread is None or len(row.a) == len(row.b) == 1:
        return ""
    low, high = row.spread
    return f"{low:.2f}–{high:.2f}"


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="floodgate compare",
        description="Puts two runs beside each other, as ratios B/A. Several runs on a side show the spread: what lies "
        "within it means nothing.",
    )
    each = "a run's folder, its report.json, several with commas between them, or a folder of runs"
    parser.add_argument("a", metavar="A", help=f"before: {each}")
    parser.add_argument("b", metavar="B", help="after: the same")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page with charts, too")
    parser.add_argument("--anyway", action="store_true", help="compare runs that ask different things")
    return parser


if __name__ == "__main__":
    sys.exit(main())
