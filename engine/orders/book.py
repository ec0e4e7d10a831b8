"""The order book: one method per SQL block, of the same name. It moves orders only along the state table.

Raises PostgresAway when PostgreSQL does not answer; the outcome of the statement is then unknown, and every
statement here may be repeated without harm.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from engine.infra.postgres import connection, load_queries
from engine.orders.records import Order, OrderItem, Wanted
from engine.orders.states import Event, State, sources
from engine.stock.claim import Claim, Item

if TYPE_CHECKING:
    from engine.infra.postgres import Connection, Pool

QUERIES = Path(__file__).with_name("queries.sql")
REBUILD_PAGE_COUNT = 1000  # claims read at a time in a rebuild: a few hundred kilobytes


@dataclass(slots=True)  # not frozen: one is made for every order, and that doubles its cost
class Placement:
    """One claim on its way into the book: the epoch under which Redis gave it units, its deadline, and what its items
    come to. Nobody changes it."""

    claim: Claim
    epoch: int
    deadline_ms: int
    wanted: Wanted

    @property
    def amount_fen(self) -> int:
        return self.wanted.amount_fen

    def order(self, sale_id: str) -> Order:
        """The order that this placement becomes."""
        return Order(
            order_no=self.claim.order_no,
            sale_id=sale_id,
            buyer=self.claim.buyer,
            request_id=self.claim.request_id,
            body_digest=self.claim.body_digest,
            state=State.HELD if self.wanted.amount_fen else State.PAID,
            has_units=True,
            amount_fen=self.wanted.amount_fen,
            deadline_ms=self.deadline_ms,
            lane=self.claim.lane,
            items=self.wanted.items,
        )


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What was decided about orders, as Redis has to be told: their units are free, sold, or sold but for those that
    a refund returned. `kept`: the units that still count for an order of the last kind, maybe none."""

    released: list[str]
    paid: list[str]
    kept: dict[str, tuple[Item, ...]]


class StaleEpoch(Exception):
    """The sale was rebuilt under a newer epoch; nothing was placed."""


class NoUnitsLeft(Exception):
    """The final guard refused: the batch would have allocated more than the capacity. Nothing was placed."""


class OrderBook:
    """All statements on orders, payments and refunds.

    Group commits have a pool of their own: a winner's COMMIT must not stand in line behind a thousand reads.
    """

    def __init__(self, pool: "Pool", commits: "Pool", *, free_duty_kinds: tuple[str, ...] = ()) -> None:
        """`free_duty_kinds` are written down as owed for every order that costs nothing, and so is paid at once."""
        self.pool = pool
        self._commits = commits
        self._free_duty_kinds = list(free_duty_kinds)
        self._sql = load_queries(QUERIES)

    async def place(self, sale_id: str, epoch: int, placements: Sequence[Placement]) -> set[str]:
        """Insert the orders and raise `allocated`, all or nothing; the order numbers that were new.

        Raises StaleEpoch, or NoUnitsLeft when one of them does not fit: then each has to be tried alone.
        """
        # One request may be here several times: its retries wait for the same commit as the first try.
        placements = list({placement.claim.order_no: placement for placement in placements}.values())
        claims = [placement.claim for placement in placements]
        item_rows = [
            (placement.claim.order_no, item.sku_id, item.quantity, item.price_fen)
            for placement in placements
            for item in placement.wanted.items
        ]
        order_nos, sku_ids, quantities, prices_fen = zip(*item_rows, strict=True)
        try:
            async with connection(self._commits) as conn:
                row = await conn.fetchrow(
                    self._sql.place,
                    sale_id,
                    epoch,
                    [claim.order_no for claim in claims],
                    [claim.buyer for claim in claims],
                    [claim.request_id for claim in claims],
                    [claim.body_digest for claim in claims],
                    [placement.amount_fen for placement in placements],
                    [placement.deadline_ms for placement in placements],
                    order_nos,
                    sku_ids,
                    quantities,
                    prices_fen,
                    self._free_duty_kinds,
                    [claim.lane for claim in claims],
                )
        except asyncpg.CheckViolationError as error:
            raise NoUnitsLeft(str(error)) from error
        assert row is not None
        if row["fence"] == 0:
            raise StaleEpoch(sale_id)
        return set(row["placed"])

    async def release(self, order_nos: Sequence[str], event: Event) -> list[str]:
        """Release the orders that this event may release; those that moved."""
        rows = await self._fetch(self._sql.release, list(order_nos), sources(event, State.RELEASED))
        return [row["order_no"] for row in rows]

    async def read(self, order_no: str) -> Order | None:
        """One order."""
        return (await self.read_orders([order_no])).get(order_no)

    async def read_orders(self, order_nos: Sequence[str]) -> dict[str, Order]:
        """The orders that exist, by number."""
        rows = await self._fetch(self._sql.read_orders, list(order_nos))
        return {row["order_no"]: _order(row) for row in rows}

    async def find_requests(self, sale_id: str, request_ids: Sequence[bytes]) -> dict[bytes, str]:
        """The order numbers that these requests got."""
        rows = await self._fetch(self._sql.find_requests, sale_id, list(request_ids))
        return {row["request_id"]: row["order_no"] for row in rows}

    async def list_buyers_orders(self, buyer: bytes, *, count_max: int) -> list[Order]:
        """A buyer's orders, newest first."""
        rows = await self._fetch(self._sql.list_buyers_orders, buyer, count_max)
        order_nos = [row["order_no"] for row in rows]
        found = await self.read_orders(order_nos)
        return [found[order_no] for order_no in order_nos if order_no in found]

    async def find_lapsed(self, sale_id: str, state: State, *, now_ms: int, count_max: int) -> list[str]:
        """Orders in this state whose deadline has passed by this time."""
        rows = await self._fetch(self._sql.find_lapsed, sale_id, [state.value], now_ms, count_max)
        return [row["order_no"] for row in rows]

    async def start_closing(self, order_nos: Sequence[str], event: Event) -> list[str]:
        """Orders under payment now wait for WeChat's word; those that moved."""
        rows = await self._fetch(self._sql.start_closing, list(order_nos), sources(event, State.CLOSING))
        return [row["order_no"] for row in rows]

    async def raise_epoch(self, sale_id: str, at_least: int) -> int:
        """A new epoch, above every one that PostgreSQL or Redis has seen."""
        rows = await self._fetch(self._sql.raise_epoch, sale_id, at_least)
        return int(rows[0]["epoch"])

    async def lease_rebuild(self, conn: "Connection", sale_id: str, *, lease_ms: int) -> bool:
        """Whether the transaction of this connection is now the one that rebuilds the sale. It ends by itself when
        it is idle for longer than the lease."""
        return bool(await conn.fetchval(self._sql.lease_rebuild, f"floodgate:rebuild:{sale_id}", str(lease_ms)))

    async def show_life(self, conn: "Connection") -> None:
        """The rebuild goes on: its lease begins anew."""
        await conn.execute(self._sql.show_life)

    async def read_epoch(self, sale_id: str) -> int:
        """The epoch in force."""
        rows = await self._fetch(self._sql.read_epoch, sale_id)
        return int(rows[0]["epoch"])

    async def read_claims(self, sale_id: str) -> AsyncIterator[list[tuple[Claim, int]]]:
        """Every order of the sale, in pages, with its deadline_ms; 0 when it is sold, -1 when it has no units."""
        after = b""
        while True:
            rows = await self._fetch(self._sql.read_claims, sale_id, after, REBUILD_PAGE_COUNT)
            if not rows:
                return
            yield [(_claim(row), row["deadline_ms"]) for row in rows]
            after = rows[-1]["request_id"]

    async def find_decided(self, sale_id: str, *, age_s: float) -> Outcomes:
        """What was decided about the sale's orders within this time."""
        found = Outcomes([], [], {})
        for row in await self._fetch(self._sql.find_decided, sale_id, age_s):
            if row["state"] == State.RELEASED:
                found.released.append(row["order_no"])
            elif not row["has_units"]:
                found.kept[row["order_no"]] = ()
            elif row["sku_ids"] is None:
                found.paid.append(row["order_no"])
            else:
                found.kept[row["order_no"]] = tuple(
                    Item(*item) for item in zip(row["sku_ids"], row["quantities"], strict=True)
                )
        return found

    async def count_states(self, sale_id: str) -> dict[str, int]:
        """How many orders of the sale stand in each state."""
        rows = await self._fetch(self._sql.count_states, sale_id)
        return {row["state"]: row["orders"] for row in rows}

    async def audit(self, block: str, *args: Any) -> list[dict[str, Any]]:
        """One of the audit blocks, by its name without the prefix."""
        return [dict(row) for row in await self._fetch(getattr(self._sql, f"audit_{block}"), *args)]

    async def _fetch(self, sql: str, *args: Any) -> "list[asyncpg.Record]":
        async with connection(self.pool) as conn:
            return await conn.fetch(sql, *args)


def _order(row: "asyncpg.Record") -> Order:
    items = zip(row["sku_ids"], row["quantities"], row["prices_fen"], row["returned"], strict=True)
    return Order(
        order_no=row["order_no"],
        sale_id=row["sale_id"],
        buyer=row["buyer"],
        request_id=row["request_id"],
        body_digest=row["body_digest"],
        state=State(row["state"]),
        has_units=row["has_units"],
        amount_fen=row["amount_fen"],
        refunded_fen=row["refunded_fen"],
        deadline_ms=row["deadline_ms"],
        items=tuple(OrderItem(*item) for item in items),
        lane=row["lane"],
        mchid=row["mchid"],
        prepay_id=row["prepay_id"],
        prepay_until=row["prepay_until"],
        checks=row["checks"],
    )


def _claim(row: "asyncpg.Record") -> Claim:
    items = tuple(Item(*item) for item in zip(row["sku_ids"], row["quantities"], strict=True))
    return Claim(row["request_id"], row["body_digest"], row["buyer"], row["order_no"], items, row["lane"])
