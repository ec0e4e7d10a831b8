"""A statement planned while the tables are empty reads only its own orders when they are full: that is a drop's minute.

Each batch is asked often enough for PostgreSQL to settle on one plan, then the sale sells, then it is asked again and
the rows that it looked at are counted.
"""

import os
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from engine.infra.postgres import connection
from engine.orders.book import Placement
from engine.orders.records import Wanted
from engine.orders.states import Event, State
from engine.payments.ledger import NoticeRow, PaymentWish, Settlement
from engine.stock.claim import Claim, Item
from tests.support.house import Rooms

PLANNED_AFTER = 8  # PostgreSQL decides about a plan for good at the sixth time
SOLD = 3_000
BATCH = 10
ROWS_EACH = 12  # an order is looked up a few times in each statement; the whole sale would be 3,000

MCHID = "1900000001"


def wished(orders: list[Placement]) -> list[PaymentWish]:
    return [PaymentWish(one.claim.order_no, one.claim.buyer, 0, MCHID) for one in orders]


def settled(orders: list[Placement]) -> list[Settlement]:
    return [
        Settlement(
            order_no=one.claim.order_no,
            transaction_id=secrets.token_hex(14),
            mchid=MCHID,
            buyer=one.claim.buyer,
            total_fen=one.amount_fen,
            success_at=datetime.now(UTC),
            learned_by="notify",
            notice=NoticeRow(
                digest=os.urandom(16),
                notice_id=secrets.token_hex(16),
                event_type="TRANSACTION.SUCCESS",
                mchid=MCHID,
                subject=one.claim.order_no,
                body=b"{}",
            ),
        )
        for one in orders
    ]


Ask = Callable[[Rooms, list[Placement]], Awaitable[object]]

ASKED: dict[str, Ask] = {
    "start_payments": lambda house, orders: house.ledger.start_payments(wished(orders), mchids=[MCHID]),
    "keep_prepays": lambda house, orders: house.ledger.keep_prepays(
        [(one.claim.order_no, "wx1", datetime.now(UTC) + timedelta(hours=2)) for one in orders]
    ),
    "hasten": lambda house, orders: house.ledger.hasten([(one.claim.order_no, one.claim.buyer) for one in orders]),
    "settle": lambda house, orders: house.ledger.settle(settled(orders)),
    "read_orders": lambda house, orders: house.book.read_orders([one.claim.order_no for one in orders]),
    "find_lapsed": lambda house, _: house.book.find_lapsed("spring", State.HELD, now_ms=0, count_max=100),
    "take_checks": lambda house, orders: house.ledger.take_checks(State.PAYING, [5.0], count_max=100),
    "release": lambda house, orders: house.book.release([one.claim.order_no for one in orders], Event.LAPSED),
}


def new_orders(house: Rooms, count: int) -> list[Placement]:
    wanted = Wanted.of((Item("floor", 1),), [10_000])
    deadline_ms = int(time.time() * 1000) + 3_600_000
    return [
        Placement(
            Claim(os.urandom(16), wanted.digest, os.urandom(16), secrets.token_hex(13), (Item("floor", 1),)),
            house.live.epoch,
            deadline_ms,
            wanted,
        )
        for _ in range(count)
    ]


async def place(house: Rooms, count: int) -> list[Placement]:
    orders = new_orders(house, count)
    await house.book.place("spring", house.live.epoch, orders)
    return orders


async def rows_looked_at(house: Rooms) -> int:
    async with connection(house.pool) as conn:
        await conn.execute("select pg_stat_force_next_flush()")
    return int(
        await house.sql(
            """select coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint from pg_stat_user_tables
               where relname in ('orders', 'order_items', 'payments', 'notices') and schemaname = $1""",
            "public",
        )
    )


@pytest.mark.parametrize("statement", ASKED)
async def test_a_batch_looks_at_its_own_orders_only(house: Rooms, statement: str) -> None:
    ask = ASKED[statement]
    await house.sql("update skus set capacity = 1000000 returning 1")
    first = await place(house, 1)
    for _ in range(PLANNED_AFTER):
        await ask(house, first)
    await place(house, SOLD)
    orders = await place(house, BATCH)
    if statement == "take_checks":
        await ASKED["start_payments"](house, orders)
        await house.sql("update orders set next_check_at = now() where state = 'paying' returning 1")
    before = await rows_looked_at(house)

    await ask(house, orders)

    assert await rows_looked_at(house) - before <= BATCH * ROWS_EACH
