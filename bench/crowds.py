"""Crowds of any size, put into a line before it is measured: by the engine's own code, without HTTP before it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvloop

from bench.stack import Stack
from engine.catalog.board import Board, LiveSale
from engine.infra.postgres import open_pool
from engine.infra.redis import RedisStore, open_redis
from engine.line.joining.enrolling import load_lobby
from engine.line.joining.ledger import JoinLedger
from engine.line.joining.records import Joining
from engine.line.joining.roster import Roster, unpack_kept
from engine.line.joining.scripts import JoinScripts
from engine.line.pacing.scripts import PaceScripts
from engine.line.place import BUYER_BYTES, Cohort, Place
from engine.line.sight import LineSight

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

BATCH = 250
ENTRIES_AT_ONCE = 50_000
READY_TIMEOUT_S = 30.0
LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Watched:
    """A sale of the running stack, seen from inside this process."""

    live: LiveSale
    store: RedisStore
    pool: Pool

    async def look(self) -> LineSight | None:
        return await PaceScripts(self.store).look(self.live)

    async def drawn(self) -> LineSight:
        """The line as soon as its draw is published."""
        until = time.monotonic() + READY_TIMEOUT_S
        while (sight := await self.look()) is None or not sight.drawn:
            if time.monotonic() > until:
                raise RuntimeError(f"{self.live.sale.sale_id} was not drawn within {READY_TIMEOUT_S:g} s")
            await asyncio.sleep(LOOK_EVERY_S)
        return sight


@asynccontextmanager
async def watching(stack: Stack, sale: str) -> AsyncIterator[Watched]:
    """The sale, once it is in Redis."""
    store = await open_redis(stack.valkey.url, connections_max=4, timeout_s=10, connect_timeout_s=10)
    pool = await open_pool(
        stack.postgres.url, connections_max=4, statement_timeout_s=60, connect_timeout_s=10, application="bench"
    )
    try:
        board, until = Board(pool), time.monotonic() + READY_TIMEOUT_S
        while True:
            await board.refresh()
            watched = Watched(board.sales[sale], store, pool)
            if watched.live.epoch and await watched.look() is not None:
                break
            if time.monotonic() > until:
                raise RuntimeError(f"{sale} was not put into Redis within {READY_TIMEOUT_S:g} s")
            await asyncio.sleep(LOOK_EVERY_S)
        yield watched
    finally:
        await store.close()
        pool.terminate()


def queue_up(stack: Stack, sale: str, count: int) -> None:
    """Let so many new buyers join the live line of the sale."""

    async def join_all() -> None:
        async with watching(stack, sale) as watched:
            async for _ in joined(watched, count):
                pass

    uvloop.run(join_all())


async def joined(watched: Watched, count: int) -> AsyncIterator[list[Place]]:
    """Let so many new buyers join; their places, batch by batch."""
    live, sale, sight = watched.live, watched.live.sale.sale_id, await watched.drawn()
    scripts, ledger, roster = JoinScripts(watched.store), JoinLedger(watched.pool), Roster(sale)
    tail = sight.lanes[0].tail
    ceiling = await ledger.raise_ceiling(sale, lane=0, tail=tail, ceiling=tail + count)
    await scripts.extend(live, lane=0, ceiling=ceiling)
    for at in range(0, count, BATCH):
        some = [Joining(secrets.token_bytes(BUYER_BYTES), 0) for _ in range(min(BATCH, count - at))]
        told = await scripts.join(live, roster, some)
        if len(told.places) != len(some) or min(told.places) < 0:
            raise RuntimeError(f"{sale}: a join was refused ({told.code.name})")
        yield [
            Place(one.buyer, sale, 0, Cohort.LIVE, live.epoch, unpack_kept(packed).index)
            for one, packed in zip(some, told.places, strict=True)
        ]


def gather(stack: Stack, sale: str, buyers: Sequence[bytes]) -> None:
    """Write these buyers into the lobby of the sale, as if they had joined one after the other."""
    uvloop.run(_gather(stack, sale, buyers))


async def _gather(stack: Stack, sale: str, buyers: Sequence[bytes]) -> None:
    async with watching(stack, sale) as watched, watched.pool.acquire() as conn, conn.transaction():
        await conn.execute("insert into line_lanes (sale_id, lane) values ($1, 0) on conflict do nothing", sale)
        await conn.execute("insert into line_sales (sale_id) values ($1) on conflict do nothing", sale)
        first = await conn.fetchval("select lobby_count from line_lanes where sale_id = $1 for update", sale)
        for at in range(0, len(buyers), ENTRIES_AT_ONCE):
            await conn.copy_records_to_table(
                "lobby_entries",
                columns=("sale_id", "lane", "index", "buyer"),
                records=[
                    (sale, 0, index, buyer) for index, buyer in enumerate(buyers[at : at + ENTRIES_AT_ONCE], first + at)
                ],
                timeout=60,
            )
        await conn.execute("update line_lanes set lobby_count = lobby_count + $2 where sale_id = $1", sale, len(buyers))
    # Whoever joins one after the other is known to the roster too, long before the lobby closes.
    async with watching(stack, sale) as watched:
        scripts, ledger, live = JoinScripts(watched.store), JoinLedger(watched.pool), watched.live
        if not await load_lobby(live, live.epoch, Roster(sale), scripts, ledger):
            raise RuntimeError(f"{sale}: the lobby could not be enrolled")
