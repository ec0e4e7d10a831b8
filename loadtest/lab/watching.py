"""What the machine does meanwhile: CPU and memory of every process of stack and generator, stock, line, Redis keys.

One sample a second. A group is a process of the stack with its children (PostgreSQL and the simulator are many). CPU
is what the operating system charged since the last sample, as a share of one core. Memory is the private part of each
process and the largest shared part, because PostgreSQL's processes share most of theirs.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import psutil
import redis.asyncio
from redis.exceptions import RedisError

from loadtest.books.watch import Watch
from loadtest.wires.port import Body

SAMPLE_S = 1.0
FAMILY_EVERY = 3
"""The children are looked up anew in every n-th sample; that reads the whole process table."""
NAMES = {"valkey": "redis"}
REDIS_TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True)
class Sample:
    wall_s: float
    cpu_share: Mapping[str, float]
    memory_mib: Mapping[str, float]
    connections: int | None
    stock: tuple[int, int, int] | None
    """free, held, sold: units of all SKUs."""
    line: tuple[int, int, int] | None
    """waiting, called, admitted (passes used): people of all lanes."""
    orders: Mapping[str, int]
    redis_keys: int | None


class Meter:
    """CPU and memory of groups of processes."""

    def __init__(self, pids: Callable[[], Mapping[str, int]]) -> None:
        """`pids` names the first process of each group at the moment."""
        self._pids = pids
        self._families: dict[str, list[psutil.Process]] = {}
        self._charged: dict[int, float] = {}
        self._turn = 0
        self._at = time.monotonic()
        self.cpu_s: defaultdict[str, float] = defaultdict(float)
        """Group to seconds of CPU since the first reading."""

    def read(self) -> tuple[dict[str, float], dict[str, float]]:
        """(CPU shares, MiB) of each group, since the last reading; the first one knows no shares."""
        if self._turn % FAMILY_EVERY == 0:
            self._families = {NAMES.get(name, name): _family(pid) for name, pid in self._pids().items()}
        self._turn += 1
        now = time.monotonic()
        passed_s, self._at = max(1e-3, now - self._at), now
        charged: dict[int, float] = {}
        shares: dict[str, float] = {}
        memory: dict[str, float] = {}
        for group, family in self._families.items():
            spent_s = 0.0
            private = shared = 0
            for process in family:
                with contextlib.suppress(psutil.Error), process.oneshot():
                    cpu, held = process.cpu_times(), process.memory_info()
                    charged[process.pid] = cpu.user + cpu.system
                    # A process that is seen for the first time brings a past that is not ours.
                    spent_s += max(0.0, charged[process.pid] - self._charged.get(process.pid, charged[process.pid]))
                    part = int(getattr(held, "shared", 0))
                    private += int(held.rss) - part
                    shared = max(shared, part)
            self.cpu_s[group] += spent_s
            shares[group] = round(spent_s / passed_s, 4)
            memory[group] = round((private + shared) / 2**20, 1)
        self._charged = charged
        return shares, memory


def _family(pid: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.Error:
        return []


@dataclass(slots=True)
class Observation:
    """Everything that was seen; `run` goes on until cancelled."""

    watch: Watch
    meter: Meter
    webs: Callable[[], Mapping[str, int]]
    """The web workers, whose connections are counted."""
    redis_url: str = ""
    samples: list[Sample] = field(default_factory=list)
    line: Body | None = None
    """The line's newest numbers."""

    async def run(self) -> None:
        keys = _Keys(self.redis_url) if self.redis_url else None
        self.meter.read()
        try:
            while True:
                # In the middle of each second, so that every second has one.
                await asyncio.sleep(SAMPLE_S - (time.time() - SAMPLE_S / 2) % SAMPLE_S)
                self.samples.append(await self._sample(keys))
        finally:
            if keys is not None:
                await keys.close()

    async def _sample(self, keys: _Keys | None) -> Sample:
        fresh = await self.watch.sample()
        self.line = await self.watch.line()
        shares, memory = self.meter.read()
        return Sample(
            wall_s=time.time(),
            cpu_share=shares,
            memory_mib=memory,
            connections=_connections(self.webs()),
            stock=_stock(self.watch) if fresh else None,
            line=line_numbers(self.line),
            orders=dict(self.watch.orders_by_state),
            redis_keys=await keys.count() if keys is not None else None,
        )


class _Keys:
    """How many keys Redis holds; nothing while it is away."""

    def __init__(self, url: str) -> None:
        self._client = redis.asyncio.Redis.from_url(
            url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S
        )

    async def count(self) -> int | None:
        try:
            return int(await self._client.dbsize())
        except (RedisError, OSError, TimeoutError):
            return None

    async def close(self) -> None:
        await self._client.aclose()


def _stock(watch: Watch) -> tuple[int, int, int] | None:
    rows = watch.stock.values()
    if not rows:
        return None
    return sum(row.free for row in rows), sum(row.held for row in rows), sum(row.sold for row in rows)


def line_numbers(line: Body | None) -> tuple[int, int, int] | None:
    """(waiting, called, admitted) of all lanes, from what an operator sees of the line."""
    if line is None:
        return None
    lanes = line["lanes"]
    return line["waiting"], sum(lane["called"] for lane in lanes), sum(lane["taken"] for lane in lanes)


def _connections(pids: Mapping[str, int]) -> int | None:
    """Sockets of these processes that have somebody at the other end."""
    if not pids:
        return None
    count = 0
    for pid in pids.values():
        with contextlib.suppress(psutil.Error):
            count += sum(one.status == psutil.CONN_ESTABLISHED for one in psutil.Process(pid).net_connections("tcp"))
    return count
