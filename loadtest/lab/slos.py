"""Whether a profile's promises hold, found in the merged record of the whole run. Pure.

`per_s` is the best whole second. `count` is how many good answers came. Latencies are those of the answers that count
as the kind, from the moment the person meant to act. `error_share` is the share of outages among all attempts of its
requests: a person who had to try three times met two. Nothing found breaks a promise, except one that there be at
most so many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from loadtest.profiles.profile import Measure, Slo
from loadtest.recording.kinds import Goodput, goodput_of, requests_of
from loadtest.recording.record import Record
from loadtest.report.model import SloResult

PERCENTILES: dict[str, float] = {"p50_ms": 50.0, "p90_ms": 90.0, "p99_ms": 99.0, "p999_ms": 99.9}


def results(slos: Sequence[Slo], record: Record) -> list[SloResult]:
    return [result(slo, record) for slo in slos]


def result(slo: Slo, record: Record) -> SloResult:
    found = measured(slo.kind, slo.measure, record)
    bound = slo.at_most if slo.at_most is not None else slo.at_least
    assert bound is not None
    return SloResult(
        words=slo.words, kind=slo.kind, measure=slo.measure, bound=bound, found=found, holds=holds(slo, found)
    )


def holds(slo: Slo, found: float | None) -> bool:
    if found is None:
        return False
    return found <= slo.at_most if slo.at_most is not None else found >= (slo.at_least or 0.0)


def measured(kind: Goodput, measure: Measure, record: Record) -> float | None:
    """None where nothing of the kind came and a time or a share has no meaning."""
    match measure:
        case "count":
            return float(count_of(kind, record))
        case "per_s":
            return float(max(per_second(kind, record).values(), default=0))
        case "error_share":
            return error_share(kind, record)
        case "p50_ms" | "p90_ms" | "p99_ms" | "p999_ms" | "max_ms":
            values = record.totals.get(kind)
            if values is None or values.get_total_count() == 0:
                return None
            percentile = 100.0 if measure == "max_ms" else PERCENTILES[measure]
            return round(float(values.get_value_at_percentile(percentile)) / 1000, 3)


def count_of(kind: Goodput, record: Record) -> int:
    return sum(per_second(kind, record).values())


def per_second(kind: Goodput, record: Record) -> Counter[int]:
    """Good answers in each second of the wall clock that had any."""
    counts: Counter[int] = Counter()
    for at, second in record.seconds.items():
        good = sum(
            count for (request, outcome), count in second.outcomes.items() if goodput_of(request, outcome) == kind
        )
        if good:
            counts[at] = good
    return counts


def outages(kind: Goodput, record: Record) -> int:
    """Attempts of its requests that found no answer."""
    requests = requests_of(kind)
    return sum(
        count
        for (request, outcome), count in record.outcomes().items()
        if request in requests and outcome.startswith("outage:")
    )


def error_share(kind: Goodput, record: Record) -> float | None:
    requests = requests_of(kind)
    attempts = sum(count for (request, _), count in record.outcomes().items() if request in requests)
    return outages(kind, record) / attempts if attempts else None
