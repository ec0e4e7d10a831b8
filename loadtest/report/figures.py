"""Numbers as people read them, the same way on the page, in the terminal and in a comparison."""

from __future__ import annotations

from collections.abc import Sequence

LOAD_BEFORE_SHARE = 0.25
"""A load average above this share of the cores before a run: others take processor time from everybody in it."""
NOTHING = "–"
"""Stands where nothing was measured; never 0."""


def figure(value: float | None) -> str:
    """Three significant digits below 100, whole numbers above: 0.84, 12.3, 1,234."""
    if value is None:
        return NOTHING
    size = abs(value)
    if value == int(value) or size >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}" if size >= 0.1 else f"{value:.3g}"


def share(value: float | None) -> str:
    """Of 1, as per cent: 0.0004 is 0.04 %."""
    if value is None:
        return NOTHING
    per_cent = value * 100
    digits = 4 if 99 < per_cent < 100 else 3
    return f"{per_cent:,.0f} %" if per_cent >= 100 else f"{per_cent:.{digits}g} %"


def milliseconds(value: float | None) -> str:
    return NOTHING if value is None else f"{figure(value)} ms"


def spoken(seconds: float) -> str:
    """A duration: 48 s, 2 min 5 s, 1 h 15 min."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def moment(iso: str) -> str:
    """ISO 8601 in UTC, as people write it: 2026-11-22 08:20:30 UTC."""
    return iso.replace("T", " ").removesuffix("Z").removesuffix("+00:00") + " UTC" if "T" in iso else iso


def known(values: Sequence[float | None]) -> list[float]:
    """The samples that there are."""
    return [value for value in values if value is not None]


def mean(values: Sequence[float | None]) -> float | None:
    there = known(values)
    return sum(there) / len(there) if there else None


def at_share(values: Sequence[float | None], wanted: float) -> float | None:
    """The nearest-rank percentile, `wanted` of 1."""
    there = sorted(known(values))
    return there[min(len(there) - 1, max(0, round(wanted * len(there)) - 1))] if there else None


def median(values: Sequence[float]) -> float:
    """Of one value or more."""
    there = sorted(values)
    middle = len(there) // 2
    return there[middle] if len(there) % 2 else (there[middle - 1] + there[middle]) / 2
