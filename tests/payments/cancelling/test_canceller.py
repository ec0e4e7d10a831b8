"""A cancelled session: sold no more, its open orders end, and each paid one is refunded once, whoever dies."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from engine.infra.postgres import connection
from engine.orders.placing import Refused
from engine.orders.records import Order
from engine.orders.states import Event, State
from engine.payments.cancelling.book import Cancelled, cancel, read_progress
from engine.payments.cancelling.canceller import Canceller
from engine.payments.cancelling.progress import Progress
from engine.payments.ledger import PaymentWish
from engine.payments.refunds.book import RefundBook
from engine.payments.refunds.wishes import Cause, Decided, RefundWish
from engine.stock.claim import Item
from engine.stock.codes import ReserveCode
from engine.stock.stock import Shelf
from tests.payments.cancelling.conftest import Clock, Paid
from tests.support.house import Rooms

Rows = Callable[..., Awaitable[list[dict[str, Any]]]]


async def cancelled(house: Rooms, session_id: str = "night", reason: str = "storm") -> Cancelled:
    async with connection(house.pool) as conn:
        outcome = await cancel(conn, session_id, reason)
    await house.follower.run_once()
    return outcome


async def run(canceller: Canceller) -> None:
    while await canceller.run_once():
        pass


async def progress_of(house: Rooms, session_id: str = "night") -> Progress:
    async with connection(house.pool) as conn:
        found = await read_progress(conn, session_id)
    assert found is not None
    return found


async def state_of(house: Rooms, order: Order) -> State:
    found = await house.book.read(order.order_no)
    assert found is not None
    return found.state


async def test_cancelling_twice_keeps_the_first_reason(two: Rooms) -> None:
    assert await cancelled(two, reason="storm") is Cancelled.CANCELLED
    assert await cancelled(two, reason="flood") is Cancelled.ALREADY
    assert (await progress_of(two)).reason == "storm"


async def test_an_unknown_session_is_not_cancelled(two: Rooms) -> None:
    assert await cancelled(two, "dawn") is Cancelled.UNKNOWN_SESSION


async def test_a_cancelled_session_sells_no_more_and_its_sister_goes_on(two: Rooms) -> None:
    await cancelled(two)
    assert await two.try_to_place("ann", floor=1) == Refused(ReserveCode.SOLD_OUT)
    await two.place("ann", "key-other", early=1)
    assert await two.shelf("floor") == Shelf(0, 0, 0, 0)


async def test_a_rebuild_does_not_bring_a_cancelled_session_back(two: Rooms, paid: Paid) -> None:
    await paid("ann", floor=2)
    await cancelled(two)
    await two.store.client.flushall()
    two.live.fence()
    await two.rebuilder.run_once()
    assert await two.shelf("floor") == Shelf(0, -2, 0, 2)
    assert await two.try_to_place("bob", floor=1) == Refused(ReserveCode.SOLD_OUT)


async def test_every_paid_order_is_refunded_whole(two: Rooms, canceller: Canceller, paid: Paid, rows: Rows) -> None:
    orders = [await paid(f"buyer{n}", floor=1) for n in range(8)]
    await cancelled(two)
    await run(canceller)
    found = await rows("select order_no, amount_fen, cause::text as cause, reason from refunds")
    assert {row["order_no"] for row in found} == {order.order_no for order in orders}
    assert {(row["amount_fen"], row["cause"], row["reason"]) for row in found} == {
        (10_000, "session_cancelled", "storm")
    }
    assert (await two.shelf("floor"), await two.allocated("floor")) == (Shelf(0, 0, 0, 0), 0)
    assert (await two.audit()).passed


async def test_an_order_with_tickets_of_another_session_keeps_those(
    two: Rooms, canceller: Canceller, paid: Paid, rows: Rows
) -> None:
    order = await paid("ann", floor=1, early=2)
    await cancelled(two)
    await run(canceller)
    assert [row["amount_fen"] for row in await rows("select amount_fen from refunds")] == [10_000]
    now = await two.book.read(order.order_no)
    assert now is not None
    assert now.claim().items == (Item("early", 2),)
    assert await two.shelf("early") == Shelf(10, 8, 0, 2)


async def test_an_order_of_another_session_is_left_alone(two: Rooms, canceller: Canceller, paid: Paid) -> None:
    order = await paid("ann", early=2)
    await cancelled(two)
    await run(canceller)
    assert await state_of(two, order) is State.PAID


async def test_a_buyer_may_buy_another_session_with_what_is_free_of_the_limit(
    two: Rooms, canceller: Canceller, paid: Paid
) -> None:
    await paid("ann", floor=4)
    await cancelled(two)
    await run(canceller)
    await two.place("ann", "key-other", early=4)


async def test_held_orders_end_at_once(two: Rooms, canceller: Canceller) -> None:
    order = await two.place("ann", floor=2)
    await cancelled(two)
    await run(canceller)
    assert await state_of(two, order) is State.RELEASED
    assert await two.shelf("floor") == Shelf(0, 0, 0, 0)


async def test_orders_under_payment_go_to_closing(two: Rooms, canceller: Canceller) -> None:
    order = await two.place("ann", floor=2)
    await two.ledger.start_payments([PaymentWish(order.order_no, order.buyer, 0, "1900000001")], mchids={"1900000001"})
    await cancelled(two)
    await run(canceller)
    assert await state_of(two, order) is State.CLOSING


async def test_an_order_that_is_paid_while_it_closes_is_refunded_without_a_new_pass(
    two: Rooms, canceller: Canceller, rows: Rows
) -> None:
    order = await two.place("ann", floor=2)
    await two.ledger.start_payments([PaymentWish(order.order_no, order.buyer, 0, "1900000001")], mchids={"1900000001"})
    await cancelled(two)
    await run(canceller)
    await two.sql("update orders set state = 'paid' where state = 'closing' returning 1")
    await two.sql(
        "insert into payments (transaction_id, order_no, sale_id, mchid, total_fen, success_at, learned_by)"
        " values ('4200', $1, 'spring', '1900000001', 20000, now(), 'test') returning 1",
        order.order_no,
    )
    await canceller.run_once()
    assert await rows("select order_no from refunds") == [{"order_no": order.order_no}]


async def test_an_order_that_was_paid_unseen_is_found_by_the_next_pass(
    two: Rooms, canceller: Canceller, paid: Paid, clock: Clock, rows: Rows
) -> None:
    await cancelled(two)
    await run(canceller)
    await two.sql("update sessions set cancelled_at = null returning 1")
    await two.follower.run_once()
    await paid("ann", floor=1)  # as a worker places that has not heard of it yet
    await cancelled(two)
    await run(canceller)
    assert await rows("select 1 from refunds") == []
    clock.now_s += 31
    await run(canceller)
    assert len(await rows("select 1 from refunds")) == 1


async def test_many_cancellers_that_are_cut_off_anywhere_decide_each_refund_once(
    two: Rooms, refunds: RefundBook, paid: Paid, clock: Clock, rows: Rows
) -> None:
    for n in range(9):
        await paid(f"buyer{n}", floor=1)
    await cancelled(two)

    async def attend(n: int) -> None:
        one = Canceller(two.pool, two.board, two.stock, two.book, refunds, monotonic_s=clock, page_count=2)
        working = asyncio.create_task(run(one))
        await asyncio.wait([working], timeout=0.004 * n)
        working.cancel()
        await asyncio.wait([working])

    await asyncio.gather(*(attend(n) for n in range(8)))
    await run(Canceller(two.pool, two.board, two.stock, two.book, refunds, monotonic_s=clock, page_count=2))
    await two.auditor.run_once()
    found = await rows("select order_no from refunds")
    assert (len(found), len({row["order_no"] for row in found})) == (9, 9)
    assert (await two.audit()).passed


async def test_an_order_whose_earlier_refund_is_under_way_waits_for_its_turn(
    two: Rooms, canceller: Canceller, refunds: RefundBook, paid: Paid, clock: Clock, rows: Rows
) -> None:
    order = await paid("ann", floor=3)
    wish = RefundWish(
        order_no=order.order_no, cause=Cause.BUYER, reason="ill", units_back=True, items=(Item("floor", 1),)
    )
    assert isinstance(await refunds.decide(wish), Decided)
    await cancelled(two)
    await run(canceller)
    assert len(await rows("select 1 from refunds")) == 1
    await two.sql("update refunds set state = 'success' returning 1")
    await two.book.pool.execute("update orders set state = 'paid'")
    clock.now_s += 31
    await run(canceller)
    found = await rows("select amount_fen from refunds order by out_refund_no")
    assert [row["amount_fen"] for row in found] == [10_000, 20_000]


async def test_free_tickets_are_taken_back_without_money(two: Rooms, canceller: Canceller) -> None:
    await two.sql("update skus set price_fen = 0 returning 1")
    await two.board.refresh()
    order = await two.place("ann", floor=2)
    await cancelled(two)
    await run(canceller)
    assert await state_of(two, order) is State.REFUNDED
    assert (await progress_of(two)).counts.free == 1
    assert (await two.audit()).passed


async def test_a_sale_that_left_the_board_is_refunded_all_the_same(
    two: Rooms, canceller: Canceller, paid: Paid, rows: Rows
) -> None:
    await paid("ann", floor=1)
    await cancelled(two)
    two.board.sales.clear()
    await run(canceller)
    assert len(await rows("select 1 from refunds")) == 1


async def test_progress_counts_each_order_where_it_stands(
    two: Rooms, canceller: Canceller, paid: Paid, rows: Rows
) -> None:
    orders = [await paid(f"buyer{n}", floor=1) for n in range(6)]
    held = await two.place("late", floor=1)
    before = await progress_of(two)
    assert (before.counts.undecided, before.counts.undecided_fen, before.counts.open) == (6, 60_000, 1)
    await two.book.release([held.order_no], Event.CANCELLED)
    await cancelled(two)
    await run(canceller)
    for order, change in zip(
        orders,
        [
            "state = 'success'",
            "state = 'processing'",
            "state = 'intended', sent_at = now()",
            "state = 'abnormal'",
            "state = 'closed'",
        ],
        strict=False,
    ):
        await two.sql(f"update refunds set {change} where order_no = $1 returning 1", order.order_no)
    counts = (await progress_of(two)).counts
    assert (counts.open, counts.undecided, counts.decided, counts.sent, counts.succeeded, counts.failed) == (
        0,
        0,
        1,
        2,
        1,
        2,
    )
    assert (counts.succeeded_fen, counts.failed_fen) == (10_000, 20_000)
    assert len(await rows("select 1 from refunds")) == 6
