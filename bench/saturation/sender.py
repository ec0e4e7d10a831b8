"""The sender: a bounded number of connections, as a balancer has them, before a flood that knows no bound.

Whoever comes takes a free connection at once or waits in line at the sender; the line costs next to nothing, so ten
times the peak is offered for the price of what is answered. A process of its own; everything is made before the clock
starts; it tells the CPU that it took and how far it fell behind itself. It refuses to retry and to reconnect.
"""

from __future__ import annotations

import asyncio
import math
import random
import resource
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.apart import answer, apart
from bench.machine import cpu_use
from bench.saturation.arrivals import TICK_S, Arrivals, Stretch
from bench.saturation.carriers import BROKEN, NOTHING_LEFT, PAID, Carrier, Connection, Shopper, Supply
from bench.saturation.fates import Flooded, Tally
from bench.saturation.line import Line
from bench.shoppers import Errand, connect

DRAIN_TIMEOUT_S = 30.0
CONNECTS_AT_ONCE = 200
EXIT_TIMEOUT_S = 120.0
CLIENT_FILES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodPlan:
    """What is sent, over what, and at which rates one after the other.

    `send`: requests, sent again from the first when `repeat`; or errands, each a whole checkout, which need
    `simulator_port`. `wanted`: the status of a good answer, which also has the marker.
    """

    port: int
    send: Sequence[bytes] | Sequence[Errand]
    stretches: Sequence[Stretch]
    connections: int
    wanted: int = 200
    marker: bytes = b"HTTP/1.1"
    repeat: bool = False
    simulator_port: int | None = None
    patience_s: float = 1.0
    deadline_s: float = 1.0
    seed: int = 1
    core: int | None = None
    pids: Mapping[str, int]


class _Sender:
    """Joins those who come to the carriers that are free."""

    def __init__(self, patience_s: float) -> None:
        self._line = Line(patience_s=patience_s)
        # Each in turn: the workers of one port have some of the connections each, and all of them should have work.
        self._idle: deque[Carrier] = deque()
        self._busy_count = 0
        self._tally: Tally | None = None
        self._quiet = asyncio.Event()

    def take_on(self, carrier: Carrier) -> None:
        """One more that is free."""
        self._idle.append(carrier)

    async def run(self, tally: Tally) -> float:
        """One stretch, until everybody has a fate; the most that the clock was late, in seconds."""
        self._tally = tally
        lag_s, next_s = 0.0, time.perf_counter()
        while next_s < tally.arrivals.ends_s + TICK_S:
            now_s = time.perf_counter()
            lag_s = max(lag_s, now_s - next_s)
            for came_s, count in tally.arrivals.due(now_s):
                tally.came(came_s, count)
                self._line.join(came_s, count)
            tally.gave_up(self._line.leave(now_s))
            while self._idle and (first_s := self._line.next(now_s)) is not None:
                self._start(self._idle.popleft(), first_s)
            next_s += TICK_S * max(1, math.ceil((now_s - next_s) / TICK_S))
            await asyncio.sleep(max(0.0, next_s - time.perf_counter()))
        # Those who still wait would be served now that nobody newer comes, and flatter the rate.
        tally.gave_up(self._line.close())
        self._quiet.clear()
        if self._busy_count:
            await asyncio.wait_for(self._quiet.wait(), DRAIN_TIMEOUT_S)
        return lag_s

    def done(self, carrier: Carrier, came_s: float, answer: str, refused: bool) -> None:
        """A carrier is through with what it had."""
        assert self._tally is not None
        now_s = time.perf_counter()
        self._tally.answered(answer, came_s, now_s, refused=refused)
        self._busy_count -= 1
        if answer not in (BROKEN, NOTHING_LEFT):
            if (next_s := self._line.next(now_s)) is not None:
                self._start(carrier, next_s)
                return
            self._idle.append(carrier)
        if not self._busy_count:
            self._quiet.set()

    def _start(self, carrier: Carrier, came_s: float) -> None:
        self._busy_count += 1
        carrier.carry(came_s)


async def _run(plan: FloodPlan) -> list[Flooded]:
    sender = _Sender(plan.patience_s)
    carriers = await _carriers(plan, sender)
    dice = random.Random(plan.seed)
    found = []
    for stretch in plan.stretches:
        before, began_s = cpu_use(plan.pids), time.perf_counter()
        arrivals = Arrivals(stretch, begins_s=began_s, dice=dice)
        tally = Tally(stretch, arrivals, PAID if plan.simulator_port is not None else str(plan.wanted), plan.deadline_s)
        used = _Used()
        asyncio.get_running_loop().call_later(stretch.warm_s, used.start)
        lag_s = await sender.run(tally)
        share = used.share()
        seconds = time.perf_counter() - began_s
        spent = cpu_use(plan.pids).since(before)
        found.append(tally.told(seconds=seconds, sender_share=share, lag_s=lag_s, spent_s=spent.seconds))
    for carrier in carriers:
        carrier.close()
    return found


class _Used:
    """This process' share of one core since the start."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self._cpu_s, self._at_s = time.process_time(), time.perf_counter()

    def share(self) -> float:
        return (time.process_time() - self._cpu_s) / (time.perf_counter() - self._at_s)


async def _carriers(plan: FloodPlan, sender: _Sender) -> list[Connection | Shopper]:
    """All carriers, connected and free."""
    loop = asyncio.get_running_loop()
    errands = Supply([one for one in plan.send if isinstance(one, Errand)], repeat=plan.repeat)
    requests = Supply([one for one in plan.send if isinstance(one, bytes)], repeat=plan.repeat)

    async def one() -> Connection | Shopper:
        if plan.simulator_port is not None:
            engine, simulator = await connect(plan.port), await connect(plan.simulator_port)
            return Shopper(errands, engine, simulator, sender.done)
        _, connection = await loop.create_connection(
            lambda: Connection(requests, plan.marker, sender.done), "127.0.0.1", plan.port
        )
        return connection

    found: list[Connection | Shopper] = []
    while len(found) < plan.connections:
        some = min(CONNECTS_AT_ONCE, plan.connections - len(found))
        found += await asyncio.gather(*(one() for _ in range(some)))
    for carrier in found:
        sender.take_on(carrier)
    return found


def flood(plan: FloodPlan) -> list[Flooded]:
    """Run the plan in a new process: what each stretch found, in order. Raises when the process fails."""
    lasts_s = sum(stretch.warm_s + stretch.measure_s for stretch in plan.stretches)
    found = apart("bench.saturation.sender", plan, timeout_s=lasts_s + EXIT_TIMEOUT_S)
    assert isinstance(found, list)
    return found


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard < CLIENT_FILES and hard > 0 else CLIENT_FILES, hard))
    answer(_run)
