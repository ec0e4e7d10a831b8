"""Scale: the same load on one worker, on two, and on as many as there are cores for; and what each request costs whom.

Nothing is bound to a core: stores, workers and generator share all of them, so on two cores a second worker takes what
the others leave. What carries over to other machines is the CPU per request of each process, which `floodgate plan`
multiplies; that it stays the same from one worker to the next is what this figure shows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from statistics import median

from bench import buyers, requests
from bench.crowds import queue_up
from bench.figures.common import Bench
from bench.figures.lining import FEW_PEOPLE
from bench.figures.ordering import durable_rate
from bench.report import Figure, Scaled
from bench.sales import FEW, LIVE

COUNTS = (1, 2, 4, 8)


def worker_counts() -> list[int]:
    """One and two everywhere; four and eight where there are as many cores."""
    return [count for count in COUNTS if count <= max(2, os.cpu_count() or 1)]


def scale(bench: Bench) -> list[Figure]:
    """Polls, live joins and durable orders for each number of workers, in turns."""
    kinds: dict[str, Callable[[Bench, str], float]] = {"polls": _polls, "joins": _joins, "orders": _orders}
    bench.stack.serve(1)
    queue_up(bench.stack, FEW, FEW_PEOPLE)
    rates: dict[tuple[str, int], list[float]] = {}
    for _ in range(bench.pace.rounds):
        for workers in worker_counts():
            bench.stack.serve(workers)
            for kind, measure in kinds.items():
                rate = measure(bench, _named(kind, workers))
                rates.setdefault((kind, workers), []).append(rate)
    for kind in kinds:
        alone = rates[kind, 1]
        for workers in worker_counts():
            found = rates[kind, workers]
            ratios = [rate / one for rate, one in zip(found, alone, strict=True)]
            bench.scaled.append(
                Scaled(
                    kind=kind,
                    workers=workers,
                    per_s=median(found),
                    ratio=median(ratios),
                    lowest=min(ratios),
                    highest=max(ratios),
                    web_us=bench.cost_us(_named(kind, workers), of="web-"),
                    redis_us=bench.cost_us(_named(kind, workers), of="redis"),
                    postgres_us=bench.cost_us(_named(kind, workers), of="postgres"),
                    generator_share=median(measured.cpu_share for measured, _ in bench.rounds[_named(kind, workers)]),
                )
            )
    return []


def _named(kind: str, workers: int) -> str:
    return f"{kind}, {workers} worker{'s' if workers > 1 else ''}"


def _polls(bench: Bench, name: str) -> float:
    stack, pace = bench.stack, bench.pace
    return bench.load(
        name,
        port=stack.port,
        send=[requests.line_poll(FEW)],
        expect=200,
        marker=b'"phase"',
        pids=stack.pids,
        connections=pace.order_connections,
        measure_s=pace.scale_measure_s,
    ).per_s


def _joins(bench: Bench, name: str) -> float:
    stack, pace = bench.stack, bench.pace
    return bench.load(
        name,
        port=stack.port,
        send=buyers.joins(stack, LIVE, int(pace.joins_per_s_max * (pace.warm_s + pace.scale_measure_s))),
        expect=201,
        pids=stack.pids,
        repeat=False,
        connections=pace.order_connections,
        measure_s=pace.scale_measure_s,
    ).per_s


def _orders(bench: Bench, name: str) -> float:
    return durable_rate(bench, name, measure_s=bench.pace.scale_measure_s)
