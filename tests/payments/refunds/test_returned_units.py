"""Units that a refund returns: free in the ledger at once, in Redis when it is told, and never counted twice again."""

import asyncio
from typing import Any

import pytest

from engine.infra.postgres import connection, load_queries
from engine.orders.book import QUERIES
from engine.orders.records import Order
from engine.orders.telling import tell_kept, tell_paid
from engine.payments.refunds.book import RefundBook
from engine.payments.refunds.wishes import Cause, Decided, RefundWish
from engine.stock.claim import Item
from engine.stock.stock import Shelf
from tests.payments.refunds.conftest import Paid
from tests.support.house import Rooms


async def give_back(refunds: RefundBook, order: Order, *, units_back: bool = True, **quantities: int) -> Decided:
    wish = RefundWish(
        order_no=order.order_no,
        cause=Cause.ORGANIZER,
        reason="asked",
        units_back=units_back,
        items=tuple(Item(*item) for item in quantities.items()),
    )
    decided = await refunds.decide(wish)
    assert isinstance(decided, Decided)
    return decided


async def tell(house: Rooms, decided: Decided) -> None:
    await tell_kept(house.live, house.stock, house.book, {decided.order_no: decided.kept})


async def confirm(house: Rooms, order: Order) -> None:
    await tell_paid(house.live, house.stock, house.book, [order.order_no])


async def test_units_of_a_refund_are_for_sale_again(house: Rooms, refunds: RefundBook, paid: Paid) -> None:
    order = await paid("ann", floor=3)
    await confirm(house, order)
    await tell(house, await give_back(refunds, order, floor=2))
    assert (await house.shelf(), await house.allocated()) == (Shelf(10, 9, 0, 1), 1)
    assert (await house.audit()).passed


async def test_units_that_stay_away_from_the_sale_stay_sold(house: Rooms, refunds: RefundBook, paid: Paid) -> None:
    order = await paid("ann", floor=3)
    await confirm(house, order)
    await tell(house, await give_back(refunds, order, units_back=False, floor=2))
    assert (await house.shelf(), await house.allocated()) == (Shelf(10, 7, 0, 3), 3)
    assert (await house.audit()).passed


async def test_an_order_that_gave_everything_back_leaves_redis(house: Rooms, refunds: RefundBook, paid: Paid) -> None:
    order = await paid("ann", floor=3, stand=1)
    await confirm(house, order)
    await tell(house, await give_back(refunds, order, floor=3, stand=1))
    assert await house.shelf() == Shelf(10, 10, 0, 0)
    assert (await house.audit()).passed


async def test_a_buyer_may_buy_again_what_was_refunded(house: Rooms, refunds: RefundBook, paid: Paid) -> None:
    order = await paid("ann", floor=4)
    await confirm(house, order)
    await tell(house, await give_back(refunds, order, floor=3))
    await house.place("ann", "key-later", floor=3)
    assert (await house.audit()).passed


async def test_a_refund_told_before_the_payment_is_understood(house: Rooms, refunds: RefundBook, paid: Paid) -> None:
    order = await paid("ann", floor=3)
    await tell(house, await give_back(refunds, order, floor=2))
    assert await house.shelf() == Shelf(10, 9, 0, 1)
    await confirm(house, order)
    assert await house.shelf() == Shelf(10, 9, 0, 1)


async def test_a_payment_told_after_everything_came_back_takes_nothing(
    house: Rooms, refunds: RefundBook, paid: Paid
) -> None:
    order = await paid("ann", floor=3)
    await tell(house, await give_back(refunds, order, floor=3))
    await confirm(house, order)
    assert await house.shelf() == Shelf(10, 10, 0, 0)


@pytest.mark.parametrize("quantity", [1, 3])
async def test_a_refund_that_redis_did_not_hear_of_is_told_by_the_auditor(
    house: Rooms, refunds: RefundBook, paid: Paid, quantity: int
) -> None:
    order = await paid("ann", floor=3)
    await confirm(house, order)
    await give_back(refunds, order, floor=quantity)
    await house.auditor.run_once()
    assert await house.shelf() == Shelf(10, 7 + quantity, 0, 3 - quantity)


async def test_neither_payment_nor_refund_that_redis_heard_of_is_repeated_by_the_sweeper(
    house: Rooms, refunds: RefundBook, paid: Paid
) -> None:
    order = await paid("ann", floor=3)
    await give_back(refunds, order, floor=2)
    await house.lapse()
    await house.sweeper.run_once()
    assert await house.shelf() == Shelf(10, 9, 0, 1)


@pytest.mark.parametrize("back", [{"floor": 1}, {"floor": 3, "stand": 1}])
async def test_a_rebuild_knows_what_came_back(
    house: Rooms, refunds: RefundBook, paid: Paid, back: dict[str, int]
) -> None:
    order = await paid("ann", "key-again", floor=3, stand=1)
    await give_back(refunds, order, **back)
    await house.store.client.flushall()
    house.live.fence()
    await house.rebuilder.run_once()
    sold = {"floor": 3, "stand": 1} | {sku: n - back[sku] for sku, n in {"floor": 3, "stand": 1}.items() if sku in back}
    assert await house.shelf("floor") == Shelf(10, 10 - sold["floor"], 0, sold["floor"])
    assert await house.shelf("stand") == Shelf(5, 5 - sold["stand"], 0, sold["stand"])
    assert (await house.place("ann", "key-again", floor=3, stand=1)).order_no == order.order_no
    assert (await house.audit()).passed


async def test_tellings_in_any_number_and_order_return_each_unit_once(
    house: Rooms, refunds: RefundBook, paid: Paid
) -> None:
    orders = [await paid(f"buyer{n}", floor=2) for n in range(5)]
    decided = [await give_back(refunds, order, floor=1) for order in orders]
    await asyncio.gather(
        *(tell(house, one) for one in decided * 5),
        *(confirm(house, order) for order in orders * 5),
        *(house.auditor.run_once() for _ in range(3)),
    )
    assert await house.shelf() == Shelf(10, 5, 0, 5)
    assert (await house.audit()).passed


# What is spoilt in the ledger of a part-refunded order, and the check that finds it.
SPOILT: list[tuple[str, str]] = [
    ("update order_items set returned = 2", "allocated"),
    ("update refunds set amount_fen = amount_fen + 20001", "refunds"),
    ("update payments set total_fen = total_fen - 1", "money"),
    ("delete from payments", "refunds"),
    ("update orders set refunded_fen = 0", "money"),
    ("update orders set state = 'refunded'", "money"),
    ("update refunds set state = 'success'", "money"),
    ("update orders set state = 'refund_failed'", "money"),
    ("update orders set state = 'released'", "money"),
    ("update order_items set returned = quantity", "returned"),
]


async def test_the_audit_finds_a_part_refunded_order_whose_books_disagree(
    house: Rooms, refunds: RefundBook, paid: Paid
) -> None:
    order = await paid("ann", floor=3)
    await give_back(refunds, order, floor=1)
    queries = load_queries(QUERIES)
    missed = []
    async with connection(house.pool) as conn:
        for statement, kind in SPOILT:
            undo = conn.transaction()
            await undo.start()
            await conn.execute(statement)
            if not await conn.fetch(getattr(queries, f"audit_{kind}")):
                missed.append((statement, kind))
            await undo.rollback()
    assert missed == []


async def test_the_audit_finds_a_paid_order_that_lost_its_units(house: Rooms, paid: Paid) -> None:
    await paid("ann", floor=3)
    await house.sql("update orders set has_units = false returning (select 1)")
    assert "returned" in await ledger_findings(house)


async def ledger_findings(house: Rooms) -> set[str]:
    """Without the checks of Redis, which would wait for it to come to rest."""
    found: list[dict[str, Any]] = await house.auditor._ledger()
    return {finding["kind"] for finding in found}


STRAY = """
insert into payments (transaction_id, order_no, sale_id, mchid, total_fen, success_at, learned_by)
values ('4200', repeat('e', 32), '', '1900000001', 300, now(), 'query') returning (select 1)
"""
STRAY_REFUND = """
insert into refunds (out_refund_no, order_no, sale_id, transaction_id, mchid, amount_fen, total_fen, reason, cause)
values ('R1', repeat('e', 32), '', '4200', '1900000001', $1, 300, 'stray', 'unknown_order') returning (select 1)
"""


async def test_money_without_an_order_is_right_once_all_of_it_goes_back(house: Rooms) -> None:
    await house.sql(STRAY)
    assert await ledger_findings(house) == {"strays"}
    await house.sql(STRAY_REFUND, 300)
    assert await ledger_findings(house) == set()


async def test_money_without_an_order_that_goes_back_in_part_is_found(house: Rooms) -> None:
    await house.sql(STRAY)
    await house.sql(STRAY_REFUND, 299)
    assert await ledger_findings(house) == {"strays"}


@pytest.mark.parametrize("paid_fen", [1, 9_999, 10_001])
async def test_an_order_paid_wrongly_is_right_once_all_of_its_money_went_back(house: Rooms, paid_fen: int) -> None:
    order = await house.place("ann", floor=1)
    await house.sql("update orders set state = 'refunding', has_units = false, refunded_fen = $1 returning 1", paid_fen)
    await house.sql("update skus set allocated = 0 returning 1")
    await house.sql(STRAY.replace("repeat('e', 32)", f"'{order.order_no}'").replace("300", str(paid_fen)))
    assert "money" in await ledger_findings(house)
    await house.sql(STRAY_REFUND.replace("repeat('e', 32)", f"'{order.order_no}'"), paid_fen)
    assert await ledger_findings(house) == set()
    await house.sql("update refunds set state = 'success' returning 1")
    await house.sql("update orders set state = 'refunded' returning 1")
    assert await ledger_findings(house) == set()


async def test_an_order_that_costs_nothing_is_right_without_a_payment(house: Rooms) -> None:
    await house.sql("update skus set price_fen = 0 returning 1")
    await house.board.refresh()
    order = await house.place("ann", floor=2)
    assert (order.state, await ledger_findings(house)) == ("paid", set())


async def test_free_tickets_come_back_without_money(house: Rooms, refunds: RefundBook) -> None:
    await house.sql("update skus set price_fen = 0 returning 1")
    await house.board.refresh()
    order = await house.place("ann", floor=2)
    decided = await give_back(refunds, order, floor=2)
    await tell(house, decided)
    assert (decided.out_refund_no, await house.shelf()) == (None, Shelf(10, 10, 0, 0))
    assert (await house.audit()).passed
