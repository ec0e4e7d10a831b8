"""Reports of money that reach one transaction, or one order, together."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from engine.infra.postgres import connection
from engine.orders.states import Event
from engine.payments.cancelling.book import cancel
from engine.payments.ledger import NoticeRow, SessionCancelled, Settlement
from tests.support.house import Rooms

MCHID = "1900000001"


def settlement(order: Any, **said: Any) -> Settlement:
    usual = Settlement(
        order_no=order.order_no,
        transaction_id=f"4200{order.order_no[:24]}",
        mchid=MCHID,
        buyer=order.buyer,
        total_fen=order.amount_fen,
        success_at=datetime.now(UTC),
        learned_by="notify",
    )
    return replace(usual, **said)


def notice(order: Any, digest: bytes) -> NoticeRow:
    return NoticeRow(
        digest=digest.ljust(16, b"-"),
        notice_id="n",
        event_type="TRANSACTION.SUCCESS",
        mchid=MCHID,
        subject=order.order_no,
        body=b"sealed",
    )


@pytest.mark.parametrize("wrong_first", [False, True])
async def test_a_wrong_report_beside_the_right_one_is_neither_written_nor_called_decided(
    house: Rooms, rows: Any, wrong_first: bool
) -> None:
    order = await house.place("ann", floor=1)
    right = settlement(order, notice=notice(order, b"right"))
    wrong = settlement(order, total_fen=1, notice=notice(order, b"wrong"))
    moved = await house.ledger.settle([wrong, right] if wrong_first else [right, wrong])
    assert list(moved) == [order.order_no]
    assert await rows("select total_fen from payments") == [{"total_fen": 10000}]
    assert await rows("select digest from notices where outcome is null") == [{"digest": b"wrong-----------"}]


async def test_batches_of_the_same_orders_in_opposite_order_do_not_wait_for_each_other_in_a_circle(
    house: Rooms,
) -> None:
    await house.sql("update sales set per_buyer_max = 100 returning 1")
    await house.sql("update skus set capacity = 400, per_order_max = 100 returning 1")
    await house.follower.run_once()
    orders = [await house.place(f"buyer{n}", floor=1) for n in range(60)]
    there = [settlement(order) for order in orders]
    for _ in range(10):
        moved = await asyncio.gather(house.ledger.settle(there), house.ledger.settle(there[::-1]))
        assert sum(map(len, moved)) == 60  # a circle would have ended one of them
        await house.sql("update orders set state = 'paying' returning 1")


async def test_a_second_report_of_late_money_frees_nothing_of_an_order_that_was_retaken_before_the_cancellation(
    house: Rooms,
) -> None:
    order = await house.place("ann", floor=1)
    await house.book.release([order.order_no], Event.CANCELLED)
    live = house.live
    assert await house.ledger.retake(settlement(order), "spring", live.epoch)
    async with connection(house.pool) as conn:
        await cancel(conn, "night", "storm")
    try:
        again = await house.ledger.retake(settlement(order), "spring", live.epoch)
    except SessionCancelled:
        pytest.fail("an order that is paid was taken for one whose money has to go back")
    assert again is False
