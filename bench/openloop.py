"""An open loop: requests leave at their appointed times, whatever became of those before them.

Latency counts from the appointed time, so a server that stalls cannot hide it by slowing the sender down. Arrivals are
Poisson, drawn from a seed. A process of its own; everything is made before the clock starts; a request that finds no
free connection waits for one, and the wait counts.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.apart import answer, apart
from bench.shoppers import Wire, connect

PROCESS_TIMEOUT_S = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """All requests once, at `per_s` on average."""

    port: int
    requests: Sequence[bytes]
    per_s: float
    connections: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """`offered_per_s` is what was really sent; `late_ms` is how far behind its schedule the sender itself was."""

    offered_per_s: float
    statuses: dict[int, int]
    p50_ms: float
    p99_ms: float
    worst_ms: float
    late_ms: float
    seconds: float
    cpu_s: float


async def _run(schedule: Schedule) -> Sent:
    dice = random.Random(schedule.seed)
    free: asyncio.Queue[Wire] = asyncio.Queue()
    for _ in range(schedule.connections):
        free.put_nowait(await connect(schedule.port))
    statuses: Counter[int] = Counter()
    latencies_s: list[float] = []
    lags_s: list[float] = []

    async def send(request: bytes, appointed: float) -> None:
        wire = await free.get()
        status, _ = await wire.ask(request)
        free.put_nowait(wire)
        latencies_s.append(time.perf_counter() - appointed)
        statuses[status] += 1

    cpu_before_s = time.process_time()
    began = appointed = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for request in schedule.requests:
            appointed += dice.expovariate(schedule.per_s)
            wait_s = appointed - time.perf_counter()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            lags_s.append(time.perf_counter() - appointed)
            group.create_task(send(request, appointed))
        sent_s = time.perf_counter() - began
    cpu_s = time.process_time() - cpu_before_s
    latencies_s.sort()
    lags_s.sort()
    count = len(latencies_s)
    return Sent(
        offered_per_s=count / sent_s,
        statuses=dict(statuses),
        p50_ms=latencies_s[count // 2] * 1e3,
        p99_ms=latencies_s[count * 99 // 100] * 1e3,
        worst_ms=latencies_s[-1] * 1e3,
        late_ms=lags_s[count * 99 // 100] * 1e3,
        seconds=time.perf_counter() - began,
        cpu_s=cpu_s,
    )


def send_all(schedule: Schedule) -> Sent:
    """Run the schedule in a new process; raises when the process fails."""
    sent = apart("bench.openloop", schedule, timeout_s=PROCESS_TIMEOUT_S)
    assert isinstance(sent, Sent)
    return sent


def main() -> None:
    answer(_run)
