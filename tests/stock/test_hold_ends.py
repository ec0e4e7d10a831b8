"""`release`, `confirm` and `retake`: a hold ends once, whoever comes first."""

import asyncio

from engine.stock.codes import ConfirmCode, ReleaseCode, RetakeCode
from engine.stock.codes import ReserveCode as Code
from engine.stock.stock import Shelf
from tests.stock.conftest import OpenSale


async def held(sale: OpenSale, buyer: str = "ann", **quantities: int) -> str:
    (decision,) = await sale.reserve(sale.claim(buyer, **quantities))
    assert decision.code is Code.HELD
    return decision.order_no


async def test_released_units_are_for_sale_again_and_no_longer_count_for_the_buyer(sale: OpenSale) -> None:
    order_no = await held(sale, floor=4)
    assert await sale.stock.release(sale.keys, 1, [order_no]) == [ReleaseCode.RELEASED]
    assert await sale.shelf() == Shelf(capacity=10, free=10, held=0, sold=0)
    await held(sale, floor=4)


async def test_100_concurrent_releases_return_the_units_once(sale: OpenSale) -> None:
    order_no = await held(sale, floor=3)
    codes = await asyncio.gather(*(sale.stock.release(sale.keys, 1, [order_no]) for _ in range(100)))
    assert codes.count([ReleaseCode.RELEASED]) == 1
    assert (await sale.shelf()).free == 10


async def test_a_release_leaves_the_request_known_and_a_forgetting_one_does_not(sale: OpenSale) -> None:
    (kept,) = await sale.reserve(sale.claim("ann", request="kept"))
    (gone,) = await sale.reserve(sale.claim("bob", request="gone"))
    await sale.stock.release(sale.keys, 1, [kept.order_no])
    await sale.stock.release(sale.keys, 1, [gone.order_no], forget=True)
    first, second = await sale.reserve(sale.claim("ann", request="kept"), sale.claim("bob", request="gone"))
    assert [first.code, second.code] == [Code.REPEATED, Code.HELD]


async def test_a_hold_is_not_released_as_if_it_were_sold(sale: OpenSale) -> None:
    order_no = await held(sale)
    before = await sale.state()
    assert await sale.stock.release(sale.keys, 1, [order_no], sold=True) == [ReleaseCode.WRONG_STATE]
    assert await sale.state() == before


async def test_a_sold_order_is_not_released_as_if_it_were_held(sale: OpenSale) -> None:
    order_no = await held(sale)
    await sale.stock.confirm(sale.keys, 1, [order_no])
    before = await sale.state()
    assert await sale.stock.release(sale.keys, 1, [order_no]) == [ReleaseCode.WRONG_STATE]
    assert await sale.state() == before


async def test_a_refunded_order_returns_its_sold_units(sale: OpenSale) -> None:
    order_no = await held(sale, floor=2)
    await sale.stock.confirm(sale.keys, 1, [order_no])
    assert await sale.stock.release(sale.keys, 1, [order_no], sold=True) == [ReleaseCode.RELEASED]
    assert await sale.shelf() == Shelf(capacity=10, free=10, held=0, sold=0)


async def test_confirmed_units_are_sold_once(sale: OpenSale) -> None:
    order_no = await held(sale, floor=2)
    first = await sale.stock.confirm(sale.keys, 1, [order_no])
    second = await sale.stock.confirm(sale.keys, 1, [order_no])
    assert (first, second) == ([ConfirmCode.CONFIRMED], [ConfirmCode.REPEATED])
    assert await sale.shelf() == Shelf(capacity=10, free=8, held=0, sold=2)


async def test_confirming_what_is_not_there_changes_nothing(sale: OpenSale) -> None:
    before = await sale.state()
    assert await sale.stock.confirm(sale.keys, 1, ["N" * 26]) == [ConfirmCode.MISSING]
    assert await sale.state() == before


async def test_a_release_and_a_confirm_race_and_one_of_them_wins(sale: OpenSale) -> None:
    for _ in range(20):
        order_no = await held(sale, "", floor=1)
        released, confirmed = await asyncio.gather(
            sale.stock.release(sale.keys, 1, [order_no]), sale.stock.confirm(sale.keys, 1, [order_no])
        )
        assert (released == [ReleaseCode.RELEASED]) != (confirmed == [ConfirmCode.CONFIRMED])
        if confirmed == [ConfirmCode.CONFIRMED]:
            await sale.stock.release(sale.keys, 1, [order_no], sold=True)
    assert await sale.shelf() == Shelf(capacity=10, free=10, held=0, sold=0)


async def test_late_money_takes_the_same_units_again(sale: OpenSale) -> None:
    claim = sale.claim("ann", floor=2)
    await sale.reserve(claim)
    await sale.stock.release(sale.keys, 1, [claim.order_no])
    assert await sale.stock.retake(sale.keys, 1, claim) is RetakeCode.TAKEN
    assert await sale.stock.retake(sale.keys, 1, claim) is RetakeCode.REPEATED
    assert await sale.shelf() == Shelf(capacity=10, free=8, held=0, sold=2)


async def test_late_money_finds_too_few_units(sale: OpenSale) -> None:
    claim = sale.claim("ann", stand=2)
    await sale.reserve(sale.claim("bob", stand=4))
    before = await sale.state()
    assert await sale.stock.retake(sale.keys, 1, claim) is RetakeCode.TOO_FEW_LEFT
    assert await sale.state() == before


async def test_late_money_does_not_lift_the_buyers_limit(sale: OpenSale) -> None:
    await sale.reserve(sale.claim("ann", floor=4))
    assert await sale.stock.retake(sale.keys, 1, sale.claim("ann", stand=1)) is RetakeCode.BUYER_LIMIT


async def test_late_money_for_an_unknown_sku(sale: OpenSale) -> None:
    assert await sale.stock.retake(sale.keys, 1, sale.claim("ann", balcony=1)) is RetakeCode.UNKNOWN_SKU


async def test_every_verb_is_fenced_under_another_epoch(sale: OpenSale) -> None:
    claim = sale.claim("ann")
    await sale.reserve(claim)
    before = await sale.state()
    assert await sale.stock.release(sale.keys, 9, [claim.order_no]) == [ReleaseCode.FENCED]
    assert await sale.stock.confirm(sale.keys, 9, [claim.order_no]) == [ConfirmCode.FENCED]
    assert await sale.stock.retake(sale.keys, 9, claim) is RetakeCode.FENCED
    assert await sale.stock.observe(sale.keys, 9) is None
    assert await sale.stock.due(sale.keys, 9, grace_ms=0, count_max=10) is None
    assert await sale.state() == before


async def test_due_lists_holds_past_their_deadline_and_grace_oldest_first(sale: OpenSale) -> None:
    await sale.amend(hold_ms=1)
    first, second = await held(sale, "ann"), await held(sale, "bob")
    await sale.amend(hold_ms=60_000)
    await held(sale, "cid")
    await asyncio.sleep(0.05)
    due = await sale.stock.due(sale.keys, 1, grace_ms=0, count_max=10)
    patient = await sale.stock.due(sale.keys, 1, grace_ms=60_000, count_max=10)
    assert due is not None
    assert sorted(due.order_nos) == sorted([first, second])
    assert patient is not None
    assert patient.order_nos == []
