"""Refunds at the simulator's own process: made once, whatever fails on the way, and led out of failure."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY

from engine.infra.outage import ProviderAway
from engine.payments.port import CardOwner, RefundNotice, RefundState
from engine.payments.refunds.book import RefundBook
from engine.payments.refunds.failed import FailedRefunds, Retrier
from engine.payments.refunds.queue import Lane
from engine.payments.refunds.reading import RefundReader
from engine.payments.refunds.reporting import Noted, Stage
from engine.payments.refunds.requests import BankCard
from engine.payments.refunds.watching import OPEN, RefundWatch
from engine.payments.refunds.wishes import Cause, Decided, RefundCode
from engine.stock.claim import Item
from tests.payments.refunds.test_deciding import decide
from tests.payments.refunds.wechat import Shop, open_shop

CARD = BankCard(CardOwner.BUYER, "CMB_DEBIT", "6225880100000000", "张三")


@pytest.fixture
def failed(shop: Shop, refunds: RefundBook) -> FailedRefunds:
    return FailedRefunds(refunds, shop.queue, RefundReader(shop.house.pool), shop.provider)


def notice(decided: Decided, state: RefundState, **rest: Any) -> RefundNotice:
    fields: dict[str, Any] = {
        "notice_id": "n",
        "event_type": f"REFUND.{state}",
        "digest": b"0" * 16,
        "out_refund_no": decided.out_refund_no,
        "refund_id": "50300000382026112200000000001",
        "order_no": decided.order_no,
        "transaction_id": "4200",
        "mchid": "1",
        "state": state,
        "refund_fen": decided.amount_fen,
        "total_fen": decided.amount_fen,
        "success_at": datetime.now(UTC) if state is RefundState.SUCCESS else None,
    }
    return RefundNotice(**{**fields, **rest})


async def test_a_refund_is_sent_asked_about_and_owed_to_be_told(shop: Shop, refunds: RefundBook, rows: Any) -> None:
    order = await shop.buy(floor=2)
    decided = await decide(refunds, order.order_no)
    await shop.carry_out()
    assert await shop.state(order.order_no) == "refunded"
    assert await shop.refunded_fen(order.order_no) == 20000
    (written,) = await rows("select refund_id, success_at, sent_at from refunds")
    assert None not in written.values()
    assert await rows("select kind, subject, order_no from duties") == [
        {"kind": "tell_refunded", "subject": decided.out_refund_no, "order_no": order.order_no}
    ]
    await shop.audit()


async def test_a_part_leads_back_to_paid_and_the_rest_to_refunded(shop: Shop, refunds: RefundBook) -> None:
    order = await shop.buy(floor=2)
    await decide(refunds, order.order_no, items=(Item("floor", 1),))
    await shop.carry_out()
    assert await shop.state(order.order_no) == "paid"
    await shop.audit()
    await decide(refunds, order.order_no)
    await shop.carry_out()
    assert await shop.state(order.order_no) == "refunded"
    assert await shop.refunded_fen(order.order_no) == 20000


async def test_a_lost_answer_is_found_by_asking_and_nothing_is_sent_twice(shop: Shop, refunds: RefundBook) -> None:
    order = await shop.buy(floor=2)
    decided = await decide(refunds, order.order_no, amount_fen=500)
    await shop.luck(answer_routes=["refund", "query_refund"], answer_lost=1.0)
    await shop.refunder().run_once()
    assert await shop.stage(decided.out_refund_no) == "intended"
    await shop.luck()
    await shop.carry_out()
    assert await shop.state(order.order_no) == "paid"
    assert await shop.refunded_fen(order.order_no) == 500


async def test_two_refunders_at_once_make_one_refund(shop: Shop, refunds: RefundBook) -> None:
    order = await shop.buy(floor=2)
    await decide(refunds, order.order_no, amount_fen=500)
    await asyncio.gather(*(shop.refunder().run_once() for _ in range(4)))
    await shop.carry_out()
    assert await shop.refunded_fen(order.order_no) == 500


async def test_an_abnormal_refund_goes_to_a_bank_card(shop: Shop, refunds: RefundBook, failed: FailedRefunds) -> None:
    order = await shop.buy(floor=1)
    decided = await decide(refunds, order.order_no)
    assert decided.out_refund_no is not None
    await shop.luck(refund_abnormal=1.0)
    await shop.carry_out()
    assert await shop.state(order.order_no) == "refund_failed"
    await shop.luck()
    assert await failed.redirect(decided.out_refund_no, CARD) is None
    await shop.carry_out()
    assert await shop.state(order.order_no) == "refunded"
    assert await failed.redirect(decided.out_refund_no, CARD) is RefundCode.NOT_FAILED


async def test_a_bank_card_whose_answer_was_lost_is_found_by_asking(
    shop: Shop, refunds: RefundBook, failed: FailedRefunds
) -> None:
    order = await shop.buy(floor=1)
    decided = await decide(refunds, order.order_no)
    assert decided.out_refund_no is not None
    await shop.luck(refund_abnormal=1.0)
    await shop.carry_out()
    await shop.luck(answer_routes=["abnormal_refund"], answer_lost=1.0)
    with pytest.raises(ProviderAway):
        await failed.redirect(decided.out_refund_no, CARD)
    await shop.luck()
    await shop.refunder().run_once()  # due at once, without being told
    await shop.carry_out()
    assert await shop.state(order.order_no) == "refunded"


async def test_a_closed_refund_is_made_under_a_new_number(
    shop: Shop, refunds: RefundBook, failed: FailedRefunds, rows: Any
) -> None:
    order = await shop.buy(floor=2)
    closed = await decide(refunds, order.order_no, items=(Item("floor", 1),))
    assert closed.out_refund_no is not None
    await shop.luck(refund_closed=1.0)
    await shop.carry_out()
    assert await shop.state(order.order_no) == "refund_failed"
    await shop.luck()
    again = await failed.retry(closed.out_refund_no)
    assert isinstance(again, Decided)
    assert (again.out_refund_no, again.amount_fen) == (f"R{order.order_no}-2", 10000)
    await shop.carry_out()
    assert await shop.state(order.order_no) == "paid"
    assert await shop.house.allocated("floor") == 1
    assert await rows("select refunded_fen from orders") == [{"refunded_fen": 10000}]
    await shop.audit()


async def test_a_closed_refund_is_tried_again_by_itself_only_after_the_time_of_the_settings(
    shop: Shop, refunds: RefundBook, failed: FailedRefunds
) -> None:
    order = await shop.buy(floor=1)
    await decide(refunds, order.order_no)
    await shop.luck(refund_closed=1.0)
    await shop.carry_out()
    await Retrier(failed, shop.queue, after_s=60).run_once()
    assert await shop.state(order.order_no) == "refund_failed"
    await Retrier(failed, shop.queue, after_s=0).run_once()
    assert await shop.state(order.order_no) == "refunding"


async def test_closed_money_of_an_unknown_order_is_tried_again_once(
    shop: Shop, failed: FailedRefunds, rows: Any
) -> None:
    await rows(
        "insert into refunds (out_refund_no, order_no, sale_id, transaction_id, mchid, amount_fen, total_fen, reason, "
        "cause, state) values ('Rx', 'x', '', '4200', $1, 5, 5, 'stray', 'unknown_order', 'closed')",
        shop.simulator.names["mchid"],
    )
    answers = await asyncio.gather(*(failed.retry("Rx") for _ in range(5)))
    assert [one.out_refund_no for one in answers if isinstance(one, Decided)] == ["Rx-2"]


async def test_one_refund_that_cannot_even_be_asked_for_holds_up_no_other(
    shop: Shop, refunds: RefundBook, rows: Any
) -> None:
    wrong, right = await shop.buy("ann", stand=1), await shop.buy("ben", stand=1)
    for order in (wrong, right):
        await decide(refunds, order.order_no)
    await rows("update refunds set amount_fen = total_fen + 1 where order_no = $1", wrong.order_no)
    await shop.carry_out()
    assert await shop.state(right.order_no) == "refunded"
    assert await shop.state(wrong.order_no) == "refunding"


async def test_money_that_went_back_by_hand_ends_a_failed_refund(
    shop: Shop, refunds: RefundBook, failed: FailedRefunds
) -> None:
    order = await shop.buy(floor=1)
    decided = await decide(refunds, order.order_no)
    assert decided.out_refund_no is not None
    assert await failed.settle_by_hand(decided.out_refund_no) is RefundCode.NOT_FAILED
    await shop.luck(refund_closed=1.0)
    await shop.carry_out()
    assert [await failed.settle_by_hand(decided.out_refund_no) for _ in range(2)] == [None, None]
    assert await shop.state(order.order_no) == "refunded"


async def test_an_account_short_of_money_rests_and_the_same_numbers_follow_later(
    shop: Shop, refunds: RefundBook, rows: Any
) -> None:
    orders = [await shop.buy(buyer, stand=1) for buyer in ("ann", "ben", "cem", "dan", "eva")]
    for order in orders:
        await decide(refunds, order.order_no)
    await shop.luck(refund_not_enough=1.0)
    refunder = shop.refunder(calls_max=1)
    await refunder.run_once()
    asked = await rows("select 1 from refunds where last_code is not null")
    assert len(asked) == 3
    await shop.luck()
    shop.now_s += 3600
    await shop.carry_out()
    assert {await shop.state(order.order_no) for order in orders} == {"refunded"}
    assert len(await rows("select 1 from refunds")) == 5


async def test_a_mistake_in_the_settings_does_not_close_every_refund(
    shop: Shop, refunds: RefundBook, rows: Any
) -> None:
    orders = [await shop.buy(buyer, stand=1) for buyer in ("ann", "ben", "cem", "dan", "eva")]
    for order in orders:
        await decide(refunds, order.order_no)
    # WeChat takes no address for notifications that is neither local nor https.
    async with open_shop(shop.house, shop.simulator, notify_url="http://shop.example.com/notify") as mistaken:
        await mistaken.refunder(calls_max=1).run_once()
    states = [row["state"] for row in await rows("select state::text as state from refunds order by state")]
    assert states == ["closed"] * 3 + ["intended"] * 2
    shop.now_s += 3600
    await shop.house.sql("update refunds set next_check_at = now() returning 1")
    await shop.carry_out()
    assert [await shop.state(order.order_no) for order in orders].count("refunded") == 2


async def test_a_single_buyer_does_not_wait_behind_a_mass_refund(shop: Shop, refunds: RefundBook) -> None:
    crowd = [await shop.buy(buyer, stand=1) for buyer in ("ann", "ben", "cem")]
    alone = await shop.buy("eva", floor=1)
    await refunds.decide_many(
        [order.order_no for order in crowd], cause=Cause.SESSION_CANCELLED, reason="storm", units_back=False
    )
    await decide(refunds, alone.order_no, cause=Cause.BUYER)
    await shop.carry_out(Lane.SINGLE)
    assert [await shop.state(order.order_no) for order in crowd] == ["refunding"] * 3
    assert await shop.state(alone.order_no) == "refunded"
    await shop.carry_out(Lane.MASS)
    assert {await shop.state(order.order_no) for order in crowd} == {"refunded"}


async def test_notices_in_any_order_and_twice_end_in_success(shop: Shop, refunds: RefundBook) -> None:
    order = await shop.buy(floor=1)
    decided = await decide(refunds, order.order_no)
    refunder = shop.refunder()
    told = [RefundState.ABNORMAL, RefundState.SUCCESS, RefundState.ABNORMAL, RefundState.SUCCESS]
    noted = [await refunder.noticed(notice(decided, state)) for state in told]
    assert noted == [Noted.MOVED, Noted.MOVED, Noted.REPEATED, Noted.REPEATED]
    assert await shop.state(order.order_no) == "refunded"


async def test_what_waits_is_shown_by_how_far_it_came(shop: Shop, refunds: RefundBook) -> None:
    for buyer in ("ann", "ben"):
        await decide(refunds, (await shop.buy(buyer, stand=1)).order_no)
    await RefundWatch(shop.queue).run_once()
    waiting = {stage: REGISTRY.get_sample_value("floodgate_refunds_open", {"state": stage}) for stage in OPEN}
    assert waiting == {Stage.INTENDED: 2, Stage.PROCESSING: 0, Stage.ABNORMAL: 0}


async def test_a_hundred_notices_at_once_move_an_order_once(shop: Shop, refunds: RefundBook) -> None:
    order = await shop.buy(floor=1)
    decided = await decide(refunds, order.order_no)
    refunder = shop.refunder()
    noted = await asyncio.gather(*(refunder.noticed(notice(decided, RefundState.SUCCESS)) for _ in range(100)))
    assert noted.count(Noted.MOVED) == 1
    assert set(noted) == {Noted.MOVED, Noted.REPEATED}


async def test_a_notice_about_another_sum_or_an_unknown_refund_moves_nothing(shop: Shop, refunds: RefundBook) -> None:
    order = await shop.buy(floor=1)
    decided = await decide(refunds, order.order_no)
    refunder = shop.refunder()
    assert await refunder.noticed(notice(decided, RefundState.SUCCESS, refund_fen=1)) is Noted.MISMATCH
    stranger = notice(decided, RefundState.SUCCESS, out_refund_no="R0", order_no="0" * 32)
    assert await refunder.noticed(stranger) is Noted.UNKNOWN_REFUND
    assert await shop.state(order.order_no) == "refunding"


async def test_a_refund_made_in_wechats_own_pages_is_taken_into_the_books(
    shop: Shop, refunds: RefundBook, rows: Any
) -> None:
    order = await shop.buy(floor=2)
    decided = await decide(refunds, order.order_no, amount_fen=1)
    await shop.carry_out()
    elsewhere = {"out_refund_no": "by-hand-1", "refund_fen": 19999}
    told = [await shop.refunder().noticed(notice(decided, RefundState.SUCCESS, **elsewhere)) for _ in range(2)]
    assert told == [Noted.MOVED, Noted.REPEATED]
    assert await shop.state(order.order_no) == "refunded"
    assert await rows("select amount_fen, cause::text as cause from refunds order by amount_fen") == [
        {"amount_fen": 1, "cause": "organizer"},
        {"amount_fen": 19999, "cause": "organizer"},
    ]


async def test_a_refund_told_before_its_payment_is_decided_after_it(shop: Shop, refunds: RefundBook) -> None:
    unpaid = await shop.house.place("eva", floor=1)
    early = RefundNotice(
        notice_id="n",
        event_type="REFUND.SUCCESS",
        digest=b"0" * 16,
        out_refund_no="by-hand-1",
        refund_id="503",
        order_no=unpaid.order_no,
        transaction_id="4200",
        mchid=shop.simulator.names["mchid"],
        state=RefundState.SUCCESS,
        refund_fen=10000,
        total_fen=10000,
        success_at=datetime.now(UTC),
    )
    assert not (await shop.refunder().noticed(early)).decided
    await shop.settle(unpaid)
    assert await shop.state(unpaid.order_no) == "paid"
    assert await shop.refunder().noticed(early) is Noted.MOVED
    assert await shop.state(unpaid.order_no) == "refunded"
