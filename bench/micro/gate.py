"""The gate of the unit benchmarks: is a unit slower than it was, beside its yardstick? Pure: figures in, verdicts out.

A unit and its yardstick are timed in turns, round by round, so that a busy machine slows both. What counts is the
ratio of each such pair: no absolute time goes any further than that. The rounds are cut into blocks. The median of all
pairs is a unit's ratio, and what a baseline keeps. A unit is refused when the median of even its best block is worse
than the baseline allows: what disturbs a machine comes and goes, and a unit that became slower stays slow.

It refuses to guess: a unit without a baseline does not pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import orjson

BASELINES = Path(__file__).with_name("baselines.json")
BLOCKS = 5
TOLERANCE = 1.4  # docs/benchmarks.md has the spread that this leaves room for

_HEAD = ("unit", "ratio", "spread", "baseline", "of it", "verdict")


class BaselinesUnusable(ValueError):
    """The file of baselines cannot be read; the message says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """What a unit costs in units of its yardstick: over all rounds, in the best block of them and in the worst."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{_short(self.low)} to {_short(self.high)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a unit may pass, and in words why not."""

    unit: str
    ratio: Ratio
    baseline: Ratio | None
    holds: bool
    words: str


def ratio_of(*, unit_s: Sequence[float], yardstick_s: Sequence[float], blocks: int = BLOCKS) -> Ratio:
    """The ratio of rounds that were timed in turns: the n-th of one beside the n-th of the other.

    Raises ValueError for rounds without a partner, and for fewer of them than blocks.
    """
    pairs = [unit / yardstick for unit, yardstick in zip(unit_s, yardstick_s, strict=True)]
    if len(pairs) < blocks:
        raise ValueError(f"{len(pairs)} rounds are too few for {blocks} blocks")
    size = len(pairs) / blocks
    middles = [median(pairs[round(at * size) : round((at + 1) * size)]) for at in range(blocks)]
    return Ratio(middle=median(pairs), low=min(middles), high=max(middles))


def judge(unit: str, ratio: Ratio, baseline: Ratio | None, *, tolerance: float = TOLERANCE) -> Verdict:
    """Compare a unit with what it used to cost."""
    if baseline is None:
        words = "no baseline yet: make bench-units SAVE=1 keeps one"
        return Verdict(unit=unit, ratio=ratio, baseline=None, holds=False, words=words)
    allowed = baseline.middle * tolerance
    if ratio.low > allowed:
        words = f"slower: never below {_short(ratio.low)} yardsticks, and {_short(allowed)} are allowed"
        return Verdict(unit=unit, ratio=ratio, baseline=baseline, holds=False, words=words)
    faster = ratio.high * tolerance < baseline.middle
    words = "faster: a new baseline would keep it so" if faster else "holds"
    return Verdict(unit=unit, ratio=ratio, baseline=baseline, holds=True, words=words)


def table(verdicts: Sequence[Verdict]) -> list[str]:
    """The verdicts as lines of one width, a head first."""
    rows = [_HEAD, *map(_row, verdicts)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
    return [_aligned(row, widths) for row in rows]


def read_baselines(file: Path) -> dict[str, Ratio]:
    """The kept ratios by unit; none when there is no such file. Raises BaselinesUnusable."""
    if not file.exists():
        return {}
    try:
        kept = orjson.loads(file.read_bytes())["units"]
        return {
            unit: Ratio(middle=float(ratio["ratio"]), low=float(ratio["low"]), high=float(ratio["high"]))
            for unit, ratio in kept.items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BaselinesUnusable(f"{file}: no baselines as `make bench-units SAVE=1` writes them ({error!r})") from error


def write_baselines(file: Path, ratios: Mapping[str, Ratio], *, machine: str) -> None:
    """Keep these ratios, in the order of their names, with the machine they come from."""
    units = {
        unit: {"ratio": round(one.middle, 4), "low": round(one.low, 4), "high": round(one.high, 4)}
        for unit, one in sorted(ratios.items())
    }
    document = {"machine": machine, "units": units}
    file.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def middle_of(runs: Sequence[Mapping[str, Ratio]]) -> dict[str, Ratio]:
    """The median of several runs for every unit that all of them have, and how far apart they were."""
    units = set.intersection(*(set(run) for run in runs))
    ratios = {unit: [run[unit].middle for run in runs] for unit in units}
    return {unit: Ratio(middle=median(each), low=min(each), high=max(each)) for unit, each in ratios.items()}


def _row(verdict: Verdict) -> tuple[str, ...]:
    ratio, baseline = verdict.ratio, verdict.baseline
    if baseline is None:
        return verdict.unit, _short(ratio.middle), str(ratio), "", "", verdict.words
    share = f"{ratio.middle / baseline.middle:.2f}"
    return verdict.unit, _short(ratio.middle), str(ratio), _short(baseline.middle), share, verdict.words


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """Words begin where the column begins, figures end where it ends."""
    first, *figures, last = row
    cells = [first.ljust(widths[0]), *(figure.rjust(width) for figure, width in zip(figures, widths[1:], strict=False))]
    return "  ".join([*cells, last]).rstrip()


def _short(number: float) -> str:
    """Three digits that matter."""
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"
