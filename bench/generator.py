"""The load generator: as little Python per request as asyncio allows, in a process of its own.

A closed loop: every connection sends its next request when the last answer is complete. All request
bytes are made before the clock starts, an answer is read no further than its status, its length and one
marker, and the process measures its own CPU, so that a figure can say what the generator took from the
cores it shares. Latencies of a closed loop hide queueing: they are reported as orientation, the open
model belongs to the load tests. It refuses to retry, to reconnect and to guess: whatever is not a
complete HTTP/1.1 answer with a Content-Length counts as broken.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

from bench.apart import answer, apart

CONNECT_TIMEOUT_S = 10.0
DRAIN_TIMEOUT_S = 10.0
EXIT_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to send and for how long. `requests` are sent in order over all connections, from the first
    again when `repeat`; else the run ends early when they are used up."""

    port: int
    requests: Sequence[bytes]
    connections: int = 64
    warm_s: float = 0.5
    measure_s: float = 3.0
    repeat: bool = False
    marker: bytes = b"\r\n"
    host: str = "127.0.0.1"
    core: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came back. `statuses` and `marked` count the measured window, `statuses_all` the whole run."""

    seconds: float
    answers: int
    marked: int
    statuses: dict[int, int]
    statuses_all: dict[int, int]
    broken: int
    cpu_s: float
    p50_ms: float
    p99_ms: float
    samples: dict[int, str] = field(default_factory=dict)

    @property
    def per_s(self) -> float:
        return self.answers / self.seconds

    def rate_of(self, status: int) -> float:
        return self.statuses.get(status, 0) / self.seconds

    @property
    def cpu_share(self) -> float:
        """Share of one core that the generator used."""
        return self.cpu_s / self.seconds

    @property
    def cpu_us(self) -> float:
        return self.cpu_s * 1e6 / max(1, self.answers)


class _Tally:
    """Shared by all connections of a run."""

    __slots__ = ("broken", "idle", "latencies_s", "live", "marked", "samples", "statuses", "stopping")

    def __init__(self) -> None:
        self.statuses: dict[bytes, int] = {}
        self.samples: dict[int, str] = {}
        self.latencies_s: list[float] = []
        self.marked = 0
        self.broken = 0
        self.live = 0
        self.idle = asyncio.Event()
        self.stopping = False


class _Connection(asyncio.Protocol):
    __slots__ = ("_marker", "_part", "_requests", "_sent_at", "_tally", "_transport", "_write")

    def __init__(self, requests: Iterator[bytes], tally: _Tally, marker: bytes) -> None:
        self._requests = requests
        self._tally = tally
        self._marker = marker
        self._part = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast and not a check: uvloop's transports are not registered as asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._write = self._transport.write

    def start(self) -> None:
        self._tally.live += 1
        self._send_next()

    def data_received(self, chunk: bytes) -> None:
        if self._part:
            chunk = self._part + chunk
        head_end = chunk.find(b"\r\n\r\n") + 4
        at = chunk.find(b"Content-Length: ", 0, head_end) + 16
        if head_end < 4:
            self._part = chunk
            return
        status = chunk[9:12]
        if at >= 16:
            length = head_end + int(chunk[at : chunk.find(b"\r", at)])
        elif status == b"204":
            length = head_end
        else:
            self._stop(broken=True)
            return
        if len(chunk) != length:
            if len(chunk) > length:
                self._stop(broken=True)
            self._part = chunk
            return
        self._part = b""
        tally = self._tally
        if status in tally.statuses:
            tally.statuses[status] += 1
        else:
            tally.statuses[status] = 1
            tally.samples[int(status)] = chunk[head_end : head_end + 400].decode("utf-8", "replace")
        if self._marker in chunk:
            tally.marked += 1
        tally.latencies_s.append(time.perf_counter() - self._sent_at)
        self._send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop(broken=True)

    def _send_next(self) -> None:
        request = None if self._tally.stopping else next(self._requests, None)
        if request is None:
            self._stop(broken=False)
            return
        self._sent_at = time.perf_counter()
        self._write(request)

    def _stop(self, *, broken: bool) -> None:
        if self._part is _STOPPED:
            return
        self._part = _STOPPED
        self._tally.broken += broken
        self._tally.live -= 1
        if self._tally.live == 0:
            self._tally.idle.set()
        self._transport.close()


_STOPPED = b"stopped"


async def _run(plan: Plan) -> Measured:
    loop = asyncio.get_running_loop()
    tally = _Tally()
    requests = itertools.cycle(plan.requests) if plan.repeat else iter(plan.requests)
    connections: list[_Connection] = []
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        for _ in range(plan.connections):
            _, connection = await loop.create_connection(
                lambda: _Connection(requests, tally, plan.marker), plan.host, plan.port
            )
            connections.append(connection)
    for connection in connections:
        connection.start()
    await asyncio.sleep(plan.warm_s)

    before = dict(tally.statuses)
    answers_before, marked_before = len(tally.latencies_s), tally.marked
    cpu_before_s, began_at = time.process_time(), time.perf_counter()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(tally.idle.wait(), plan.measure_s)
    seconds, cpu_s = time.perf_counter() - began_at, time.process_time() - cpu_before_s
    answers_after, marked_after = len(tally.latencies_s), tally.marked
    after = dict(tally.statuses)

    # What is under way is answered and counted, so that 201s can be compared with rows in the ledger.
    tally.stopping = True
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(tally.idle.wait(), DRAIN_TIMEOUT_S)

    latencies_s = sorted(tally.latencies_s[answers_before:answers_after]) or [0.0]
    return Measured(
        seconds=seconds,
        answers=answers_after - answers_before,
        marked=marked_after - marked_before,
        statuses={int(status): count - before.get(status, 0) for status, count in after.items()},
        statuses_all={int(status): count for status, count in tally.statuses.items()},
        broken=tally.broken + tally.live,
        cpu_s=cpu_s,
        p50_ms=latencies_s[len(latencies_s) // 2] * 1e3,
        p99_ms=latencies_s[len(latencies_s) * 99 // 100] * 1e3,
        samples=tally.samples,
    )


def generate(plan: Plan) -> Measured:
    """Run the plan in a new process and return what it measured; raises when the process fails."""
    measured = apart("bench.generator", plan, timeout_s=plan.warm_s + plan.measure_s + EXIT_TIMEOUT_S)
    assert isinstance(measured, Measured)
    return measured


def main() -> None:
    answer(_run)
