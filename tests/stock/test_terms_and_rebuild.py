"""`amend`, `clear`, `load`, `open`, `observe`: capacity changes and the way back from nothing."""

import pytest

from engine.infra.outage import RedisAway
from engine.stock.codes import ClearCode, LoadCode, OpenCode
from engine.stock.codes import ReserveCode as Code
from engine.stock.stock import Shelf
from tests.stock.conftest import OpenSale


async def test_a_raised_capacity_is_free_at_once(sale: OpenSale) -> None:
    await sale.reserve(sale.claim(floor=4))
    await sale.amend(capacities=(("floor", 12), ("stand", 5)))
    assert await sale.shelf() == Shelf(capacity=12, free=8, held=4, sold=0)


async def test_amending_twice_is_amending_once(sale: OpenSale) -> None:
    await sale.amend(capacities=(("floor", 12), ("stand", 5)))
    before = await sale.state()
    await sale.amend(capacities=(("floor", 12), ("stand", 5)))
    assert await sale.state() == before


async def test_a_capacity_lowered_below_what_is_held_sells_nothing_until_holds_return(sale: OpenSale) -> None:
    (decision,) = await sale.reserve(sale.claim(floor=4))
    await sale.amend(capacities=(("floor", 2), ("stand", 5)))
    (refused,) = await sale.reserve(sale.claim(floor=1))
    assert await sale.shelf() == Shelf(capacity=2, free=-2, held=4, sold=0)
    assert refused.code is Code.HELD_BY_OTHERS
    await sale.stock.release(sale.keys, 1, [decision.order_no])
    assert await sale.shelf() == Shelf(capacity=2, free=2, held=0, sold=0)


async def test_a_sku_added_to_a_running_sale_is_sold(sale: OpenSale) -> None:
    await sale.amend(capacities=(("floor", 10), ("stand", 5), ("balcony", 3)))
    (decision,) = await sale.reserve(sale.claim(balcony=2))
    assert decision.code is Code.HELD


async def test_clearing_fences_the_sale_and_forgets_everything(sale: OpenSale) -> None:
    await sale.reserve(sale.claim())
    code, before = await sale.stock.clear(sale.keys, 2)
    sale.epoch = 2
    (decision,) = await sale.decide(sale.claim())
    assert (code, before) == (ClearCode.CLEARED, 1)
    assert decision.code is Code.FENCED
    ((key, control),) = (await sale.state()).items()
    assert isinstance(control, dict)
    assert (key, set(control), control[b"epoch"]) == (sale.keys.control, {b"epoch", b"cleared_in"}, b"2")


async def test_a_coordinator_with_an_old_epoch_is_refused_at_every_step(sale: OpenSale) -> None:
    before = await sale.state()
    assert await sale.stock.clear(sale.keys, 1) == (ClearCode.STALE_EPOCH, 1)
    assert await sale.stock.load(sale.keys, 1, [(sale.claim(), 0)]) is LoadCode.STALE_EPOCH
    assert await sale.stock.open(sale.keys, 1, await sale.terms()) is OpenCode.STALE_EPOCH
    assert await sale.state() == before


async def test_a_loaded_sale_has_its_holds_sales_limits_and_requests(sale: OpenSale) -> None:
    holding = sale.claim("ann", request="tap", floor=3)
    bought = sale.claim("bob", stand=2)
    await sale.stock.clear(sale.keys, 2)
    await sale.stock.load(sale.keys, 2, [(holding, 1 << 42), (bought, 0)])
    await sale.stock.open(sale.keys, 2, await sale.terms())
    sale.epoch = 2

    repeated, over = await sale.reserve(sale.claim("ann", request="tap", floor=3), sale.claim("bob", floor=3))
    assert await sale.shelf("floor") == Shelf(capacity=10, free=7, held=3, sold=0)
    assert await sale.shelf("stand") == Shelf(capacity=5, free=3, held=0, sold=2)
    assert (repeated.code, repeated.order_no, repeated.deadline_ms) == (Code.REPEATED, holding.order_no, 1 << 42)
    assert over.code is Code.BUYER_LIMIT


async def test_a_claim_loaded_twice_counts_once(sale: OpenSale) -> None:
    claim = sale.claim("ann", floor=3)
    await sale.stock.clear(sale.keys, 2)
    await sale.stock.load(sale.keys, 2, [(claim, 1 << 42)])
    await sale.stock.load(sale.keys, 2, [(claim, 1 << 42)])
    await sale.stock.open(sale.keys, 2, await sale.terms())
    sale.epoch = 2
    assert (await sale.shelf()).held == 3


async def test_observe_tells_only_the_claimants_that_are_new(sale: OpenSale) -> None:
    ann, bob = sale.claim("ann"), sale.claim("bob")
    await sale.reserve(ann)
    first = await sale.stock.observe(sale.keys, 1, 0)
    await sale.reserve(bob)
    second = await sale.stock.observe(sale.keys, 1, 1)
    assert first is not None
    assert second is not None
    assert (first.new_claimants, second.new_claimants) == ([ann.buyer], [bob.buyer])


async def test_scripts_load_themselves_after_a_script_flush(sale: OpenSale) -> None:
    await sale.store.client.script_flush()
    (decision,) = await sale.reserve(sale.claim())
    assert decision.code is Code.HELD


async def test_a_key_of_the_wrong_kind_stops_the_script_before_it_writes(sale: OpenSale) -> None:
    claim = sale.claim()
    await sale.grant(claim)
    await sale.store.client.set(sale.keys.requests, "planted")
    before = await sale.state()
    with pytest.raises(RedisAway, match="WRONGTYPE"):
        await sale.decide(claim)
    assert await sale.state() == before
