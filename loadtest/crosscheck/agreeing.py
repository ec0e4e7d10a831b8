"""Whether two generators tell the same story. Pure.

Each measured the same thing in several rounds, in turns. A figure of theirs agrees with ours when their ranges over
the rounds touch, once each range is widened by what the clocks of two different event loops may differ.
What a generator gets flat out while it has no core left is a figure of the generator, not of the server: it says only
that the server can do as much, and contradicts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from loadtest.crosscheck.shots import Measured, Shot
from loadtest.recording.trust import BUSY_SHARE
from loadtest.report.model import CrossCheck

TOLERANCE = 0.05
"""Of the figure, either way."""
CLOCK_MS = 0.25
"""Of a latency, either way: an answer is timed when its event loop comes to it, behind those that came with it."""
WIDE = 3.0
"""A generator whose own rounds differ by more than this factor agrees with nearly everything."""
FIGURES = ("per_s", "p50_ms", "p99_ms")


def judged(path: str, shot: Shot, *, ours: Sequence[Measured], theirs: Sequence[Measured], tool: str) -> CrossCheck:
    """One row of the report from all rounds of one shot. The figures are the medians of the rounds."""
    words: list[str] = []
    agree = True
    failed = {who: sum(one.failed for one in side) for who, side in _sides(ours, theirs)}
    if any(failed.values()):
        words.append(f"not answered with 200: {failed['ours']} of ours, {failed['theirs']} of theirs")
        agree = False
    limited = [who for who, side in _sides(ours, theirs) if median(one.cpu_share for one in side) > BUSY_SHARE]
    if limited and not shot.rate_per_s:
        words.append(f"no core left for {' and '.join(limited)}: the server can do at least the greater of the two")
    else:
        if limited:
            words.append(f"no core left for {' and '.join(limited)}")
        apart = [name for name in FIGURES if not touch(_range(ours, name), _range(theirs, name), slack=_slack(name))]
        agree = agree and not apart
        rounds = f"{len(ours)} round{'s' if len(ours) > 1 else ''}"
        wide = [name for name in FIGURES if _is_wide(_range(ours, name), name) or _is_wide(_range(theirs, name), name)]
        if apart:
            words.append(f"apart beyond the spread of {rounds}: {_beside(apart, ours, theirs)}")
        elif wide:
            words.append(
                f"within the spread of {rounds}, but that is wide and says little: {_beside(wide, ours, theirs)}"
            )
        else:
            words.append(f"within the spread of {rounds}")
    return CrossCheck(
        tool=tool,
        path=path,
        rate_per_s=float(shot.rate_per_s),
        ours=_medians(ours),
        theirs=_medians(theirs),
        agree=agree,
        words="; ".join(words),
    )


def touch(one: tuple[float, float], other: tuple[float, float], *, slack: float) -> bool:
    """Whether two ranges meet when each end is moved outwards by TOLERANCE and by `slack`."""
    return _reach(one, slack)[0] <= _reach(other, slack)[1] and _reach(other, slack)[0] <= _reach(one, slack)[1]


def _reach(span: tuple[float, float], slack: float) -> tuple[float, float]:
    return span[0] * (1 - TOLERANCE) - slack, span[1] * (1 + TOLERANCE) + slack


def _slack(name: str) -> float:
    return CLOCK_MS if name.endswith("_ms") else 0.0


def _sides(ours: Sequence[Measured], theirs: Sequence[Measured]) -> tuple[tuple[str, Sequence[Measured]], ...]:
    return ("ours", ours), ("theirs", theirs)


def _values(side: Sequence[Measured], name: str) -> list[float]:
    return [float(getattr(one, name)) for one in side]


def _range(side: Sequence[Measured], name: str) -> tuple[float, float]:
    values = _values(side, name)
    return min(values), max(values)


def _is_wide(span: tuple[float, float], name: str) -> bool:
    return span[1] > WIDE * span[0] + 2 * _slack(name)


def _beside(names: Sequence[str], ours: Sequence[Measured], theirs: Sequence[Measured]) -> str:
    spans = [(name, _range(ours, name), _range(theirs, name)) for name in names]
    return ", ".join(f"{name} {a:.3g} to {b:.3g} against {c:.3g} to {d:.3g}" for name, (a, b), (c, d) in spans)


def _medians(side: Sequence[Measured]) -> dict[str, float]:
    return {name: round(median(_values(side, name)), 3) for name in (*FIGURES, "cpu_share")}
