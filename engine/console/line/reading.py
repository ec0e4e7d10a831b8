"""Reads a line's numbers: one look at Redis, and the ledger's counts."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.catalog.board import LiveSale
from engine.catalog.store import load_sales
from engine.console.line.numbers import NOBODY, LaneLedger, LineNumbers, numbers_of
from engine.infra.clock import ClockMs, wall_ms
from engine.infra.keys import SaleKeys
from engine.infra.outage import Outage
from engine.infra.postgres import connection, load_queries
from engine.line.eligibility.lists import KeyCounts, count_keys
from engine.line.sight import LaneSight, LineSight

if TYPE_CHECKING:
    import asyncpg

    from engine.infra.postgres import Pool

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))

RATE_OVER_S = 10

Look = Callable[[LiveSale], Awaitable[LineSight | None]]


class LineReader:
    """`look` asks Redis; None where there is no Redis to ask."""

    def __init__(self, pool: "Pool", look: Look | None, *, now_ms: ClockMs = wall_ms) -> None:
        self._pool = pool
        self._look = look
        self._now_ms = now_ms

    async def read(self, sale_id: str) -> LineNumbers | None:
        """The numbers now, or None when there is no such sale. Raises PostgresAway."""
        async with connection(self._pool) as conn:
            sale = next((sale for sale in await load_sales(conn) if sale.sale_id == sale_id), None)
            if sale is None:
                return None
            stands = {row["lane"]: _stands(row) for row in await conn.fetch(QUERIES.read_lanes, sale_id)}
            units = {row["lane"]: row["units"] for row in await conn.fetch(QUERIES.count_units, sale_id)}
            keys = await count_keys(conn, sale_id)
            called = await conn.fetchval(QUERIES.count_called, sale_id, sale.epoch, RATE_OVER_S)
        sight = await self._sight(LiveSale(sale, SaleKeys.of(sale_id), sale.epoch))
        ledger = {
            lane.ordinal: LaneLedger(
                stands=stands.get(lane.ordinal, NOBODY),
                units=units.get(lane.ordinal, 0),
                keys=keys.get(lane.ordinal, KeyCounts()),
            )
            for lane in sale.lanes
        }
        return numbers_of(sale, sight, ledger, called_per_s=called / RATE_OVER_S, now_ms=self._now_ms())

    async def _sight(self, live: LiveSale) -> LineSight | None:
        try:
            return None if self._look is None else await self._look(live)
        except Outage:
            return None


def _stands(row: "asyncpg.Record") -> LaneSight:
    """Where a lane stands by the ledger."""
    return LaneSight(
        head=row["head"],
        lobby=row["lobby_count"],
        tail=row["tail"],
        gap_from=row["gap_from"],
        gap_to=row["gap_to"],
    )
