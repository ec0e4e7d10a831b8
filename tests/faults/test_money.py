"""Money and the clock: notices twice, late or never, workers that die with them, cancels and closes that race them."""

import asyncio
import shutil

import asyncpg
import pytest

from tests.faults.notices import paid_notice, send
from tests.faults.promises import Journal, assert_kept
from tests.faults.rig import Rig, sha_of
from tests.support.buyer import Buyer, Crowd
from tests.support.engine import OnSale
from tests.support.proxy import Hold


@pytest.fixture
async def sale(rig: Rig) -> OnSale:
    """Ten units, two a buyer."""
    return await rig.sell({"floor": 10}, per_buyer_max=2)


@pytest.fixture
async def buyer(crowd: Crowd, sale: OnSale) -> Buyer:
    return await crowd.ready_buyer(sale.sale_id)


async def ordered(buyer: Buyer, sale: OnSale, journal: Journal, quantity: int = 2) -> str:
    answer = await journal.insist(buyer, sale, {sale.skus[0]: quantity})
    assert answer.status == 201, answer
    return str(answer.json["order_no"])


async def released_after_payment_began(rig: Rig, buyer: Buyer, sale: OnSale, journal: Journal) -> str:
    """An order that WeChat knows, cancelled by its buyer and closed at WeChat."""
    order_no = await ordered(buyer, sale, journal)
    assert (await buyer.start_payment(order_no)).status == 200
    assert (await buyer.ask("DELETE", f"/v1/orders/{order_no}")).status == 202
    await buyer.wait_for_state(order_no, "released")
    await rig.until(lambda: rig.shelves(sale)[sale.skus[0]]["held"] == 0)
    return order_no


async def test_one_notice_a_hundred_times_at_once_is_one_payment_and_a_hundred_thanks(
    rig: Rig, sale: OnSale, buyer: Buyer, journal: Journal
) -> None:
    await rig.set_luck(callback_loss=1.0)
    order_no = await ordered(buyer, sale, journal)
    await buyer.pay(order_no)
    notice = paid_notice(rig, order_no)
    answers = await asyncio.gather(*(send(buyer.crowd, notice) for _ in range(100)))
    assert {answer.status for answer in answers} == {204}
    assert await rig.state_of(order_no) == "paid"
    payments = await rig.rows("select 1 from payments where order_no = $1", order_no)
    assert len(payments) == 1
    await assert_kept(rig, sale, journal)


@pytest.mark.parametrize("hold", [Hold.MESSAGE, Hold.REPLY])
async def test_a_worker_killed_around_the_commit_of_a_payment_leaves_one_payment(
    rig: Rig, sale: OnSale, buyer: Buyer, journal: Journal, hold: Hold
) -> None:
    order_no = await ordered(buyer, sale, journal)
    started = await buyer.start_payment(order_no)
    await rig.set_luck(callback_delay_ms=[400, 400])
    paid = await buyer.tap_pay(started.json)
    # Only the statement that settles carries the transaction's number.
    with rig.trap_postgres(paid.json["transaction_id"].encode(), hold=hold) as trap:
        victim = await rig.caught(trap)
        if hold is Hold.REPLY:
            await rig.until(lambda: became(rig, order_no, "paid"))
        victim.kill()
    assert await rig.state_of(order_no) == ("paid" if hold is Hold.REPLY else "paying")
    await rig.until(lambda: became(rig, order_no, "paid"))
    payments = await rig.rows("select 1 from payments where order_no = $1", order_no)
    assert len(payments) == 1
    await assert_kept(rig, sale, journal)


async def became(rig: Rig, order_no: str, state: str) -> bool:
    return await rig.state_of(order_no) == state


async def test_late_money_takes_the_same_units_again_while_they_are_free(
    rig: Rig, sale: OnSale, buyer: Buyer, journal: Journal
) -> None:
    order_no = await released_after_payment_began(rig, buyer, sale, journal)
    await rig.pay_anyway(order_no)
    await buyer.wait_for_state(order_no, "paid")
    await rig.until(lambda: rig.shelves(sale)[sale.skus[0]] == {"capacity": 10, "free": 8, "held": 0, "sold": 2})
    await assert_kept(rig, sale, journal)


async def test_late_money_for_units_that_others_have_goes_back_by_itself(
    rig: Rig, sale: OnSale, buyer: Buyer, crowd: Crowd, journal: Journal
) -> None:
    order_no = await released_after_payment_began(rig, buyer, sale, journal)
    for _ in range(5):
        await ordered(await crowd.ready_buyer(sale.sale_id), sale, journal)
    await rig.pay_anyway(order_no)
    await buyer.wait_for_state(order_no, "refunded")
    (trade,) = [trade for trade in rig.engine.ledger() if trade["out_trade_no"] == order_no]
    assert trade["refunded_fen"] == 200
    await assert_kept(rig, sale, journal)


async def test_late_money_beyond_the_buyers_limit_goes_back_by_itself(
    rig: Rig, sale: OnSale, buyer: Buyer, journal: Journal
) -> None:
    order_no = await released_after_payment_began(rig, buyer, sale, journal)
    await ordered(buyer, sale, journal)
    await rig.pay_anyway(order_no)
    await buyer.wait_for_state(order_no, "refunded")
    await assert_kept(rig, sale, journal)


@pytest.mark.parametrize("others", [0, 5])
async def test_late_money_told_forty_times_at_once_is_decided_once(
    rig: Rig, sale: OnSale, buyer: Buyer, crowd: Crowd, journal: Journal, others: int
) -> None:
    order_no = await released_after_payment_began(rig, buyer, sale, journal)
    for _ in range(others):
        await ordered(await crowd.ready_buyer(sale.sale_id), sale, journal)
    await rig.set_luck(callback_loss=1.0)
    await rig.pay_anyway(order_no)
    notice = paid_notice(rig, order_no)
    answers = await asyncio.gather(*(send(crowd, notice) for _ in range(40)))
    assert {answer.status for answer in answers} <= {204, 503}
    assert (await send(crowd, notice)).status == 204
    await rig.set_luck(callback_loss=0.0)
    await buyer.wait_for_state(order_no, "refunded" if others else "paid")
    refunds = await rig.rows("select 1 from refunds where order_no = $1", order_no)
    assert len(refunds) == (1 if others else 0)
    await assert_kept(rig, sale, journal)


async def test_late_money_while_the_sale_is_fenced_waits_for_the_rebuild(
    rig: Rig, sale: OnSale, buyer: Buyer, crowd: Crowd, journal: Journal
) -> None:
    order_no = await released_after_payment_began(rig, buyer, sale, journal)
    await rig.set_luck(callback_loss=1.0)
    await rig.pay_anyway(order_no)
    notice = paid_notice(rig, order_no)
    conn = await asyncpg.connect(rig.engine.stores.postgres_url)
    try:
        async with conn.transaction():
            name = f"floodgate:rebuild:{sale.sale_id}"
            await conn.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", name)
            await asyncio.to_thread(rig.redis.kill)
            shutil.rmtree(rig.redis.folder / "appendonlydir")
            await asyncio.to_thread(rig.redis.start)
            assert (await send(crowd, notice)).status == 204  # it is in the inbox
            assert await rig.state_of(order_no) == "released"
    finally:
        await conn.close()
    await rig.until(lambda: became(rig, order_no, "paid"))
    await assert_kept(rig, sale, journal)


@pytest.mark.parametrize("killed", [False, True])
async def test_late_money_that_meets_the_return_of_its_units_on_the_way_keeps_them(
    rig: Rig, crowd: Crowd, journal: Journal, killed: bool
) -> None:
    # The ledger has released the order; the message that returns its units to Redis is still on its way.
    sale = await rig.sell({"floor": 3}, per_buyer_max=2)  # one stays free, or the sale would be over
    buyer = await crowd.ready_buyer(sale.sale_id)
    order_no = await ordered(buyer, sale, journal)
    assert (await buyer.start_payment(order_no)).status == 200
    release = (sha_of("stock", "release"), sale.sale_id.encode())
    confirm = (sha_of("stock", "confirm"), sale.sale_id.encode())
    with rig.trap_redis(*release, hold=Hold.MESSAGE, processes=["jobs"]) as returning:
        assert (await buyer.ask("DELETE", f"/v1/orders/{order_no}")).status == 202
        await rig.caught(returning)
        with rig.trap_redis(*confirm, hold=Hold.MESSAGE) as confirming:
            await rig.pay_anyway(order_no)
            settling = await rig.caught(confirming)
            returning.let_go()
            await rig.until(lambda: rig.shelves(sale)[sale.skus[0]]["held"] == 0)
            if killed:
                settling.kill()  # the book says paid; Redis has heard of the release only
            else:
                confirming.let_go()
            await rig.until(lambda: rig.shelves(sale)[sale.skus[0]]["sold"] == 2)
    refused = await journal.insist(buyer, sale, {sale.skus[0]: 1})
    assert refused.code == "BUYER_LIMIT"
    assert await rig.state_of(order_no) == "paid"
    await assert_kept(rig, sale, journal)


async def test_a_close_that_finds_the_order_paid_makes_it_paid(
    rig: Rig, sale: OnSale, buyer: Buyer, journal: Journal
) -> None:
    order_no = await ordered(buyer, sale, journal)
    started = await buyer.start_payment(order_no)
    await rig.set_luck(callback_loss=1.0)
    closing = f"/v3/pay/transactions/out-trade-no/{order_no}/close".encode()
    with rig.trap_wechat(closing, hold=Hold.MESSAGE) as trap:
        assert (await buyer.ask("DELETE", f"/v1/orders/{order_no}")).status == 202
        await rig.caught(trap)
        # WeChat was asked and said "not paid"; the close is on its way; the buyer pays now.
        assert (await buyer.tap_pay(started.json)).json["result"] == "ok"
        trap.let_go()
        await buyer.wait_for_state(order_no, "paid")
    await assert_kept(rig, sale, journal)


async def test_a_close_whose_answer_is_lost_keeps_the_units_held_until_wechat_is_sure(
    rig: Rig, sale: OnSale, buyer: Buyer, journal: Journal
) -> None:
    order_no = await ordered(buyer, sale, journal)
    assert (await buyer.start_payment(order_no)).status == 200
    await rig.set_luck(answer_routes=["close", "query"], answer_lost=1.0)
    assert (await buyer.ask("DELETE", f"/v1/orders/{order_no}")).status == 202
    await asyncio.sleep(2.0)
    assert await rig.state_of(order_no) == "closing"
    assert rig.shelves(sale)[sale.skus[0]]["held"] == 2
    await rig.set_luck(answer_routes=[], answer_lost=0.0)
    await buyer.wait_for_state(order_no, "released")
    await assert_kept(rig, sale, journal)


async def test_cancels_that_race_payments_end_as_one_or_the_other(rig: Rig, crowd: Crowd, journal: Journal) -> None:
    sale = await rig.sell({"floor": 30}, per_buyer_max=2)
    buyers = [await crowd.ready_buyer(sale.sale_id) for _ in range(15)]
    order_nos = [await ordered(buyer, sale, journal) for buyer in buyers]
    started = [await buyer.start_payment(order_no) for buyer, order_no in zip(buyers, order_nos, strict=True)]

    async def both(turn: int) -> None:
        async def pay() -> None:
            await asyncio.sleep((turn % 3) * 0.005)
            await buyers[turn].tap_pay(started[turn].json)

        async def cancel() -> None:
            await asyncio.sleep((turn % 5) * 0.003)
            await buyers[turn].ask("DELETE", f"/v1/orders/{order_nos[turn]}")

        await asyncio.gather(pay(), cancel())

    await asyncio.gather(*(both(turn) for turn in range(15)))

    async def decided() -> bool:
        return {order["state"] for order in await rig.orders_of(sale)} <= {"paid", "released", "refunded"}

    await rig.until(decided)
    await assert_kept(rig, sale, journal)


async def test_a_refunder_killed_before_it_wrote_wechats_answer_refunds_once(
    rig: Rig, sale: OnSale, buyer: Buyer, crowd: Crowd, journal: Journal
) -> None:
    order_no = await released_after_payment_began(rig, buyer, sale, journal)
    for _ in range(5):
        await ordered(await crowd.ready_buyer(sale.sale_id), sale, journal)
    with rig.trap_wechat(b"POST /v3/refund/domestic/refunds", hold=Hold.REPLY) as trap:
        await rig.pay_anyway(order_no)
        jobs = await rig.caught(trap)
        await rig.until(lambda: on_its_way_back(rig, order_no) == 200)
        jobs.kill()
    await rig.mend()
    await buyer.wait_for_state(order_no, "refunded")
    assert on_its_way_back(rig, order_no) == 200
    await assert_kept(rig, sale, journal)


def on_its_way_back(rig: Rig, order_no: str) -> int:
    """Fen that WeChat has given back or has accepted to."""
    (trade,) = [trade for trade in rig.engine.ledger() if trade["out_trade_no"] == order_no]
    return int(trade["refunded_fen"]) + int(trade["refunding_fen"])
