"""A refund under a new number is made only for money that certainly did not go back under an old one."""

from typing import Any

import pytest
from prometheus_client import REGISTRY

from engine.orders.telling import tell_decided
from engine.payments.port import RefundRequest, RefundState
from engine.payments.refunds.book import RefundBook
from engine.payments.refunds.failed import FailedRefunds, Retrier
from engine.payments.refunds.reading import RefundReader
from engine.payments.refunds.wishes import Decided, RefundCode, RefundRefusal
from engine.stock.claim import Item
from tests.payments.refunds.test_deciding import decide
from tests.payments.refunds.test_refunder import notice
from tests.payments.refunds.wechat import Shop


@pytest.fixture
def failed(shop: Shop, refunds: RefundBook) -> FailedRefunds:
    return FailedRefunds(refunds, shop.queue, RefundReader(shop.house.pool), shop.provider)


def alarms(kind: str) -> float:
    return REGISTRY.get_sample_value("floodgate_alarms_total", {"kind": kind}) or 0.0


async def closed(shop: Shop, refunds: RefundBook, order_no: str, **wish: Any) -> str:
    """A refund that WeChat has closed."""
    decided = await decide(refunds, order_no, **wish)
    assert decided.out_refund_no is not None
    await shop.luck(refund_closed=1.0)
    await shop.carry_out()
    await shop.luck()
    assert await shop.stage(decided.out_refund_no) == "closed"
    return decided.out_refund_no


async def remade(shop: Shop, failed: FailedRefunds, out_refund_no: str) -> str:
    again = await failed.retry(out_refund_no)
    assert isinstance(again, Decided), again
    assert again.out_refund_no is not None
    await shop.carry_out()
    assert await shop.stage(again.out_refund_no) == "success"
    return again.out_refund_no


async def test_a_refund_that_was_made_again_is_never_made_a_third_time(
    shop: Shop, refunds: RefundBook, failed: FailedRefunds
) -> None:
    order = await shop.buy(floor=3)
    first = await closed(shop, refunds, order.order_no, items=(Item("floor", 1),))
    await remade(shop, failed, first)
    other = await closed(shop, refunds, order.order_no, amount_fen=500)
    assert await failed.retry(first) == RefundRefusal(RefundCode.NOT_REFUNDABLE)
    assert await failed.settle_by_hand(first) is RefundCode.NOT_FAILED
    await remade(shop, failed, other)
    assert await shop.refunded_fen(order.order_no) == 10500
    await shop.audit()


async def test_the_retrier_takes_up_the_refund_that_failed_and_not_an_older_one(
    shop: Shop, refunds: RefundBook, failed: FailedRefunds
) -> None:
    order = await shop.buy(floor=3)
    await remade(shop, failed, await closed(shop, refunds, order.order_no, items=(Item("floor", 1),)))
    await closed(shop, refunds, order.order_no, amount_fen=500)
    await Retrier(failed, shop.queue, after_s=0).run_once()
    await shop.carry_out()
    assert await shop.refunded_fen(order.order_no) == 10500


async def test_an_order_whose_money_went_back_in_wechats_pages_instead_is_refunded(
    shop: Shop, refunds: RefundBook, failed: FailedRefunds, rows: Any
) -> None:
    order = await shop.buy(floor=1)
    decided = await decide(refunds, order.order_no)
    assert decided.out_refund_no is not None
    elsewhere = RefundRequest(
        out_refund_no="by-hand-1",
        order_no=order.order_no,
        mchid=shop.simulator.names["mchid"],
        refund_fen=10000,
        total_fen=10000,
        reason="by hand",
    )
    await shop.provider.refund(elsewhere)
    told = notice(decided, RefundState.SUCCESS, out_refund_no="by-hand-1", refund_fen=10000)
    await shop.refunder().noticed(told)
    await shop.carry_out()  # ours is refused: there is no money left to give back
    assert await shop.stage(decided.out_refund_no) == "closed"
    assert await shop.state(order.order_no) == "refunded"
    assert await failed.settle_by_hand(decided.out_refund_no) is RefundCode.NOT_FAILED
    assert await rows("select refunded_fen from orders") == [{"refunded_fen": 10000}]
    await shop.audit()


@pytest.mark.parametrize(("units_back", "free"), [(True, 10), (False, 8)])
async def test_tickets_whose_whole_money_went_back_in_wechats_pages_are_for_sale_again_if_the_sale_says_so(
    shop: Shop, units_back: bool, free: int
) -> None:
    await shop.house.sql("update sales set refund_units_back = $1 returning 1", units_back)
    order = await shop.buy(floor=2)
    elsewhere = RefundRequest(
        out_refund_no=f"by-hand-leaving-{free}",
        order_no=order.order_no,
        mchid=shop.simulator.names["mchid"],
        refund_fen=20000,
        total_fen=20000,
        reason="by hand",
    )
    await shop.provider.refund(elsewhere)
    while (
        made := await shop.provider.query_refund(elsewhere.out_refund_no, elsewhere.mchid)
    ).state is RefundState.PROCESSING:
        await shop.refunder().note(made)
    await shop.refunder().note(made)
    assert await shop.state(order.order_no) == "refunded"
    await tell_decided(shop.house.live, shop.house.stock, shop.house.book, age_s=60)
    assert (await shop.house.shelf()).free == free
    assert await shop.house.allocated("floor") == 10 - free
    await shop.audit()


async def test_a_refund_that_wechat_made_after_all_is_not_made_under_a_new_number(
    shop: Shop, refunds: RefundBook, failed: FailedRefunds, rows: Any
) -> None:
    order = await shop.buy(floor=2)
    decided = await decide(refunds, order.order_no, items=(Item("floor", 1),))
    assert decided.out_refund_no is not None
    await shop.carry_out()
    # As after a refusal that was overtaken by an older try: closed here, made there, and the notice is lost.
    await shop.house.sql("update refunds set state = 'closed', last_code = 'PARAMERROR' returning 1")
    await shop.house.sql("update orders set state = 'refund_failed', refunded_fen = 0 returning 1")
    again = await failed.retry(decided.out_refund_no)
    assert isinstance(again, RefundRefusal)
    assert await shop.stage(decided.out_refund_no) == "success"
    assert await shop.state(order.order_no) == "paid"
    assert await rows("select count(*)::integer as refunds from refunds") == [{"refunds": 1}]
    assert await shop.refunded_fen(order.order_no) == 10000
    await shop.audit()


async def test_what_went_back_elsewhere_is_not_given_again_under_the_new_number(
    shop: Shop, refunds: RefundBook, failed: FailedRefunds
) -> None:
    order = await shop.buy(floor=1)
    decided = await decide(refunds, order.order_no, amount_fen=8000)
    assert decided.out_refund_no is not None
    elsewhere = RefundRequest(
        out_refund_no="by-hand-2",
        order_no=order.order_no,
        mchid=shop.simulator.names["mchid"],
        refund_fen=7000,
        total_fen=10000,
        reason="by hand",
    )
    await shop.provider.refund(elsewhere)
    told = notice(decided, RefundState.SUCCESS, out_refund_no="by-hand-2", refund_fen=7000)
    await shop.refunder().noticed(told)
    await shop.carry_out()
    assert await shop.state(order.order_no) == "refund_failed"
    await remade(shop, failed, decided.out_refund_no)
    assert await shop.state(order.order_no) == "refunded"
    assert await shop.refunded_fen(order.order_no) == 10000
    await shop.audit()


async def test_money_that_went_back_by_hand_and_at_wechat_is_an_alarm_and_moves_nothing(
    shop: Shop, refunds: RefundBook, failed: FailedRefunds
) -> None:
    order = await shop.buy(floor=1)
    decided = await decide(refunds, order.order_no)
    assert decided.out_refund_no is not None
    await shop.luck(refund_abnormal=1.0)
    await shop.carry_out()
    assert await failed.settle_by_hand(decided.out_refund_no) is None
    before = alarms("refund_made_twice")
    for _ in range(2):
        await shop.refunder().noticed(notice(decided, RefundState.SUCCESS))
    assert alarms("refund_made_twice") == before + 1
    assert await shop.state(order.order_no) == "refunded"
    await shop.audit()
