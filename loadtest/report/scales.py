"""Where a value stands on an axis, and which round numbers an axis shows. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Scale = Callable[[float], float]
"""A value to a coordinate."""

_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
_LOG_MARKS_MAX = 9
_NOTHING = 1e-9
"""Below this an axis shows nothing but its zero."""
_MINUTES_FROM_S = 600.0
"""Axes longer than this count in minutes."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: a place for every value, and (value, label) for each round number."""

    at: Scale
    ticks: Sequence[tuple[float, str]]


def step_of(span: float, *, most: int) -> float:
    """1, 2 or 5 times a power of ten that goes into `span` at most `most` times."""
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(power * n for n in (1, 2, 5, 10, 20) if span / (power * n) <= most * (1 + 1e-9))


def steps(low: float, high: float, *, most: int) -> list[float]:
    """At most `most` + 1 round values within low..high, evenly apart."""
    if not high > low:
        return [low]
    step = step_of(high - low, most=most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def ceiling(highest: float, *, most: int = 4) -> float:
    """The end of an axis from 0 that shows `highest`: the next round number."""
    if highest < _NOTHING:
        return 1.0
    step = step_of(highest, most=most)
    return step * math.ceil(highest / step - 1e-9)


def linear(low: float, high: float, *, start: float, end: float) -> Scale:
    """Coordinates from start (at low) to end (at high)."""
    span = (high - low) or 1.0
    return lambda value: start + (end - start) * (value - low) / span


def from_zero(highest: float, *, start: float, end: float, most: int = 4) -> Axis:
    """A linear axis from 0 to a round number."""
    top = ceiling(highest, most=most)
    marks = steps(0, top, most=most)
    return Axis(linear(0, top, start=start, end=end), [(value, short(value)) for value in marks])


def logarithmic(low: float, high: float, *, start: float, end: float) -> Axis:
    """From one of 1, 2, 5 times a power of ten to another, at least a decade; all of these are marked while they are
    few, else the powers alone. Values below the axis stand at its low end."""
    first, last = math.floor(math.log10(low)) - 1, math.ceil(math.log10(max(high, low))) + 2
    round_ones = [n * 10.0**power for power in range(first, last + 1) for n in (1, 2, 5)]
    bottom = max(value for value in round_ones if value <= low * (1 + 1e-9))
    top = min(value for value in round_ones if value >= max(high, bottom * 10) * (1 - 1e-9))
    place = linear(math.log10(bottom), math.log10(top), start=start, end=end)
    marks = [value for value in round_ones if bottom <= value <= top]
    if len(marks) > _LOG_MARKS_MAX:
        marks = [value for value in marks if math.isclose(math.log10(value), round(math.log10(value)), abs_tol=1e-9)]
    return Axis(lambda value: place(math.log10(max(value, bottom))), [(value, short(value)) for value in marks])


def percentiles(count: int, *, start: float, end: float) -> Axis:
    """From 0 towards 100, each nine as wide as the one before, up to the share of one in `count` values: more cannot
    be told from so many."""
    nines = min(6.5, max(1.0, math.log10(max(count, 1))))
    place = linear(0, nines, start=start, end=end)

    def at(percentile: float) -> float:
        rest = 1 - percentile / 100
        return place(min(nines, -math.log10(rest)) if rest > 0 else nines)

    names = ("0", "50", "90", "99", "99.9", "99.99", "99.999", "99.9999")
    return Axis(at, [(float(name), name) for name in names[: int(nines + 1e-9) + 2]])


def clock(first_s: float, last_s: float, *, start: float, end: float, most: int = 6) -> Axis:
    """Time in seconds from the opening; long runs count in minutes."""
    span = max(last_s - first_s, 1.0)
    step = next((step for step in _SECONDS if span / step <= most), _SECONDS[-1])
    marks = [n * step for n in range(math.ceil(first_s / step), math.floor(last_s / step) + 1)]
    minutes = span > _MINUTES_FROM_S
    return Axis(
        linear(first_s, first_s + span, start=start, end=end),
        [(mark, _plain(mark / 60) if minutes else _plain(mark)) for mark in marks],
    )


def clock_unit(t_s: Sequence[float]) -> str:
    """ "s" or "min": what the labels of `clock` count."""
    return "min" if t_s and t_s[-1] - t_s[0] > _MINUTES_FROM_S else "s"


def dodge(wanted: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Labels that want to stand at these heights, moved apart by at least `gap` and kept within low..high as far as
    they fit; their order stays."""
    if not wanted:
        return []
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    gap = min(gap, (high - low) / max(1, len(wanted) - 1)) if len(wanted) > 1 else gap
    placed = [min(max(wanted[i], low), high) for i in order]
    for i in range(1, len(placed)):
        placed[i] = max(placed[i], placed[i - 1] + gap)
    if placed[-1] > high:
        placed[-1] = high
        for i in range(len(placed) - 2, -1, -1):
            placed[i] = min(placed[i], placed[i + 1] - gap)
    result = [0.0] * len(wanted)
    for i, at in zip(order, placed, strict=True):
        result[i] = at
    return result


def short(value: float) -> str:
    """For axes: 1500 is 1.5k, 2,000,000 is 2M; small numbers stay as they are."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return _plain(value)


def _plain(value: float) -> str:
    return f"{value:.6g}".replace("-", "−")
