"""A cancelled session of two thousand paid orders, and jobs that are killed again and again while they refund them.

The orders are seeded: written into our ledger by SQL, and into the simulator's own while it stands still. The judge is
the simulator's ledger: each order was refunded once, and whole.
"""

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest

from engine.simulator.keys.credentials import Credentials, ensure
from engine.simulator.office.ledger import Ledger as WeChatsLedger
from engine.simulator.pay.orders import Order, TradeState
from tests.faults.promises import Journal, assert_kept
from tests.faults.rig import Rig, show
from tests.faults.test_money import on_its_way_back, ordered, released_after_payment_began
from tests.support.buyer import Answer, Crowd, new_openid
from tests.support.engine import OnSale, get_json
from tests.support.proxy import Hold

ORDERS = 2000
PRICE_FEN = 100
SEED = 20_261_122

SEED_ORDERS = """
with numbers as (select no, decode(md5(no), 'hex') as id from unnest($1::text[]) as no), placed as (
    insert into orders (order_no, sale_id, buyer, request_id, body_digest, state, amount_fen, deadline, mchid)
    select no, $2, id, id, '\\x0102030405060708', 'paid', 100, now(), $4 from numbers
), itemised as (
    insert into order_items (order_no, sale_id, sku_id, quantity, price_fen) select no, $2, $3, 1, 100 from numbers
), counted as (
    update skus set allocated = cardinality($1::text[]) where sku_id = $3
)
insert into payments (transaction_id, order_no, sale_id, mchid, total_fen, success_at, learned_by)
select transaction_id, no, $2, $4, 100, now(), 'query'
from unnest($1::text[], $5::text[]) as paid (no, transaction_id)
"""


async def seed(rig: Rig, sale: OnSale) -> list[str]:
    """Two thousand orders that are paid here and there, and that Redis knows. Returns their numbers."""
    merchant = ensure(rig.engine.folder / "simulator")
    order_nos = [secrets.token_hex(16) for _ in range(ORDERS)]
    transactions = [f"4200{no[:24]}" for no in order_nos]
    await asyncio.to_thread(rig.engine.simulator.stop)
    wechat = WeChatsLedger(rig.engine.folder / "simulator" / "journal.jsonl")
    for order_no, transaction_id in zip(order_nos, transactions, strict=True):
        wechat.record(order=paid_trade(merchant, order_no, transaction_id))
    wechat.close()
    await asyncio.to_thread(rig.engine.simulator.start)
    await rig.rows(SEED_ORDERS, order_nos, sale.sale_id, sale.skus[0], merchant.mchid, transactions)
    with rig.redis.client() as client:
        client.flushall()
    await rig.until(lambda: rig.shelves(sale).get(sale.skus[0], {}).get("sold") == ORDERS)
    await rig.mend()
    return order_nos


def paid_trade(merchant: Credentials, order_no: str, transaction_id: str) -> Order:
    """An order as WeChat keeps it once it is paid."""
    now_ms = time.time_ns() // 1_000_000
    return Order(
        mchid=merchant.mchid,
        appid=merchant.appid,
        out_trade_no=order_no,
        openid=new_openid(),
        total_fen=PRICE_FEN,
        attach=None,
        notify_url="",
        terms="",
        created_ms=now_ms,
        expires_ms=now_ms,
        prepay_id=f"wx{order_no}",
        prepay_ms=now_ms,
        state=TradeState.SUCCESS,
        transaction_id=transaction_id,
        paid_ms=now_ms,
    )


@pytest.fixture
async def ledger(rig: Rig) -> "AsyncIterator[Ledger]":
    """One connection for all questions: each of thousands of polls would cost PostgreSQL a process."""
    conn = await asyncpg.connect(rig.engine.stores.postgres_url)
    yield Ledger(conn)
    await conn.close()


@dataclass(frozen=True, slots=True)
class Ledger:
    conn: "asyncpg.Connection[asyncpg.Record]"

    async def count(self, rows: str) -> int:
        return int(await self.conn.fetchval(f"select count(*) from {rows}"))

    async def has(self, least: int, rows: str) -> bool:
        return await self.count(rows) >= least


async def cancel(rig: Rig, crowd: Crowd, sale: OnSale) -> Answer:
    return await crowd.ask(
        "POST",
        f"{rig.engine.admin_url}/admin/v1/sessions/{sale.sale_id}-evening/cancel",
        body={"reason": "台风 Typhoon"},
        headers={"Authorization": f"Bearer {rig.engine.admin_key}"},
    )


async def test_late_money_for_a_cancelled_session_goes_back_although_nobody_has_its_units(
    rig: Rig, crowd: Crowd, journal: Journal
) -> None:
    sale = await rig.sell({"floor": 10}, per_buyer_max=2)
    buyer = await crowd.ready_buyer(sale.sale_id)
    order_no = await released_after_payment_began(rig, buyer, sale, journal)
    assert (await cancel(rig, crowd, sale)).status == 202
    await rig.pay_anyway(order_no)
    await buyer.wait_for_state(order_no, "refunded")
    assert on_its_way_back(rig, order_no) == 200
    await assert_kept(rig, sale, journal)


async def test_a_payment_that_meets_the_cancelling_on_its_way_goes_back(
    rig: Rig, crowd: Crowd, journal: Journal
) -> None:
    sale = await rig.sell({"floor": 10}, per_buyer_max=2)
    buyer = await crowd.ready_buyer(sale.sale_id)
    order_no = await ordered(buyer, sale, journal)
    started = await buyer.start_payment(order_no)
    closing = f"/v3/pay/transactions/out-trade-no/{order_no}/close".encode()
    await rig.set_luck(callback_loss=1.0)
    with rig.trap_wechat(closing, hold=Hold.MESSAGE) as trap:
        assert (await cancel(rig, crowd, sale)).status == 202
        await rig.caught(trap)
        # WeChat was asked and said "not paid"; the close is on its way; the buyer pays now.
        assert (await buyer.tap_pay(started.json)).json["result"] == "ok"
        trap.let_go()
        await buyer.wait_for_state(order_no, "refunded")
    assert on_its_way_back(rig, order_no) == 200
    await assert_kept(rig, sale, journal)


@pytest.mark.timeout(300)  # thousands of signatures, by both sides, on whatever the machine has left
async def test_a_mass_refund_whose_jobs_are_killed_again_and_again_refunds_everybody_once(
    rig: Rig, crowd: Crowd, ledger: Ledger
) -> None:
    sale = await rig.sell({"floor": ORDERS})
    order_nos = await seed(rig, sale)
    kills = sorted(random.Random(SEED).sample(range(ORDERS), 3))

    async def kill_jobs() -> None:
        rig.engine.jobs.kill()
        await asyncio.to_thread(rig.engine.jobs.start)

    answer = await cancel(rig, crowd, sale)
    assert answer.status == 202, answer
    assert (answer.json["undecided"], answer.json["fen"]) == (ORDERS, ORDERS * PRICE_FEN)

    await rig.until(lambda: ledger.has(1, "refunds"))
    await kill_jobs()
    for sent in kills:
        await rig.until(lambda sent=sent: ledger.has(sent, "refunds where sent_at is not null"), patience_s=60)
        await kill_jobs()
    took_s = await rig.until(lambda: ledger.has(ORDERS, "orders where state = 'refunded'"), patience_s=60)
    show(f"{took_s:.1f} s from the last kill until all were refunded")

    address = f"{rig.engine.admin_url}/admin/v1/sessions/{sale.sale_id}-evening/refunds"
    progress = get_json(address, bearer=rig.engine.admin_key)
    assert (progress["done"], progress["succeeded"], progress["succeeded_fen"]) == (True, ORDERS, ORDERS * PRICE_FEN)
    trades = {trade["out_trade_no"]: trade for trade in rig.engine.ledger()}
    assert {(trades[no]["refunded_fen"], trades[no]["refunding_fen"]) for no in order_nos} == {(PRICE_FEN, 0)}
    assert await ledger.count("refunds") == ORDERS
    assert {row["state"] for row in await rig.orders_of(sale)} == {"refunded"}
    await rig.until(lambda: rig.shelves(sale)[sale.skus[0]] == {"capacity": 0, "free": 0, "held": 0, "sold": 0})
    report = await asyncio.to_thread(rig.engine.audit)
    assert report["verdict"] == "pass", report
