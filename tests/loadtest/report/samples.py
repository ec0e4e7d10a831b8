"""A drop as a report keeps it, made from one seed: the shapes of a real run at small scale, and a real record."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from functools import cache

from loadtest.recording.record import Record
from loadtest.recording.recorder import Recorder
from loadtest.report.model import (
    Arrived,
    Audit,
    CrossCheck,
    Generator,
    KindResult,
    Machine,
    Report,
    SloResult,
    Timeline,
)

T = list(range(-20, 71))
_WAVES = {
    # kind: (first second, best per second, how fast it fades, attempts per good answer, median ms)
    "joins": (-20, 240.0, 6.0, 1.02, 6.0),
    "polls": (-20, 900.0, 25.0, 1.0, 2.1),
    "passes": (0, 95.0, 18.0, 1.3, 9.0),
    "orders": (1, 80.0, 15.0, 4.0, 46.0),
    "refusals": (3, 310.0, 14.0, 1.05, 19.0),
    "checkouts": (2, 60.0, 18.0, 1.0, 88.0),
    "payments": (4, 52.0, 20.0, 1.1, 410.0),
}


@cache
def report(*, seed: int = 11, passed: bool = True, slower: float = 1.0) -> Report:
    """Half a thousand tickets for six thousand people; `slower` multiplies every latency."""
    dice = random.Random(seed)
    goodput = {kind: _wave(dice, first, best, fade) for kind, (first, best, fade, _, _) in _WAVES.items()}
    offered = {
        kind: [None if v is None else round(v * _WAVES[kind][3] * dice.uniform(1, 1.1)) for v in values]
        for kind, values in goodput.items()
    }
    latency = {kind: _latencies(dice, goodput[kind], _WAVES[kind][4] * slower) for kind in goodput}
    kinds = {kind: _kind(dice, goodput[kind], _WAVES[kind][4] * slower) for kind in goodput}
    orders_p99 = kinds["orders"].p99_ms or 0
    bound = 800.0 if passed else round(orders_p99 / 2)
    slos = [
        SloResult("orders p99_ms at most " + f"{bound:g}", "orders", "p99_ms", bound, orders_p99, passed),
        SloResult("polls p99_ms at most 50", "polls", "p99_ms", 50, kinds["polls"].p99_ms, True),
        SloResult("orders error_share at most 0.001", "orders", "error_share", 0.001, 0.0, True),
        SloResult("payments count at least 300", "payments", "count", 300, kinds["payments"].count, True),
        SloResult("refusals p99_ms at most 400", "refusals", "p99_ms", 400, kinds["refusals"].p99_ms, True),
    ]
    return Report(
        story={
            "name": "concert-drop",
            "title": "A concert drop: lobby, opening, tail, second wave",
            "title_zh": "演唱会开售：候场、开闸、长尾与第二波",
            "about": "Six thousand people gather for fifteen hundred tickets. Half of them wait in the lobby, the rest "
            "come with the opening and after it; unpaid holds lapse and make a second wave.",
            "sources": ["Demand 4:1, a calm case of the ratios in public reports", "Times to pay: a guess, lognormal"],
        },
        profile={"story": {"name": "concert-drop"}, "scale": {"people": 0.05, "pace": 20.0}, "seed": seed},
        digest="3f9ac01d22b7",
        seed=seed,
        command="floodgate loadtest concert-drop --scale 0.05 --pace 20",
        started_at="2026-11-22T08:31:05Z",
        duration_s=91.4,
        machine=Machine(2, "AMD EPYC 7763", "Linux 6.1 x86_64", 7.75, 0.31),
        versions={"floodgate": "0.1.0", "python": "3.11.7", "postgres": "18.1", "redis": "valkey 9.1.0"},
        passed=passed,
        headline=(
            "The books agree, all 5 SLOs hold, the generator kept up."
            if passed
            else f"1 of 5 SLOs is broken: orders p99_ms at most {bound:g}."
        ),
        slos=slos,
        audit=Audit(
            figures={
                "capacity": 1500,
                "sold": 1500,
                "oversold": 0,
                "undersold": 0,
                "paid_orders": 702,
                "paid_fen": 61_204_000,
                "refunded_fen": 176_000,
                "lost_paid": 0,
                "double_paid": 0,
            },
            reasons=[],
            checked=["PostgreSQL against Redis", "WeChat's ledger against orders", "what buyers were told", "the draw"],
            holds=True,
        ),
        arrived=Arrived(6000, 1, 1 / 6000, 0.001, True),
        generator=Generator("open loop", 2, 0.46, False, "The busiest process used 46 % of a core at p95."),
        kinds=kinds,
        timeline=Timeline(
            t_s=T,
            goodput=goodput,
            offered=offered,
            arrivals=_wave(dice, -20, 300.0, 5.0),
            latency_ms=latency,
            stock=_stock(),
            line={
                "waiting": [max(0, 2950 - 48 * max(0, t)) + dice.randrange(20) for t in T],
                "called": [min(2400, 42 * max(0, t)) for t in T],
                "admitted": [min(2100, 37 * max(0, t)) for t in T],
            },
            cpu={
                name: [min(1.0, max(0.02, base * _heat(t) * dice.uniform(0.85, 1.15))) for t in T]
                for name, base in (
                    ("generator-0", 0.46),
                    ("generator-1", 0.44),
                    ("web-0", 0.62),
                    ("web-1", 0.6),
                    ("work", 0.12),
                    ("redis", 0.1),
                    ("postgres", 0.5),
                    ("simulator", 0.4),
                )
            },
            memory_mib={
                name: [base + 0.05 * base * _heat(t) + 0.01 * (t + 20) for t in T]
                for name, base in (("web-0", 96), ("web-1", 95), ("work", 88), ("redis", 22), ("postgres", 210))
            },
            connections=[min(640.0, 40 + 12.0 * (t + 20)) for t in T],
            redis_keys=[20 + 1.5 * (t + 20) for t in T],
        ),
        outcomes={
            "join": {"201": 5900, "200": 61},
            "line": {"200": 30_400},
            "order": {"201": 905, "SOLD_OUT": 2101, "ALL_HELD": 1400, "outage:timeout": 3},
            "payment": {"200": 900},
        },
        saturation={
            kind: [(float(o), float(g)) for o, g in zip(offered[kind], goodput[kind], strict=True) if o and g]
            for kind in ("polls", "orders", "refusals")
        },
        costs={
            "web": 812.0,
            "work": 61.0,
            "postgres": 430.0,
            "redis": 55.0,
            "simulator": 702.0,
            "simulator_signing": 510.0,
            "generator": 640.0,
        },
        ended={"paid": 702, "sold_out": 4120, "left_the_line": 310, "hold_lapsed": 203, "still_waiting": 665},
        notes=["Load average before the run was 0.3.", "Holds last 30 s: ten minutes at a pace of 20."],
        cross_checks=[
            CrossCheck(
                "autocannon 8.0",
                "/v1/sales/{sale}/line",
                2000,
                {"per_s": 1999, "p50_ms": 1.1, "p99_ms": 4.2},
                {"per_s": 2000, "p50_ms": 1, "p99_ms": 4},
                True,
                "p99 within the spread of three rounds.",
            )
        ],
        extra={"soak": {"words": "Flat.", "slopes": [{"series": "rss web-0", "per_hour": 0.4, "holds": True}]}},
    )


def record(*, seed: int = 11, at: int = 1_795_336_265) -> Record:
    """Three seconds of two kinds, heard by a real recorder, and a fourth of outages only."""
    dice, clock = random.Random(seed), [float(at)]
    recorder = Recorder(wall_s=lambda: clock[0])
    for second in range(3):
        clock[0] = float(at + second)
        for _ in range(200):
            recorder.observe("join", "201", dice.lognormvariate(-5, 0.5))
            recorder.observe("order", "201", dice.lognormvariate(-3, 0.7))
    clock[0] += 1
    recorder.observe("order", "outage:timeout", 5.0)
    recorder.finish()
    return Record.of(recorder)


def _heat(t: float) -> float:
    return 0.15 if t < -8 else 0.5 if t < 0 else 0.25 + 1.1 * math.exp(-t / 25)


def _wave(dice: random.Random, first: int, best: float, fade: float) -> list[float | None]:
    def height(t: int) -> float:
        if t < first:
            return 0
        if t < 0:
            return 0.1 * best * (t + 21) / 20
        second = 0.35 * math.exp(-((t - 32) ** 2) / 20) if first >= 0 else 0
        return best * (min(1, (t - first + 1) / 3) * math.exp(-max(0, t - first) / fade) + second)

    return [round(height(t) * dice.uniform(0.85, 1.15)) for t in T]


def _latencies(dice: random.Random, counts: Sequence[float | None], median: float) -> dict[str, Sequence[float | None]]:
    def every(factor: Callable[[float], float]) -> list[float | None]:
        return [
            None if not count else round(median * factor(_heat(t)) * dice.uniform(0.85, 1.2), 3)
            for t, count in zip(T, counts, strict=True)
        ]

    return {
        "p50": every(lambda heat: 0.8 + heat),
        "p90": every(lambda heat: 1.5 + 2 * heat),
        "p99": every(lambda heat: 2.5 + 4 * heat),
        "max": every(lambda heat: 4 + 9 * heat),
    }


def _kind(dice: random.Random, counts: Sequence[float | None], median: float) -> KindResult:
    there = [count for count in counts if count]
    values = sorted(median * dice.lognormvariate(0, 0.6) for _ in range(int(sum(there))))

    def at(percentile: float) -> float:
        return round(values[min(len(values) - 1, int(len(values) * percentile / 100))], 3)

    wanted = [0, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 97.5, 99, 99.5, 99.9, 99.95, 99.99, 100]
    return KindResult(
        count=len(values),
        per_s_mean=sum(there) / len(there),
        per_s_best=max(there),
        outage_count=0,
        p50_ms=at(50),
        p90_ms=at(90),
        p99_ms=at(99),
        p999_ms=at(99.9),
        max_ms=round(values[-1], 3),
        distribution=[(p, at(p)) for p in wanted],
    )


def _stock() -> dict[str, Sequence[float | None]]:
    sold = [round(1500 * (1 - math.exp(-max(0, t - 3) / 16))) if t < 65 else 1500 for t in T]
    held = [
        min(1500 - s, round(420 * math.exp(-((t - 12) ** 2) / 300))) if t > 0 else 0
        for s, t in zip(sold, T, strict=True)
    ]
    return {"free": [1500 - s - h for s, h in zip(sold, held, strict=True)], "held": held, "sold": sold}
