"""Decisions in the ledger: what is written together, what is refused, and what holds when many come at once."""

import asyncio
from typing import Any

from engine.infra.postgres import connection
from engine.orders.records import request_id_of
from engine.payments.refunds.book import RefundBook
from engine.payments.refunds.wishes import Cause, Decided, RefundCode, RefundRefusal, RefundWish, RequestKey
from engine.stock.claim import Item
from tests.payments.refunds.conftest import Paid
from tests.support.house import Rooms


def wish(order_no: str, **rest: Any) -> RefundWish:
    whole = not rest.keys() & {"items", "amount_fen"}
    defaults: dict[str, Any] = {"cause": Cause.ORGANIZER, "reason": "storm", "units_back": True, "whole": whole}
    return RefundWish(order_no=order_no, **{**defaults, **rest})


async def decide(refunds: RefundBook, order_no: str, **rest: Any) -> Decided:
    decided = await refunds.decide(wish(order_no, **rest))
    assert isinstance(decided, Decided), decided
    return decided


async def code_of(refunds: RefundBook, order_no: str, **rest: Any) -> RefundCode:
    refused = await refunds.decide(wish(order_no, **rest))
    assert isinstance(refused, RefundRefusal), refused
    return refused.code


async def back_to_paid(house: Rooms, order_no: str) -> None:
    """As if the refund had succeeded in part."""
    async with connection(house.pool) as conn:
        await conn.execute("update refunds set state = 'success' where order_no = $1", order_no)
        await conn.execute("update orders set state = 'paid' where order_no = $1", order_no)


async def test_a_whole_refund_gives_back_money_and_units_in_one_step(
    house: Rooms, refunds: RefundBook, paid: Paid, rows: Any
) -> None:
    order = await paid(floor=2, stand=1)
    decided = await decide(refunds, order.order_no)
    assert decided.out_refund_no == f"R{order.order_no}-1"
    assert (decided.amount_fen, decided.has_units, decided.kept) == (25000, False, ())
    assert decided.items == (Item("floor", 2), Item("stand", 1))
    (written,) = await rows("select *, state::text as state from refunds")
    assert (written["amount_fen"], written["total_fen"], written["state"]) == (25000, 25000, "intended")
    (now,) = await rows("select state::text as state, has_units, refunded_fen from orders")
    assert now == {"state": "refunding", "has_units": False, "refunded_fen": 25000}
    assert (await house.allocated("floor"), await house.allocated("stand")) == (0, 0)


async def test_units_stay_sold_when_the_sale_does_not_take_them_back(
    house: Rooms, refunds: RefundBook, paid: Paid, rows: Any
) -> None:
    order = await paid(floor=2)
    decided = await decide(refunds, order.order_no, units_back=False)
    assert (decided.has_units, decided.kept) == (True, (Item("floor", 2),))
    assert await house.allocated("floor") == 2
    assert (await rows("select sum(returned) as units from order_items")) == [{"units": 0}]


async def test_one_ticket_of_two_leaves_the_other(house: Rooms, refunds: RefundBook, paid: Paid) -> None:
    order = await paid(floor=2)
    decided = await decide(refunds, order.order_no, items=(Item("floor", 1),))
    assert (decided.amount_fen, decided.has_units, decided.kept) == (10000, True, (Item("floor", 1),))
    assert await house.allocated("floor") == 1


async def test_tickets_for_less_than_their_price_are_taken_back_for_that_sum(refunds: RefundBook, paid: Paid) -> None:
    order = await paid(floor=2)
    decided = await decide(refunds, order.order_no, items=(Item("floor", 2),), amount_fen=16000)
    assert (decided.amount_fen, decided.has_units) == (16000, False)


async def test_a_second_refund_gets_the_next_number_and_what_is_left(
    house: Rooms, refunds: RefundBook, paid: Paid
) -> None:
    order = await paid(floor=2)
    await decide(refunds, order.order_no, items=(Item("floor", 1),))
    await back_to_paid(house, order.order_no)
    decided = await decide(refunds, order.order_no)
    assert decided.out_refund_no == f"R{order.order_no}-2"
    assert (decided.amount_fen, decided.items) == (10000, (Item("floor", 1),))
    assert await house.allocated("floor") == 0


async def test_tickets_after_a_goodwill_sum_give_only_what_is_left_of_the_money(
    house: Rooms, refunds: RefundBook, paid: Paid
) -> None:
    order = await paid(floor=1)
    await decide(refunds, order.order_no, amount_fen=4000)
    await back_to_paid(house, order.order_no)
    assert (await decide(refunds, order.order_no, items=(Item("floor", 1),))).amount_fen == 6000


async def test_a_second_refund_waits_until_a_minute_after_the_first_was_sent(
    house: Rooms, refunds: RefundBook, paid: Paid, rows: Any
) -> None:
    order = await paid(floor=2)
    spaced = RefundBook(house.pool)
    await decide(spaced, order.order_no, amount_fen=1)
    await house.sql("update refunds set sent_at = now() - interval '10 s' where order_no = $1", order.order_no)
    await back_to_paid(house, order.order_no)
    second = await decide(spaced, order.order_no, amount_fen=1)
    (written,) = await rows(
        "select next_check_at > now() + interval '50 s' as late from refunds where out_refund_no = $1",
        second.out_refund_no,
    )
    assert written["late"]


async def test_no_order_no_refund(refunds: RefundBook) -> None:
    assert await code_of(refunds, "0" * 32) is RefundCode.UNKNOWN_ORDER


async def test_an_unpaid_order_is_not_refundable(house: Rooms, refunds: RefundBook) -> None:
    order = await house.place("ann")
    assert await code_of(refunds, order.order_no) is RefundCode.NOT_REFUNDABLE


async def test_a_second_wish_waits_for_the_first_refund(refunds: RefundBook, paid: Paid) -> None:
    order = await paid(floor=2)
    await decide(refunds, order.order_no, amount_fen=1)
    assert await code_of(refunds, order.order_no, amount_fen=1) is RefundCode.REFUND_UNDER_WAY


async def test_twenty_wishes_at_once_are_one_refund(refunds: RefundBook, paid: Paid, rows: Any) -> None:
    order = await paid(floor=4)
    answers = await asyncio.gather(*(refunds.decide(wish(order.order_no, amount_fen=1)) for _ in range(20)))
    assert len([one for one in answers if isinstance(one, Decided)]) == 1
    assert len(await rows("select 1 from refunds")) == 1


async def test_the_same_key_gives_the_same_refund(refunds: RefundBook, paid: Paid, rows: Any) -> None:
    order = await paid(floor=2)
    key = RequestKey(request_id_of(order.buyer, "key-00001"), b"content")
    first = await decide(refunds, order.order_no, items=(Item("floor", 1),), key=key)
    again = await decide(refunds, order.order_no, items=(Item("floor", 1),), key=key)
    assert again.repeated
    assert (again.out_refund_no, again.amount_fen, again.kept) == (first.out_refund_no, first.amount_fen, first.kept)
    assert len(await rows("select 1 from refunds")) == 1


async def test_the_same_key_with_another_content_is_refused(refunds: RefundBook, paid: Paid) -> None:
    order = await paid(floor=2)
    request_id = request_id_of(order.buyer, "key-00001")
    await decide(refunds, order.order_no, amount_fen=1, key=RequestKey(request_id, b"one"))
    code = await code_of(refunds, order.order_no, amount_fen=2, key=RequestKey(request_id, b"two"))
    assert code is RefundCode.KEY_REUSED


async def test_a_ticket_without_a_price_goes_back_without_a_refund(
    house: Rooms, refunds: RefundBook, paid: Paid, rows: Any
) -> None:
    order = await paid(floor=2)
    await house.sql("update order_items set price_fen = 0 where order_no = $1 returning 1", order.order_no)
    decided = await decide(refunds, order.order_no, items=(Item("floor", 1),), amount_fen=0)
    assert (decided.out_refund_no, decided.kept) == (None, (Item("floor", 1),))
    assert await rows("select state::text as state from orders") == [{"state": "paid"}]
    assert await house.allocated("floor") == 1


async def test_many_orders_are_decided_together_and_each_gets_its_answer(
    house: Rooms, refunds: RefundBook, paid: Paid, rows: Any
) -> None:
    paid_orders = [await paid(buyer, floor=1, stand=1) for buyer in ("ann", "ben", "cem")]
    unpaid = await house.place("dan", floor=1)
    order_nos = [*(order.order_no for order in paid_orders), unpaid.order_no, "0" * 32]
    answers = await refunds.decide_many(
        order_nos, cause=Cause.SESSION_CANCELLED, reason="cancelled", units_back=True, session_id="night"
    )
    assert set(answers) == set(order_nos)
    assert answers[unpaid.order_no] == RefundRefusal(RefundCode.NOT_REFUNDABLE)
    assert answers["0" * 32] == RefundRefusal(RefundCode.UNKNOWN_ORDER)
    assert await rows("select count(*), sum(amount_fen) as fen from refunds") == [{"count": 3, "fen": 45000}]
    assert (await house.allocated("floor"), await house.allocated("stand")) == (1, 0)


async def test_deciding_many_again_decides_nothing_again(refunds: RefundBook, paid: Paid, rows: Any) -> None:
    order_nos = [(await paid(buyer)).order_no for buyer in ("ann", "ben")]
    for _ in range(2):
        answers = await refunds.decide_many(
            order_nos, cause=Cause.SESSION_CANCELLED, reason="cancelled", units_back=True
        )
    assert set(answers.values()) == {RefundRefusal(RefundCode.REFUND_UNDER_WAY)}
    assert len(await rows("select 1 from refunds")) == 2


async def test_a_cancelled_session_takes_back_its_own_tickets_alone(
    house: Rooms, refunds: RefundBook, paid: Paid
) -> None:
    await house.sql("insert into sessions values ('matinee', 'spring', 'Matinee', 'Hall', now())")
    order = await paid(floor=2, stand=1)
    await house.sql("update skus set session_id = 'matinee' where sku_id = 'stand'")
    answers = await refunds.decide_many(
        [order.order_no], cause=Cause.SESSION_CANCELLED, reason="rain", units_back=True, session_id="matinee"
    )
    decided = answers[order.order_no]
    assert isinstance(decided, Decided)
    assert (decided.amount_fen, decided.items) == (5000, (Item("stand", 1),))
    assert decided.kept == (Item("floor", 2),)


async def test_one_key_for_two_orders_at_once_decides_one_and_refuses_the_other(
    refunds: RefundBook, paid: Paid, rows: Any
) -> None:
    orders = [await paid(f"buyer{n}", "key-00001", stand=1) for n in range(4)]
    answers = await asyncio.gather(
        *(
            refunds.decide(wish(order.order_no, key=RequestKey(b"k" * 16, order.order_no.encode()[:16])))
            for order in orders
        )
    )
    assert sum(isinstance(one, Decided) for one in answers) == 1
    assert [one.code for one in answers if isinstance(one, RefundRefusal)] == [RefundCode.KEY_REUSED] * 3
    assert len(await rows("select 1 from refunds")) == 1
