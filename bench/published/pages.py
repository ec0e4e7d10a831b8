"""The pages that tell numbers, and how their blocks are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson

from bench.published import of_bench, of_runs
from bench.published.numbers import Document

ROOT = Path(__file__).parent.parent.parent
README = ROOT / "README.md"
NUMBERS = ROOT / "docs" / "numbers.md"
SEARCHES = ROOT / "docs" / "searches.md"
PAGES = (README, NUMBERS, SEARCHES)
KEPT = ROOT / "docs" / "reports"
BLOCK = re.compile(r"(<!-- numbers:([a-z-]+) -->\n).*?(<!-- /numbers -->)", re.DOTALL)

WORDS: Mapping[str, Callable[[Document], str]] = {
    "bench": of_bench.figures,
    "saturation": of_bench.saturation,
    "scale": of_bench.scale,
    "peers": of_bench.peers,
    "demo": of_runs.demo,
    "payment-storm": of_runs.storm,
    "concert-drop": of_runs.drop,
    "lab": of_runs.stories,
    "overload": of_runs.overload,
    "soak": of_runs.soak,
}
# Blocks that tell a part of the bench, and what it is called there.
PARTS_OF_THE_BENCH = {"saturation": "curves", "scale": "scale", "peers": "peers"}
PARTS_OF_THE_LAB = ("overload", "soak")


def rendered(text: str, reports: Mapping[str, Document]) -> str:
    """The text with every block written from its report. Raises KeyError for a block without one; where a bench left
    out what a block tells, the block stays as it is."""

    def block(found: re.Match[str]) -> str:
        name = found.group(2)
        report = reports[_source(name)]
        if name in PARTS_OF_THE_BENCH and not report.get(PARTS_OF_THE_BENCH[name]):
            return found.group(0)
        return f"{found.group(1)}{WORDS[name](report)}\n{found.group(3)}"

    return BLOCK.sub(block, text)


def _source(block: str) -> str:
    if block in PARTS_OF_THE_BENCH:
        return "bench"
    return "lab" if block in PARTS_OF_THE_LAB else block


def reports() -> dict[str, Document]:
    """Every kept report by its name."""
    return {path.stem: orjson.loads(path.read_bytes()) for path in sorted(KEPT.glob("*.json"))}


def write() -> None:
    """Every block of every page, from its kept report."""
    kept = reports()
    for page in PAGES:
        page.write_text(rendered(page.read_text(encoding="utf-8"), kept), encoding="utf-8")
