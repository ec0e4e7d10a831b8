"""An engine of two workers and the jobs on stores of its own, with a wire on every way between them.

Everything here may be killed, stopped, cut and emptied by a test; `mend` makes it whole again for the next one.
"""

import asyncio
import os
import secrets
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import asyncpg
import redis

from engine.catalog.sale_file import opening_at, read_sale_file
from engine.catalog.store import apply
from engine.embedded.postgres import PostgresServer
from engine.embedded.program import Program
from engine.embedded.valkey import ValkeyServer
from engine.infra.keys import SaleKeys
from engine.infra.redis import load_script
from tests.support.engine import Engine, OnSale, Stores, sale_text
from tests.support.proxy import Hold, Trap, Wire

WEB = ("web-0", "web-1")
PROCESSES = (*WEB, "jobs")
DATABASE = "floodgate"
TABLES = (
    "notices",
    "duties",
    "refund_items",
    "refund_requests",
    "refund_tiers",
    "events",
    "sessions",
    "skus",
    "sales",
    "sale_skus",
    "admissions",
    "line_ticks",
    "lobby_chunks",
    "lobby_entries",
    "line_lanes",
    "line_sales",
    "lane_members",
    "lane_codes",
    "sale_lanes",
    "buyers",
    "orders",
    "order_items",
    "payments",
    "refunds",
)

# Short enough that a test can wait for a hold to lapse, and for WeChat to tell again.
SETTINGS = {
    "ORDERS_SWEEP_EVERY_S": "0.2",
    "ORDERS_RELEASE_GRACE_S": "0.5",
    "REDIS_TIMEOUT_S": "1.5",
    "WEB_DRAIN_NOTICE_S": "0",
}
LUCK = {"callback_delay_ms": [30, 80], "callback_retry_scale": 0.02, "refund_delay_ms": [100, 200]}
QUIET_LUCK = {"callback_loss": 0.0, "callback_duplicate": 0.0, **LUCK}


@dataclass(frozen=True, slots=True)
class Wires:
    """The ways of one process to everything it needs."""

    redis: Wire
    postgres: Wire
    wechat: Wire

    def all(self) -> tuple[Wire, ...]:
        return (self.redis, self.postgres, self.wechat)


class WiredEngine(Engine):
    """An engine whose processes reach the stores and WeChat through `wires`, by the name of the process."""

    def __init__(self, folder: Path, stores: Stores, **rest: Any) -> None:
        self.wires: dict[str, Wires] = {}
        super().__init__(folder, stores, workers=2, settings=SETTINGS, **rest)
        self.programs = {worker.name: worker for worker in (*self.workers, self.jobs)}
        self.environment = dict(self._environment)

    def _program(self, name: str, command: Sequence[str], **rest: Any) -> Program:
        if name == "simulator":
            return super()._program(name, command, **rest)
        wires = self.wires[name] = Wires(
            Wire(self.stores.redis_url, name=f"{name}-redis"),
            Wire(self.stores.postgres_url, name=f"{name}-postgres"),
            Wire(self.simulator_url, name=f"{name}-wechat"),
        )
        shared = self._environment
        self._environment = {
            **shared,
            "FLOODGATE_REDIS_URL": wires.redis.url,
            "FLOODGATE_POSTGRES_URL": wires.postgres.url,
            "FLOODGATE_WECHAT_GATEWAY_URL": wires.wechat.url,
        }
        try:
            return super()._program(name, command, **rest)
        finally:
            self._environment = shared


class Rig:
    """The engine, its stores, and what a test does to them."""

    def __init__(self, folder: Path, redis_server: ValkeyServer, postgres: PostgresServer, merchant_home: Path) -> None:
        self.redis = redis_server
        self.postgres = postgres
        self.engine = WiredEngine(
            folder,
            Stores(redis_url=redis_server.url, postgres_url=postgres.url_of(DATABASE)),
            merchant_home=merchant_home,
        )
        self._frozen: set[int] = set()
        self._ends = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as ends:
            for wires in self.engine.wires.values():
                for wire in wires.all():
                    ends.enter_context(wire)
            ends.enter_context(self.engine)
            ends.callback(self._thaw_all)
            self._ends = ends.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.close()

    async def mend(self) -> None:
        """Everything runs, every wire is whole, WeChat behaves."""
        self.relaunch()
        for server in (self.postgres, self.redis, *self.engine.processes):
            await asyncio.to_thread(server.wait_until_ready)
        await self.set_luck(**QUIET_LUCK)

    async def empty(self) -> None:
        """No sale, no order, nothing in Redis. Processes that run forget a sale as soon as the catalog has."""
        await self.rows(f"truncate {', '.join(TABLES)} cascade")
        with self.redis.client() as client:
            client.flushall()

    def relaunch(self) -> None:
        """Begin to mend, without waiting for it."""
        self._thaw_all()
        for wires in self.engine.wires.values():
            for wire in wires.all():
                wire.heal()
        for server in (self.postgres, self.redis, *self.engine.processes):
            if not server.running:
                server.launch()

    # --- what a test does ---

    def trap_redis(self, *match: bytes, hold: Hold, processes: Iterable[str] = WEB) -> Trap:
        """Hold the next exchange with Redis that contains all of `match`."""
        return Trap([self.engine.wires[name].redis for name in processes], *match, hold=hold)

    def trap_postgres(self, *match: bytes, hold: Hold, processes: Iterable[str] = WEB) -> Trap:
        """Hold the next exchange with PostgreSQL that contains all of `match`."""
        return Trap([self.engine.wires[name].postgres for name in processes], *match, hold=hold)

    def trap_wechat(self, *match: bytes, hold: Hold) -> Trap:
        """Hold the next exchange of the jobs with WeChat that contains all of `match`."""
        return Trap([self.engine.wires["jobs"].wechat], *match, hold=hold)

    def process_of(self, wire: Wire) -> Program:
        """The process that talks through this wire."""
        for name, wires in self.engine.wires.items():
            if wire in wires.all():
                return self.engine.programs[name]
        raise AssertionError(wire.name)

    async def caught(self, trap: Trap, *, timeout_s: float = 15.0) -> Program:
        """Wait until the trap has sprung; the process that it caught."""
        return self.process_of(await asyncio.to_thread(trap.wait, timeout_s=timeout_s))

    def freeze(self, program: Program) -> None:
        """SIGSTOP: the process knows nothing of the time that passes."""
        os.kill(program.pid, signal.SIGSTOP)
        self._frozen.add(program.pid)

    def thaw(self, program: Program) -> None:
        os.kill(program.pid, signal.SIGCONT)
        self._frozen.discard(program.pid)

    def _thaw_all(self) -> None:
        for program in self.engine.programs.values():
            if program.running and program.pid in self._frozen:
                self.thaw(program)
        self._frozen.clear()

    async def set_luck(self, **knobs: Any) -> None:
        """Change the simulator's knobs."""
        async with aiohttp.ClientSession() as session:
            answer = await session.put(f"{self.engine.simulator_url}/_admin/faults", json=knobs)
            assert answer.status == 200, await answer.text()

    async def pay_anyway(self, order_no: str) -> None:
        """Money arrives at WeChat for this order, in whatever state it is."""
        async with aiohttp.ClientSession() as session:
            answer = await session.post(f"{self.engine.simulator_url}/_admin/pay", json={"out_trade_no": order_no})
            assert answer.status == 200, await answer.text()

    async def sell(
        self, capacities: dict[str, int], *, sale_id: str = "", opens_in_s: float = 0, **rules: Any
    ) -> OnSale:
        """A sale that sells now in both workers."""
        sale_id = sale_id or f"sale-{secrets.token_hex(4)}"
        await self.apply(sale_text(sale_id=sale_id, capacities=capacities, **rules), opens_in_s=opens_in_s)
        await asyncio.to_thread(self.engine.wait_until_live, sale_id)
        await self.until(lambda: self._known_to_jobs(sale_id))
        return OnSale(sale_id, tuple(f"{sale_id}-{name}" for name in capacities))

    async def apply(self, text: str, *, opens_in_s: float = 0) -> None:
        """Apply a sale file as the command does, without the time that a command takes to start."""
        file = self.engine.folder / "sale.toml"
        file.write_text(text)
        read = opening_at(read_sale_file(file), int((time.time() + opens_in_s) * 1000))
        conn = await asyncpg.connect(self.engine.stores.postgres_url)
        try:
            await apply(conn, read)
        finally:
            await conn.close()

    def _known_to_jobs(self, sale_id: str) -> bool:
        found = self.engine.admin_sale(sale_id, admin_url=self.engine.jobs_admin_url)
        return bool(found.get("phase") == "live")

    # --- what a test sees ---

    async def rows(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        """The ledger's answer, asked directly."""
        conn = await asyncpg.connect(self.engine.stores.postgres_url)
        try:
            return [dict(row) for row in await conn.fetch(sql, *args)]
        finally:
            await conn.close()

    async def state_of(self, order_no: str) -> str | None:
        """The order's state in the ledger, or None."""
        rows = await self.rows("select state::text as state from orders where order_no = $1", order_no)
        return rows[0]["state"] if rows else None

    async def orders_of(self, sale: OnSale) -> list[dict[str, Any]]:
        return await self.rows(
            "select order_no, state::text as state, amount_fen, refunded_fen from orders where sale_id = $1",
            sale.sale_id,
        )

    def shelves(self, sale: OnSale) -> dict[str, dict[str, int]]:
        """Capacity, free, held and sold of each SKU in Redis, as they stand; {} when Redis knows nothing."""
        with self.redis.client() as client:
            return shelves_in(client, sale)

    async def until(self, condition: Any, *, patience_s: float = 15.0, what: str = "") -> float:
        """Wait for a condition, plain or awaitable; the seconds it took."""
        began_s = time.monotonic()
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return time.monotonic() - began_s
            assert time.monotonic() - began_s < patience_s, f"it did not happen in {patience_s:g} s: {what}"
            await asyncio.sleep(0.03)


def shelves_in(client: redis.Redis, sale: OnSale) -> dict[str, dict[str, int]]:
    shelves: dict[str, dict[str, int]] = {}
    flat: dict[str, str] = client.hgetall(SaleKeys.of(sale.sale_id).stock)  # type: ignore[assignment]
    for name, count in flat.items():
        kind, _, sku = name.partition(":")
        if kind not in ("used", "quota"):  # those count lanes
            shelves.setdefault(sku, {})[kind] = int(count)
    return shelves


def show(figure: str) -> None:
    """A measured figure, for whoever reads the log (pytest -s, or -rP)."""
    print(f"\n{figure}")  # noqa: T201


def sha_of(room: str, verb: str) -> bytes:
    """What a call of this script carries."""
    return load_script(room, verb).sha.encode()
