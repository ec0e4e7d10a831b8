"""Shoppers: a closed loop of whole checkouts, each from the order to the payment, in a process of its own.

A shopper places an order, asks for the payment's parameters and pays at the simulator; the simulator
calls the engine back by itself. When an order is paid is not judged here: the ledger says so, and the
bench asks it. Like the generator it prepares what it can before the clock starts and measures its own
CPU. It refuses to go on after an answer it did not expect: a checkout that fails is counted by the step
at which it failed and is not tried again.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import orjson

from bench.apart import answer, apart
from bench.requests import post

PROCESS_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One checkout: `order` is the whole order request, `bearer` the buyer's Authorization value."""

    order: bytes
    bearer: str
    openid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrandPlan:
    engine_port: int
    simulator_port: int
    errands: Sequence[Errand]
    shoppers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shopped:
    """`began_at_s` is wall-clock time, to be compared with the ledger's; `failed` counts by step."""

    began_at_s: float
    seconds: float
    done: int
    failed: dict[str, int]
    cpu_s: float
    p50_ms: float
    p99_ms: float

    @property
    def cpu_share(self) -> float:
        return self.cpu_s / self.seconds


class Wire(asyncio.Protocol):
    """One keep-alive connection that carries one request at a time."""

    __slots__ = ("_answer", "_part", "_transport")

    def __init__(self) -> None:
        self._part = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """The answer's status and body; ConnectionError when the server hangs up first."""
        answer = asyncio.get_running_loop().create_future()
        self._answer = answer
        self._transport.write(request)
        return answer

    def close(self) -> None:
        self._transport.close()

    def data_received(self, chunk: bytes) -> None:
        chunk = self._part + chunk
        head_end = chunk.find(b"\r\n\r\n") + 4
        at = chunk.find(b"Content-Length: ", 0, head_end) + 16
        length = int(chunk[at : chunk.find(b"\r", at)]) if at >= 16 else 0
        if head_end < 4 or len(chunk) < head_end + length:
            self._part = chunk
            return
        self._part = b""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((int(chunk[9:12]), chunk[head_end:]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the server closed the connection"))


async def connect(port: int) -> Wire:
    _, wire = await asyncio.get_running_loop().create_connection(Wire, "127.0.0.1", port)
    return wire


async def check_out(errand: Errand, *, engine: Wire, simulator: Wire) -> str | None:
    """None when the buyer has paid, else the step that failed and its status."""
    status, body = await engine.ask(errand.order)
    if status != 201:
        return f"order {status}"
    order_no = orjson.loads(body)["order_no"]
    status, body = await engine.ask(post(f"/v1/orders/{order_no}/payment", b"{}", Authorization=errand.bearer))
    if status != 200:
        return f"payment {status} {body[:200].decode(errors='replace')}"
    wanted = orjson.loads(body)
    status, body = await simulator.ask(post("/_buyer/pay", orjson.dumps({"openid": errand.openid, **wanted})))
    if status != 200 or not orjson.loads(body)["result"].endswith("ok"):
        return f"pay {status} {body[:200].decode(errors='replace')}"
    return None


async def _run(plan: ErrandPlan) -> Shopped:
    waiting = deque(plan.errands)
    failed: Counter[str] = Counter()
    latencies_s: list[float] = []
    wires = [(await connect(plan.engine_port), await connect(plan.simulator_port)) for _ in range(plan.shoppers)]

    async def shop(engine: Wire, simulator: Wire) -> None:
        while waiting:
            errand = waiting.popleft()
            began_at = time.perf_counter()
            problem = await check_out(errand, engine=engine, simulator=simulator)
            latencies_s.append(time.perf_counter() - began_at)
            if problem is not None:
                failed[problem] += 1

    cpu_before_s = time.process_time()
    began_at_s, began_at = time.time(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for engine, simulator in wires:
            group.create_task(shop(engine, simulator))
    seconds = time.perf_counter() - began_at
    cpu_s = time.process_time() - cpu_before_s

    latencies_s.sort()
    return Shopped(
        began_at_s=began_at_s,
        seconds=seconds,
        done=len(latencies_s) - failed.total(),
        failed=dict(failed),
        cpu_s=cpu_s,
        p50_ms=latencies_s[len(latencies_s) // 2] * 1e3,
        p99_ms=latencies_s[len(latencies_s) * 99 // 100] * 1e3,
    )


def shop(plan: ErrandPlan) -> Shopped:
    """Run the errands in a new process; raises when the process fails."""
    shopped = apart("bench.shoppers", plan, timeout_s=PROCESS_TIMEOUT_S)
    assert isinstance(shopped, Shopped)
    return shopped


def main() -> None:
    answer(_run)
