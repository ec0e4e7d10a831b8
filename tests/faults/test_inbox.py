"""The inbox: notices that do not fit, cannot be decided now, or tell of orders that nobody here has."""

from typing import Any

import pytest

from tests.faults.notices import paid_notice, send
from tests.faults.promises import Journal, assert_kept
from tests.faults.rig import Rig
from tests.faults.test_money import became, ordered
from tests.support.buyer import Buyer, Crowd
from tests.support.engine import OnSale


@pytest.fixture
async def sale(rig: Rig) -> OnSale:
    """Ten units, two a buyer."""
    return await rig.sell({"floor": 10}, per_buyer_max=2)


@pytest.fixture
async def buyer(crowd: Crowd, sale: OnSale) -> Buyer:
    return await crowd.ready_buyer(sale.sale_id)


async def outcomes(rig: Rig, subject: str) -> list[str | None]:
    rows = await rig.rows("select outcome from notices where subject = $1 order by received_at", subject)
    return [row["outcome"] for row in rows]


async def restore_without(rig: Rig, order_no: str) -> None:
    """The ledger is what it was before this order, as after a restored backup."""
    await rig.rows(
        """
        with gone as (
            delete from order_items where order_no = $1 returning sku_id, quantity
        ), lowered as (
            update skus set allocated = allocated - gone.quantity from gone where skus.sku_id = gone.sku_id
        )
        delete from orders where order_no = $1
        """,
        order_no,
    )


async def test_a_notice_is_kept_in_the_inbox_with_what_became_of_it(
    rig: Rig, sale: OnSale, buyer: Buyer, journal: Journal
) -> None:
    order_no = await ordered(buyer, sale, journal)
    await buyer.pay(order_no)

    async def decided() -> bool:
        return await outcomes(rig, order_no) == ["paid"]

    await rig.until(decided)


async def test_a_notice_that_comes_twice_is_one_row(rig: Rig, sale: OnSale, buyer: Buyer, journal: Journal) -> None:
    await rig.set_luck(callback_duplicate=1.0)
    order_no = await ordered(buyer, sale, journal)
    await buyer.pay(order_no)
    await buyer.wait_for_state(order_no, "paid")
    notice = paid_notice(rig, order_no)
    assert [(await send(buyer.crowd, notice)).status for _ in range(3)] == [204, 204, 204]
    assert len(await outcomes(rig, order_no)) <= 2  # WeChat's own, and ours, which was made a second later
    assert None not in await outcomes(rig, order_no)
    payments = await rig.rows("select 1 from payments where order_no = $1", order_no)
    assert len(payments) == 1


@pytest.mark.parametrize("said", [{"total_fen": 1}, {"openid": "oSomebodyElse-00000000000000"}])
async def test_a_notice_that_does_not_fit_its_order_pays_nothing_and_the_real_payment_still_does(
    rig: Rig, sale: OnSale, buyer: Buyer, journal: Journal, said: dict[str, Any]
) -> None:
    order_no = await ordered(buyer, sale, journal)
    assert (await buyer.start_payment(order_no)).status == 200
    assert (await send(buyer.crowd, paid_notice(rig, order_no, **said))).status == 204
    assert await rig.state_of(order_no) == "paying"
    assert await outcomes(rig, order_no) == [None]
    await buyer.pay(order_no)
    await rig.until(lambda: became(rig, order_no, "paid"))

    async def resolved() -> bool:
        return None not in await outcomes(rig, order_no)

    await rig.until(resolved)
    await assert_kept(rig, sale, journal)


async def test_money_that_wechat_confirms_not_to_fit_goes_back_and_its_units_are_free(
    rig: Rig, sale: OnSale, buyer: Buyer, journal: Journal
) -> None:
    order_no = await ordered(buyer, sale, journal)
    started = await buyer.start_payment(order_no)
    await rig.rows("update orders set amount_fen = amount_fen + 1 where order_no = $1", order_no)
    await buyer.tap_pay(started.json)
    await rig.until(lambda: became(rig, order_no, "refunded"))
    (trade,) = [trade for trade in rig.engine.ledger() if trade["out_trade_no"] == order_no]
    assert trade["refunded_fen"] == trade["total_fen"]
    await rig.until(lambda: rig.shelves(sale)[sale.skus[0]] == {"capacity": 10, "free": 10, "held": 0, "sold": 0})


async def test_money_for_an_order_that_the_ledger_lost_goes_back(
    rig: Rig, sale: OnSale, buyer: Buyer, journal: Journal
) -> None:
    order_no = await ordered(buyer, sale, journal)
    started = await buyer.start_payment(order_no)
    await restore_without(rig, order_no)
    await buyer.tap_pay(started.json)

    async def refunded() -> bool:
        (trade,) = [trade for trade in rig.engine.ledger() if trade["out_trade_no"] == order_no]
        return bool(trade["refunded_fen"] == trade["total_fen"])

    await rig.until(refunded)
    causes = await rig.rows("select cause::text as cause from refunds where order_no = $1", order_no)
    assert [row["cause"] for row in causes] == ["unknown_order"]
    assert await outcomes(rig, order_no) == ["refunding"]


async def test_a_buyer_who_says_it_is_done_need_not_wait_for_a_lost_notice(
    rig: Rig, sale: OnSale, buyer: Buyer, journal: Journal
) -> None:
    await rig.set_luck(callback_loss=1.0)
    order_no = await ordered(buyer, sale, journal)
    started = await buyer.start_payment(order_no)
    await buyer.tap_pay(started.json)
    await rig.rows("update orders set next_check_at = now() + interval '1 hour' where order_no = $1", order_no)
    assert (await buyer.ask("POST", f"/v1/orders/{order_no}/payment/check")).status == 202
    await rig.until(lambda: became(rig, order_no, "paid"))
    assert (await buyer.ask("POST", f"/v1/orders/{order_no}/payment/check")).status == 200


async def test_nobody_elses_word_hastens_an_order(
    rig: Rig, sale: OnSale, buyer: Buyer, crowd: Crowd, journal: Journal
) -> None:
    order_no = await ordered(buyer, sale, journal)
    assert (await buyer.start_payment(order_no)).status == 200
    stranger = await crowd.ready_buyer(sale.sale_id)
    assert (await stranger.ask("POST", f"/v1/orders/{order_no}/payment/check")).code == "UNKNOWN_ORDER"
