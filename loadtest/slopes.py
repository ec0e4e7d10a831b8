"""Is it flat? What a soak run asks of memory, connections, latency and Redis keys, answered from samples. Pure.

A line is laid through the samples of a series. Its slope is what the series grows by, and around it stands how far it
may be off. A series is flat when even the steepest line that the samples still allow stays within the bound. So a leak
above the bound does not pass because the samples are noisy: then the answer is that nobody can tell, which is no pass
either, and a longer run tells. To fall is to be flat.

How the line is laid:
- The first part is cut off: caches fill, pools grow.
- Every sample counts by the median of itself and its neighbours, so that a lone spike counts for nothing.
- Samples weigh less towards both ends, so that a saw that is cut in the middle of a tooth has no slope.
- How far it may be off is read from what the samples do slowly beside growing: bends of the second to the seventh
  degree. Quick noise and teeth hardly bend the whole, slow swings do, and they are what looks like a slope.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from statistics import fmean, median

WARMUP_SHARE = 0.2
SAMPLES_MIN = 40  # after the warm-up
BENDS = 6  # degrees 2 to 7
# One in a hundred flat series looks this many times steeper than its bends say: Student's t with as many degrees.
CERTAIN = 3.143
HOUR_S = 3600.0

Samples = Sequence[tuple[float, float]]  # (t_s, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """How much the series of this name may grow in an hour: this share of their mean, or this much in their own unit,
    whichever allows more. `name` may have the wildcards of file names, as in `web-* memory`. `unit` is for the words.
    """

    name: str
    per_hour_share_max: float
    absolute_per_hour_max: float = 0.0
    unit: str = ""

    def __post_init__(self) -> None:
        if self.per_hour_share_max < 0 or self.absolute_per_hour_max < 0:
            raise ValueError(f"{self.name}: a bound is not negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """The verdict on one series. It grows by `per_hour` in its own unit, by `per_hour_most` at the most, and may by
    `per_hour_allowed`; all are 0 when there were too few samples."""

    name: str
    per_hour: float
    per_hour_most: float
    per_hour_allowed: float
    mean: float
    holds: bool
    words: str


def judge(series: Mapping[str, Samples], bounds: Sequence[Bound], *, warmup_share: float = WARMUP_SHARE) -> list[Slope]:
    """One verdict for every series, by the first bound that names it, and one for every bound that names none.

    `warmup_share`: this part of the time that a series covers is cut off its beginning. Raises ValueError for a
    series that no bound names, and for samples that are no finite numbers.
    """
    verdicts = []
    for name, samples in series.items():
        bound = next((bound for bound in bounds if fnmatchcase(name, bound.name)), None)
        if bound is None:
            raise ValueError(f"no bound names the series {name!r}")
        verdicts.append(_judge(name, samples, bound, warmup_share))
    unnamed = [bound for bound in bounds if not any(fnmatchcase(name, bound.name) for name in series)]
    return [*verdicts, *(_unknown(bound.name, 0.0, "there are no samples of it") for bound in unnamed)]


def _judge(name: str, samples: Samples, bound: Bound, warmup_share: float) -> Slope:
    steady = _steady(name, samples, warmup_share)
    mean = fmean(value for _, value in steady) if steady else 0.0
    if len(steady) < SAMPLES_MIN:
        why = f"{len(steady)} samples after the warm-up are too few to judge by; it takes {SAMPLES_MIN}"
        return _unknown(name, mean, why)
    if steady[-1][0] <= steady[0][0]:
        return _unknown(name, mean, "all samples are of one moment")
    per_hour, error = _line(_calmed(steady))
    most = per_hour + CERTAIN * error
    allowed = max(bound.per_hour_share_max * abs(mean), bound.absolute_per_hour_max)
    limit = f"allowed {_percent(bound.per_hour_share_max)}"
    if allowed > bound.per_hour_share_max * abs(mean):
        limit = f"allowed {_amount(allowed, bound.unit)}"
    if most <= allowed or per_hour > allowed:
        words = f"{name} {_grows(per_hour, bound.unit)} an hour: {_share(per_hour, mean)}; {limit}"
    else:
        words = (
            f"{name} swings too much to tell: it may grow by {_amount(most, bound.unit)} an hour, "
            f"{_share(most, mean)}; {limit}. A longer run tells"
        )
    return Slope(
        name=name,
        per_hour=per_hour,
        per_hour_most=most,
        per_hour_allowed=allowed,
        mean=mean,
        holds=most <= allowed,
        words=words,
    )


def _steady(name: str, samples: Samples, warmup_share: float) -> list[tuple[float, float]]:
    """The samples after the warm-up, in the order of time."""
    ordered = sorted(samples)
    if not all(math.isfinite(t_s) and math.isfinite(value) for t_s, value in ordered):
        raise ValueError(f"{name}: a sample is no finite number")
    if not ordered:
        return []
    began_s, ended_s = ordered[0][0], ordered[-1][0]
    from_s = began_s + warmup_share * (ended_s - began_s)
    return [(t_s, value) for t_s, value in ordered if t_s >= from_s]


def _calmed(samples: Samples) -> list[tuple[float, float]]:
    """Every sample as the median of itself and its neighbours; the first and the last lack one and are left out."""
    values = [value for _, value in samples]
    medians = map(median, zip(values, values[1:], values[2:], strict=False))
    return [(t_s, value) for (t_s, _), value in zip(samples[1:-1], medians, strict=True)]


def _line(samples: Samples) -> tuple[float, float]:
    """By how much the series grows in an hour, and how far that may be off, as one standard error."""
    middle_s = (samples[0][0] + samples[-1][0]) / 2
    half_s = (samples[-1][0] - samples[0][0]) / 2
    base = samples[0][1]  # a constant series becomes zeros, and so its slope
    times = [(t_s - middle_s) / half_s for t_s, _ in samples]
    values = [value - base for _, value in samples]
    weights = [1 - time * time for time in times]
    curves = _curves(times, weights)
    parts = [sum(w * v * c for w, v, c in zip(weights, values, curve, strict=True)) for curve in curves]
    # The first curve is flat, the second a straight line: by how much it rises in half the time scales all of them.
    rise = (curves[1][-1] - curves[1][0]) / 2
    bends = math.sqrt(fmean(part * part for part in parts[2:]))
    scale = rise * HOUR_S / half_s
    return parts[1] * scale, bends * scale


def _curves(times: Sequence[float], weights: Sequence[float]) -> list[list[float]]:
    """Polynomials of degree 0, 1, 2 ... at these times, each of them orthogonal to all others under the weights."""
    curves: list[list[float]] = []
    for degree in range(BENDS + 2):
        curve = [1.0] * len(times) if degree == 0 else [t * c for t, c in zip(times, curves[-1], strict=True)]
        for other in curves:
            common = sum(w * c * o for w, c, o in zip(weights, curve, other, strict=True))
            curve = [c - common * o for c, o in zip(curve, other, strict=True)]
        length = math.sqrt(sum(w * c * c for w, c in zip(weights, curve, strict=True)))
        curves.append([c / length for c in curve])
    return curves


def _unknown(name: str, mean: float, why: str) -> Slope:
    words = f"{name}: {why}"
    return Slope(name=name, per_hour=0.0, per_hour_most=0.0, per_hour_allowed=0.0, mean=mean, holds=False, words=words)


def _grows(per_hour: float, unit: str) -> str:
    return f"{'falls' if per_hour < 0 else 'grows'} by {_amount(abs(per_hour), unit)}"


def _amount(value: float, unit: str) -> str:
    digits = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits} {unit}".rstrip()


def _share(per_hour: float, mean: float) -> str:
    return f"{_percent(abs(per_hour) / abs(mean))} of its mean" if mean else "its mean is 0"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
