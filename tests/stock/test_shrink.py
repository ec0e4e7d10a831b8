"""`shrink`: a paid order keeps some of its units; the others are for sale again, each of them once."""

import asyncio
import itertools

import pytest

from engine.stock.claim import Claim, Item
from engine.stock.codes import ReserveCode as Code
from engine.stock.codes import ShrinkCode
from engine.stock.stock import Shelf
from tests.stock.conftest import OpenSale


async def bought(sale: OpenSale, buyer: str = "ann", **quantities: int) -> Claim:
    claim = sale.claim(buyer, **quantities)
    await sale.reserve(claim)
    await sale.stock.confirm(sale.keys, 1, [claim.order_no])
    return claim


async def shrink(sale: OpenSale, claim: Claim, **keeps: int) -> ShrinkCode:
    codes = await sale.stock.shrink(sale.keys, 1, {claim.order_no: [Item(*item) for item in keeps.items()]})
    return codes[claim.order_no]


async def test_the_units_an_order_gives_up_are_for_sale_again(sale: OpenSale) -> None:
    claim = await bought(sale, floor=3, stand=1)
    assert await shrink(sale, claim, floor=1) is ShrinkCode.SHRUNK
    assert await sale.shelf("floor") == Shelf(capacity=10, free=9, held=0, sold=1)
    assert await sale.shelf("stand") == Shelf(capacity=5, free=5, held=0, sold=0)


async def test_the_units_an_order_gives_up_no_longer_count_for_the_buyer(sale: OpenSale) -> None:
    claim = await bought(sale, floor=4)
    await shrink(sale, claim, floor=1)
    over, within = await sale.reserve(sale.claim("ann", floor=4), sale.claim("ann", floor=3))
    assert [over.code, within.code] == [Code.BUYER_LIMIT, Code.HELD]


async def test_telling_it_again_changes_nothing(sale: OpenSale) -> None:
    claim = await bought(sale, floor=3)
    await shrink(sale, claim, floor=1)
    before = await sale.state()
    assert await shrink(sale, claim, floor=1) is ShrinkCode.REPEATED
    assert await sale.state() == before


async def test_an_order_that_keeps_nothing_is_gone(sale: OpenSale) -> None:
    claim = await bought(sale, floor=3, stand=1)
    assert await shrink(sale, claim) is ShrinkCode.SHRUNK
    assert await shrink(sale, claim) is ShrinkCode.MISSING
    assert await sale.store.client.hexists(sale.keys.buyers, claim.buyer) is False


async def test_a_request_whose_order_is_gone_is_still_known(sale: OpenSale) -> None:
    claim = await bought(sale, floor=1)
    await shrink(sale, claim)
    (again,) = await sale.reserve(claim)
    assert (again.code, again.order_no) == (Code.REPEATED, claim.order_no)


async def test_an_order_never_grows(sale: OpenSale) -> None:
    claim = await bought(sale, floor=1)
    before = await sale.state()
    assert await shrink(sale, claim, floor=4, stand=2) is ShrinkCode.REPEATED
    assert await sale.state() == before


@pytest.mark.parametrize("order", list(itertools.permutations([3, 2, 1])))
async def test_it_may_be_told_in_any_order(sale: OpenSale, order: tuple[int, ...]) -> None:
    claim = await bought(sale, floor=4)
    for kept in order:
        await shrink(sale, claim, floor=kept)
    assert await sale.shelf() == Shelf(capacity=10, free=9, held=0, sold=1)


async def test_a_hundred_at_once_return_the_units_once(sale: OpenSale) -> None:
    claim = await bought(sale, floor=4)
    codes = await asyncio.gather(*(shrink(sale, claim, floor=1) for _ in range(100)))
    assert codes.count(ShrinkCode.SHRUNK) == 1
    assert await sale.shelf() == Shelf(capacity=10, free=9, held=0, sold=1)


async def test_a_hold_does_not_shrink(sale: OpenSale) -> None:
    claim = sale.claim("ann", floor=3)
    await sale.reserve(claim)
    before = await sale.state()
    assert await shrink(sale, claim, floor=1) is ShrinkCode.WRONG_STATE
    assert await sale.state() == before


async def test_each_order_gets_its_own_answer(sale: OpenSale) -> None:
    first, second = await bought(sale, "ann", floor=2), await bought(sale, "bob", floor=2)
    unknown = sale.claim("cid", floor=1)
    kept = {first.order_no: [Item("floor", 1)], unknown.order_no: [], second.order_no: [Item("floor", 2)]}
    assert list((await sale.stock.shrink(sale.keys, 1, kept)).values()) == [
        ShrinkCode.SHRUNK,
        ShrinkCode.MISSING,
        ShrinkCode.REPEATED,
    ]


async def test_a_shrunk_claim_is_read_as_it_was_written(sale: OpenSale) -> None:
    claim = await bought(sale, floor=3, stand=1)
    await shrink(sale, claim, floor=2)
    packed = await sale.store.client.hget(sale.keys.claims, claim.order_no)
    assert packed is not None
    assert Claim.unpack(packed) == Claim(
        claim.request_id, claim.body_digest, claim.buyer, claim.order_no, (Item("floor", 2),)
    )


async def test_shrinking_is_fenced_under_another_epoch(sale: OpenSale) -> None:
    claim = await bought(sale, floor=3)
    before = await sale.state()
    codes = await sale.stock.shrink(sale.keys, 9, {claim.order_no: [], "N" * 26: []})
    assert set(codes.values()) == {ShrinkCode.FENCED}
    assert await sale.state() == before


async def test_shrinking_no_order_asks_nobody(sale: OpenSale) -> None:
    assert await sale.stock.shrink(sale.keys, 1, {}) == {}
