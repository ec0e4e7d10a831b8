"""Draws sampled stacks as a flame graph: one self-contained SVG without scripts, small enough for the docs.

    py-spy record -d 10 -r 500 -f raw -o stacks.txt -p PID    # of a web worker under load
    python -m bench.flame stacks.txt flame.svg "A web worker under orders"

Only the event loop's thread is drawn, from the loop upwards: how the process was started is the same for every sample.
Lines of one function are one bar. What is too narrow to read is left out, and bars say their share when pointed at.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

LOOP = "Runner.run"  # the frame under which everything of the loop stands; elsewhere are other threads
WIDTH, BAR, HEAD, MARGIN = 1200.0, 17, 34, 6
SHARE_MIN = 0.002
CHARACTER = 6.6  # how wide a letter is drawn
FRAME = re.compile(r"^(?P<function>.*?) \((?P<file>.*?)(:\d+)?\)$")
# What a frame belongs to, by the beginning of its file, and its colour.
KINDS = (("engine/", "#e8743b"), ("aiohttp/", "#e9b949"), ("asyncpg/", "#5899da"), ("redis/", "#bf399e"))
OTHER = "#b9bec5"


@dataclass(slots=True)
class Bar:
    """One function under one caller: samples in it and below it."""

    samples: int = 0
    above: dict[str, Bar] = field(default_factory=dict)


def frames_of(stack: str) -> list[str]:
    """The frames above the loop, as "function file", or none for a stack of another thread."""
    frames = []
    for frame in stack.split(";"):
        found = FRAME.match(frame)
        frames.append(f"{found['function']} {_short(found['file'])}" if found else frame)
    at = [number for number, frame in enumerate(frames) if frame.startswith(LOOP)]
    return frames[at[0] :] if at else []


def _short(file: str) -> str:
    return re.sub(r"^.*/(site-packages|python3\.\d+)/", "", file)


def gather(lines: Iterable[str]) -> Bar:
    """The tree of all samples of the loop."""
    root = Bar()
    for line in lines:
        stack, _, count = line.strip().rpartition(" ")
        frames = frames_of(stack)
        if not frames:
            continue
        bar = root
        bar.samples += int(count)
        for frame in frames:
            bar = bar.above.setdefault(frame, Bar())
            bar.samples += int(count)
    return root


def draw(root: Bar, title: str) -> str:
    """The SVG: callers below, what they call above them, as wide as its share."""
    bars = list(_placed(root, root.samples, 0.0, 0))
    height = HEAD + (max((level for *_, level in bars), default=0) + 1) * BAR + MARGIN
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height}" font-family="monospace"'
        f' font-size="11"><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{MARGIN}" y="20" font-size="14">{escape(title)}</text>'
    )
    parts = [opening]
    for name, share, left, level in bars:
        x, y, wide = left * WIDTH, height - MARGIN - (level + 1) * BAR, share * WIDTH
        function, _, file = name.partition(" ")
        colour = next((colour for start, colour in KINDS if file.startswith(start)), OTHER)
        parts.append(
            f'<g><title>{escape(name)}: {share:.1%}</title><rect x="{x:.1f}" y="{y}" width="{max(wide - 0.5, 0.5):.1f}"'
            f' height="{BAR - 1}" fill="{colour}"/>'
        )
        letters = int((wide - 4) / CHARACTER)
        if letters >= 3:
            parts.append(f'<text x="{x + 2:.1f}" y="{y + 12}">{escape(function[:letters])}</text>')
        parts.append("</g>")
    return "".join([*parts, "</svg>\n"])


def _placed(bar: Bar, total: int, left: float, level: int) -> Iterator[tuple[str, float, float, int]]:
    for name, above in sorted(bar.above.items()):
        share = above.samples / total
        if share >= SHARE_MIN:
            yield name, share, left, level
            yield from _placed(above, total, left, level + 1)
        left += share


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m bench.flame", description="Draw sampled stacks.")
    arguments.add_argument("stacks", type=Path)
    arguments.add_argument("svg", type=Path)
    arguments.add_argument("title")
    given = arguments.parse_args()
    root = gather(given.stacks.read_text(encoding="utf-8").splitlines())
    if not root.samples:
        print(
            f"{given.stacks}: no sample stands in the event loop; record with `py-spy record -f raw`", file=sys.stderr
        )
        return 1
    given.svg.write_text(draw(root, f"{given.title} ({root.samples:,} samples)"), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
