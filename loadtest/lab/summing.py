"""From the merged record to what a report says of each kind of goodput, and to series by second. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from hdrh.histogram import HdrHistogram

from loadtest.lab.slos import outages, per_second
from loadtest.lab.watching import Sample
from loadtest.recording.kinds import GOODPUTS, Goodput, requests_of
from loadtest.recording.record import Record
from loadtest.recording.recorder import Second
from loadtest.report.model import KindResult, Series, Timeline

POINTS: Sequence[float] = (
    *range(0, 90, 5),
    *(90, 92, 94, 95, 96, 97, 98, 98.5, 99, 99.25, 99.5, 99.75, 99.9, 99.95, 99.99, 99.995, 99.999, 100),
)
"""Where a distribution is read; denser towards 100."""
SECOND_PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "max": 100.0}


def kinds(record: Record) -> dict[str, KindResult]:
    """What came of every kind that anybody asked for."""
    return {kind: one for kind in GOODPUTS if (one := _kind(kind, record)) is not None}


def _kind(kind: Goodput, record: Record) -> KindResult | None:
    answered = per_second(kind, record)
    failed = outages(kind, record)
    if not answered and not failed:
        return None
    values = record.totals.get(kind)

    def at(percentile: float) -> float | None:
        return None if values is None else _ms(values, percentile)

    count = sum(answered.values())
    return KindResult(
        count=count,
        per_s_mean=round(count / len(answered), 2) if answered else 0.0,
        per_s_best=float(max(answered.values(), default=0)),
        outage_count=failed,
        p50_ms=at(50),
        p90_ms=at(90),
        p99_ms=at(99),
        p999_ms=at(99.9),
        max_ms=at(100),
        distribution=distribution(values),
    )


def distribution(values: HdrHistogram | None) -> list[tuple[float, float]]:
    """(percentile, milliseconds), rising."""
    if values is None or values.get_total_count() == 0:
        return []
    return [(float(percentile), _ms(values, percentile)) for percentile in POINTS]


def _ms(values: HdrHistogram, percentile: float) -> float:
    return round(float(values.get_value_at_percentile(percentile)) / 1000, 3)


def outcomes(record: Record) -> dict[str, dict[str, int]]:
    """Kind of request to outcome to count, the most frequent first."""
    told: dict[str, dict[str, int]] = {}
    for (kind, outcome), count in record.outcomes().most_common():
        told.setdefault(kind, {})[outcome] = count
    return dict(sorted(told.items()))


def timeline(
    record: Record, samples: Sequence[Sample], generator: dict[int, dict[str, float]], *, opens_at_s: float
) -> Timeline:
    """Everything by whole seconds from the opening. `generator`: wall second to process to its share of a core."""
    zero = int(opens_at_s)
    heard = [*record.seconds, *(int(sample.wall_s) for sample in samples)]
    walls = range(min(heard), max(heard) + 1) if heard else range(0)
    at = {int(sample.wall_s): index for index, sample in enumerate(samples)}
    groups = sorted({name for sample in samples for name in sample.cpu_share})
    ours = sorted({name for shares in generator.values() for name in shares})
    good = {kind: counts for kind in GOODPUTS if (counts := per_second(kind, record))}

    def sampled(read: Callable[[Sample], float | None]) -> Series:
        return [read(samples[at[wall]]) if wall in at else None for wall in walls]

    def parts(names: Iterable[str], read: Callable[[Sample], tuple[int, int, int] | None]) -> dict[str, Series]:
        def one(index: int) -> Series:
            return sampled(lambda sample: None if (all_of := read(sample)) is None else float(all_of[index]))

        return {name: one(index) for index, name in enumerate(names)}

    seconds = [record.seconds.get(wall, Second()) for wall in walls]
    own: dict[str, Series] = {name: [generator.get(wall, {}).get(name) for wall in walls] for name in ours}
    shares, memory = [sample.cpu_share for sample in samples], [sample.memory_mib for sample in samples]
    charged = {name: _named(name, shares, at, walls) for name in groups if name not in ours}
    return Timeline(
        t_s=[float(at - zero) for at in walls],
        goodput={kind: [float(counts[wall]) for wall in walls] for kind, counts in good.items()},
        offered={kind: [_offered(kind, second) for second in seconds] for kind in good},
        arrivals=[float(second.begun) for second in seconds],
        latency_ms={kind: _latencies(kind, seconds) for kind in good},
        stock=parts(("free", "held", "sold"), lambda sample: sample.stock),
        line=parts(("waiting", "called", "admitted"), lambda sample: sample.line),
        cpu={**own, **charged},
        memory_mib={name: _named(name, memory, at, walls) for name in groups},
        connections=sampled(lambda sample: sample.connections),
        redis_keys=sampled(lambda sample: sample.redis_keys),
    )


def _named(name: str, each: Sequence[Mapping[str, float]], at: Mapping[int, int], walls: Iterable[int]) -> Series:
    """One process's series from what every sample says of all of them."""
    return [each[at[wall]].get(name) if wall in at else None for wall in walls]


def _offered(kind: Goodput, second: Second) -> float:
    requests = requests_of(kind)
    return float(sum(count for (request, _), count in second.outcomes.items() if request in requests))


def _latencies(kind: Goodput, seconds: Sequence[Second]) -> dict[str, Series]:
    series: dict[str, list[float | None]] = {name: [] for name in SECOND_PERCENTILES}
    for second in seconds:
        encoded = second.histograms.get(kind)
        found: dict[float, int] = {}
        if encoded is not None:
            found = HdrHistogram.decode(encoded).get_percentile_to_value_dict(list(SECOND_PERCENTILES.values()))
        for name, percentile in SECOND_PERCENTILES.items():
            series[name].append(round(found[percentile] / 1000, 3) if found else None)
    return dict(series)
