"""A long run at a steady load: memory, connections, latency and Redis keys must be flat. Pure.

A sale remembers its people for as long as it lasts: orders and places in the stores, buckets and seals in the workers.
That growth goes with people, not with time, and ends with the sale. So every process has an allowance per person, far
above what one costs; what grows beyond it is a leak. Only the time in which people come is judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from loadtest.report.model import Series, Timeline
from loadtest.slopes import WARMUP_SHARE, Bound, Samples, judge

LATENCY_KINDS = ("joins", "passes", "orders", "checkouts", "payments")
LATENCY_WINDOW_S = 5
"""At a quiet load the p99 of one second is the slowest of a few; the middle one of several such says more."""
GENERATOR = "generator"
"""Its memory is its own business: it remembers everybody to the end."""
PER_PERSON_KIB = {"redis": 1.0, "postgres": 12.0, "simulator": 4.0, "web-*": 2.0, "*": 0.5}
"""What a person may leave behind in a process, for as long as the sale lasts. The first name that fits counts.

Found in a soak: 0.6 in Redis; 10 in PostgreSQL, whose buffers fill until they are full; 1.8 in the simulator's
ledger; in each web worker 1.3, of which three seals that were found genuine are 0.9, two buckets the rest; all are
bounded."""
KEYS_PER_PERSON = 1.0
SHARE_PER_HOUR = 0.05
LATENCY_SHARE_PER_HOUR = 0.2
LATENCY_MS_PER_HOUR = 480.0
"""120 ms in a quarter of an hour: shared cores alone move a p99 of 20 ms by half of that, and slowly."""
LOOKED_AT_MS_PER_HOUR = 1000.0
"""Of what people only learn by looking again, after 0.4 to 2 seconds."""
CONNECTIONS_PER_HOUR = 120.0
"""At 15 people a second that is one connection for 450 of them that would never be closed."""
HOUR_S = 3600.0


def told(timeline: Timeline, *, warmup_share: float = WARMUP_SHARE) -> dict[str, Any]:
    """What the report keeps as `extra["soak"]`: holds, words, people_per_s, judged_s, and a row for every series."""
    came = [t_s for t_s, people in zip(timeline.t_s, timeline.arrivals, strict=True) if people and t_s >= 0]
    if not came:
        return {"holds": False, "words": "Nobody came: there is nothing to judge.", "series": []}
    from_s, until_s = came[0], came[-1]
    people = sum(n or 0 for n in timeline.arrivals)
    per_hour = people / max(1.0, until_s - from_s) * HOUR_S
    series = {name: _within(samples, from_s, until_s) for name, samples in _series(timeline)}
    verdicts = judge(series, list(_bounds(per_hour)), warmup_share=warmup_share)
    # A bound that names nothing is a process that this stack does not have, or a kind that nobody came for.
    verdicts = [one for one in verdicts if one.name in series]
    leaks = [one for one in verdicts if not one.holds]
    return {
        "holds": bool(verdicts) and not leaks,
        "words": " ".join(f"{one.words}." for one in leaks) or f"All {len(verdicts)} series are flat.",
        "people_per_s": round(per_hour / HOUR_S, 2),
        "judged_s": round((until_s - from_s) * (1 - warmup_share)),
        "series": [
            {
                "name": one.name,
                "holds": one.holds,
                "mean": round(one.mean, 2),
                "per_hour": round(one.per_hour, 2),
                "per_hour_most": round(one.per_hour_most, 2),
                "per_hour_allowed": round(one.per_hour_allowed, 2),
                "words": one.words,
            }
            for one in verdicts
        ],
    }


def _series(timeline: Timeline) -> Iterator[tuple[str, Samples]]:
    for process, values in timeline.memory_mib.items():
        if not process.startswith(GENERATOR):
            yield f"{process} memory", _known(timeline.t_s, values)
    yield "connections", _known(timeline.t_s, timeline.connections)
    yield "redis keys", _known(timeline.t_s, timeline.redis_keys)
    for kind in LATENCY_KINDS:
        if kind in timeline.latency_ms:
            yield f"{kind} p99", _medians(_known(timeline.t_s, timeline.latency_ms[kind]["p99"]))


def _bounds(people_per_hour: float) -> Iterator[Bound]:
    for process, kib in PER_PERSON_KIB.items():
        yield Bound(
            name=f"{process} memory",
            per_hour_share_max=SHARE_PER_HOUR,
            absolute_per_hour_max=people_per_hour * kib / 1024,
            unit="MiB",
        )
    yield Bound(name="connections", per_hour_share_max=SHARE_PER_HOUR, absolute_per_hour_max=CONNECTIONS_PER_HOUR)
    yield Bound(
        name="redis keys",
        per_hour_share_max=SHARE_PER_HOUR,
        absolute_per_hour_max=people_per_hour * KEYS_PER_PERSON,
    )
    yield Bound(
        name="payments p99",
        per_hour_share_max=LATENCY_SHARE_PER_HOUR,
        absolute_per_hour_max=LOOKED_AT_MS_PER_HOUR,
        unit="ms",
    )
    yield Bound(
        name="* p99",
        per_hour_share_max=LATENCY_SHARE_PER_HOUR,
        absolute_per_hour_max=LATENCY_MS_PER_HOUR,
        unit="ms",
    )


def _known(t_s: Sequence[float], values: Series) -> Samples:
    return [(at, value) for at, value in zip(t_s, values, strict=True) if value is not None]


def _within(samples: Samples, from_s: float, until_s: float) -> Samples:
    return [(at, value) for at, value in samples if from_s <= at <= until_s]


def _medians(samples: Samples) -> Samples:
    return [
        (samples[at][0], median(value for _, value in samples[at : at + LATENCY_WINDOW_S]))
        for at in range(0, len(samples) - LATENCY_WINDOW_S + 1, LATENCY_WINDOW_S)
    ]
