"""How long a cancelled session of many paid orders takes to decide: `python -m bench.mass_refund`.

A sale is seeded by SQL into a durable PostgreSQL of its own, loaded into Redis, cancelled, and given to the canceller
as the jobs run it. Measured is what it does: pages of refunds written down and told to Redis, until a pass is over.
What follows, WeChat Pay's answers, is bounded by the merchant's quota and no business of this figure.
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from rich.console import Console

from engine.catalog.board import Board
from engine.cli.migrations import HOME, migrate
from engine.embedded.postgres import PostgresServer
from engine.embedded.valkey import ValkeyServer
from engine.infra.postgres import connection, open_pool
from engine.infra.redis import open_redis
from engine.line.line import Line
from engine.orders.auditor import Auditor
from engine.orders.book import OrderBook
from engine.orders.rebuilder import Rebuilder
from engine.payments.cancelling.book import cancel, read_progress
from engine.payments.cancelling.canceller import Canceller
from engine.payments.refunds.book import RefundBook
from engine.stock.follower import Follower
from engine.stock.stock import Stock

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

SEED = """
insert into events values ('tour', 'Tour');
insert into sessions values ('night', 'tour', 'Night', 'Hall', now() + interval '30 days');
insert into skus (sku_id, session_id, title, price_fen, capacity, allocated, per_order_max)
select 'tier-' || n, 'night', 'Tier', 10000, {orders}, {orders} / 4 * 2, 4 from generate_series(0, 3) as n;
insert into sales (sale_id, title, lane, opens_at, closes_at, time_zone, hold_s, per_buyer_max, line_rate)
values ('tour', 'Tour', 'public', now() - interval '2 hours', now() - interval '1 hour', 'Asia/Shanghai', 60, 4, 100);
insert into sale_skus select 'tour', 'tier-' || n, n from generate_series(0, 3) as n;
insert into orders (order_no, sale_id, buyer, request_id, body_digest, state, amount_fen, deadline, mchid)
select md5('no' || n), 'tour', decode(md5('buyer' || n), 'hex'), decode(md5('request' || n), 'hex'),
       '\\x0102030405060708', 'paid', 20000, now(), '1900000001'
from generate_series(1, {orders}) as n;
insert into order_items (order_no, sale_id, sku_id, quantity, price_fen)
select md5('no' || n), 'tour', 'tier-' || n % 4, 2, 10000 from generate_series(1, {orders}) as n;
insert into payments (transaction_id, order_no, sale_id, mchid, total_fen, success_at, learned_by)
select '4200' || n, md5('no' || n), 'tour', '1900000001', 20000, now(), 'notify' from generate_series(1, {orders}) as n;
analyze;
"""


async def measure(console: Console, redis_url: str, postgres_url: str, *, orders: int) -> bool:
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(await _pool(postgres_url))
        store = await open_redis(redis_url, connections_max=4, timeout_s=10, connect_timeout_s=10)
        stack.push_async_callback(store.close)
        async with connection(pool) as conn:
            await conn.execute(SEED.format(orders=orders), timeout=300)
        board, stock, book = Board(pool), Stock(store), OrderBook(pool, pool)
        follower, rebuilder = Follower(board, stock), Rebuilder(board, stock, Line(store, pool), book)
        await board.refresh()
        board.sales["tour"].fence()
        await rebuilder.run_once()
        async with connection(pool) as conn:
            await cancel(conn, "night", "storm")
        await follower.run_once()
        canceller = Canceller(pool, board, stock, book, RefundBook(pool), monotonic_s=time.monotonic)
        began_s = time.monotonic()
        slowest_s = 0.0
        more = True
        while more:
            turn_s = time.monotonic()
            more = await canceller.run_once()
            slowest_s = max(slowest_s, time.monotonic() - turn_s)
        took_s = time.monotonic() - began_s
        console.print(
            f"{orders:,} refunds decided and told in {took_s:.1f} s: {orders / took_s:,.0f} a second; "
            f"the slowest page of 500 took {slowest_s * 1000:.0f} ms"
        )
        began_s = time.monotonic()
        async with connection(pool) as conn:
            progress = await read_progress(conn, "night")
        console.print(f"reading the progress took {(time.monotonic() - began_s) * 1000:.0f} ms")
        report = await Auditor(board, stock, book, rebuilder).audit()
        for line in report.lines():
            console.print(line)
        assert progress is not None
        return report.passed and progress.counts.decided == orders


async def _pool(url: str) -> Pool:
    return await open_pool(
        url, connections_max=4, statement_timeout_s=300, connect_timeout_s=10, application="bench-mass-refund"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.mass_refund", description="Decide a session's refunds.")
    parser.add_argument("--orders", type=int, default=50_000, help="paid orders of the session")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="floodgate-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        postgres = PostgresServer(folder / "postgres")
        try:
            with ValkeyServer(folder / f"redis-{secrets.token_hex(4)}") as redis_server, postgres:
                url = postgres.create_database("floodgate")
                migrate(url, HOME)
                passed = uvloop.run(measure(Console(highlight=False), redis_server.url, url, orders=given.orders))
        finally:
            postgres.remove()
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
