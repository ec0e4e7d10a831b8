"""The rooms on real servers, without HTTP: one sale of 10 `floor` and 5 `stand`, open now, 4 units a buyer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from engine.catalog.board import Board, LiveSale
from engine.infra.postgres import connection, open_pool
from engine.infra.redis import RedisStore, open_redis
from engine.line.line import Line
from engine.line.place import Pass
from engine.orders.auditor import Auditor, AuditReport
from engine.orders.book import OrderBook
from engine.orders.placing import Placer
from engine.orders.rebuilder import Rebuilder
from engine.orders.records import Order
from engine.orders.sweeper import Sweeper
from engine.payments.ledger import PaymentLedger
from engine.stock.claim import Item
from engine.stock.desk import StockDesk
from engine.stock.follower import Follower
from engine.stock.stock import Shelf, Stock

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

PASS_END_MS = 1 << 40  # of the serving clock: beyond every test

CATALOG = """
insert into events values ('spring', 'Spring');
insert into sessions values ('night', 'spring', 'Night', 'Hall', now() + interval '30 days');
insert into skus (sku_id, session_id, title, price_fen, capacity, per_order_max)
values ('floor', 'night', 'Floor', 10000, 10, 4), ('stand', 'night', 'Stand', 5000, 5, 4);
insert into sales
    (sale_id, title, lane, opens_at, closes_at, time_zone, hold_s, per_buyer_max, line_rate)
values
    ('spring', 'Spring', 'public', now() - interval '1 hour', now() + interval '1 hour', 'Asia/Shanghai', 60, 4, 100);
insert into sale_skus values ('spring', 'floor', 1), ('spring', 'stand', 2);
"""


@dataclass(slots=True)
class Rooms:
    """One process' worth of rooms."""

    pool: "Pool"
    store: RedisStore
    board: Board
    stock: Stock
    line: Line
    book: OrderBook
    rebuilder: Rebuilder
    sweeper: Sweeper
    auditor: Auditor
    follower: Follower
    desk: StockDesk
    placer: Placer
    ledger: PaymentLedger

    @property
    def live(self) -> LiveSale:
        return self.board.sales["spring"]

    async def sql(self, statement: str, *args: Any) -> Any:
        async with connection(self.pool) as conn:
            return (
                await conn.fetchval(statement, *args)
                if args or "select" in statement
                else await conn.execute(statement)
            )

    async def place(self, buyer: str, key: str = "key-00001", **quantities: int) -> Order:
        """An order that must succeed."""
        placed = await self.try_to_place(buyer, key, **quantities)
        assert isinstance(placed, Order), placed
        return placed

    async def try_to_place(self, buyer: str, key: str = "key-00001", **quantities: int) -> Any:
        items = tuple(Item(sku, quantity) for sku, quantity in (quantities or {"floor": 1}).items())
        return await self.placer.place(await self.grant(buyer), key, items)

    async def grant(self, buyer: str, *, lane: int = 0) -> Pass:
        """A good pass, written as the claim script writes it."""
        admission = Pass(buyer.ljust(16, "-").encode(), "spring", lane, self.live.epoch, b"nonce---")
        client, keys = self.store.client, self.live.keys
        await client.hset(keys.passes, admission.buyer, admission.nonce + f"{PASS_END_MS}{lane}".encode())
        await client.zadd(keys.admitted, {admission.buyer: PASS_END_MS})
        return admission

    async def shelf(self, sku: str = "floor") -> Shelf:
        seen = await self.stock.observe(self.live.keys, self.live.epoch)
        assert seen is not None
        return seen.shelves[sku]

    async def allocated(self, sku: str = "floor") -> int:
        return int(await self.sql("select allocated from skus where sku_id = $1", sku))

    async def lapse(self) -> None:
        """Every hold's deadline has passed, for Redis and for the ledger."""
        client, keys = self.store.client, self.live.keys
        for order_no in await client.zrange(keys.deadlines, 0, -1):
            await client.zadd(keys.deadlines, {order_no: 1000})
        past = datetime.now(UTC) - timedelta(hours=1)
        await self.sql("update orders set deadline = $1 returning 1", past)

    async def audit(self) -> AuditReport:
        return await self.auditor.audit()


@asynccontextmanager
async def rooms(redis_url: str, database_url: str) -> AsyncIterator[Rooms]:
    """Rooms over these servers; the catalog is written if it is not there yet."""
    pool = await open_pool(
        database_url, connections_max=8, statement_timeout_s=5, connect_timeout_s=5, application="tests"
    )
    store = await open_redis(redis_url, connections_max=16, timeout_s=2, connect_timeout_s=2)
    try:
        async with connection(pool) as conn:
            if not await conn.fetchval("select count(*) from sales"):
                await conn.execute(CATALOG)
        board = Board(pool)
        await board.refresh()
        stock, line, book = Stock(store), Line(store, pool), OrderBook(pool, pool)
        rebuilder = Rebuilder(board, stock, line, book)
        live = board.sales["spring"]
        live.fence()
        await rebuilder.run_once()
        desk = StockDesk(live, stock)
        try:
            yield Rooms(
                pool=pool,
                store=store,
                board=board,
                stock=stock,
                line=line,
                book=book,
                rebuilder=rebuilder,
                sweeper=Sweeper(board, stock, book, grace_ms=0),
                auditor=Auditor(board, stock, book, rebuilder),
                follower=Follower(board, stock),
                desk=desk,
                placer=Placer(desk, stock, book, reserve_count_max=250, commit_count_max=500, queue_count_max=2000),
                ledger=PaymentLedger(pool, pool),
            )
        finally:
            await line.restorer.settled()
    finally:
        await store.close()
        await pool.close()
