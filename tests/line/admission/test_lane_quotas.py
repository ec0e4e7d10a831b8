"""The units of a lane: what its buyers hold or have bought never goes beyond its quota, over every way of an order."""

import asyncio

from engine.orders.auditor import DRIFT_TURNS
from engine.orders.placing import Refused
from engine.orders.records import Order
from engine.orders.states import Event
from engine.stock.claim import Item
from engine.stock.codes import RetakeCode
from tests.line.admission.conftest import Till


async def two_lanes(till: Till, *, quota_units: int | None) -> None:
    """The members may have so many units; everybody is called."""
    await till.lanes(("public", 1, None), ("members", 1, quota_units))
    await till.call(**{"head:1": 100})


async def used(till: Till, lane: int = 1) -> int:
    seen = await till.house.stock.observe(till.house.live.keys, till.house.live.epoch)
    assert seen is not None
    return seen.lanes[lane].used


async def bought(till: Till, buyer: str, *, lane: int = 1, **quantities: int) -> Order:
    order = await till.order(await till.admit(buyer, lane=lane), f"key-{buyer}", **quantities)
    assert isinstance(order, Order), order
    return order


async def refused(till: Till, buyer: str, *, lane: int = 1, **quantities: int) -> str:
    placed = await till.order(await till.admit(buyer, lane=lane), f"key-{buyer}", **quantities)
    assert isinstance(placed, Refused), placed
    return placed.code.name


async def test_a_lane_at_its_quota_gets_no_more_units_and_the_other_lane_does(till: Till) -> None:
    await two_lanes(till, quota_units=3)
    await bought(till, "ann", floor=2)
    assert await refused(till, "bob", floor=2) == "LANE_QUOTA"
    await bought(till, "cid", floor=1)
    await bought(till, "dan", lane=0, floor=4)
    assert (await used(till, 0), await used(till, 1)) == (4, 3)


async def test_a_lane_without_a_quota_has_all_the_units_there_are(till: Till) -> None:
    await two_lanes(till, quota_units=None)
    await bought(till, "ann", floor=4)
    await bought(till, "bob", floor=4)
    assert await refused(till, "cid", floor=4) == "TOO_FEW_LEFT"


async def test_a_lane_with_a_quota_of_nothing_gets_nothing(till: Till) -> None:
    await two_lanes(till, quota_units=0)
    assert await refused(till, "ann") == "LANE_QUOTA"


async def test_the_quota_is_told_before_the_stock(till: Till) -> None:
    await two_lanes(till, quota_units=1)
    await bought(till, "zoe", lane=0, stand=4)
    assert await refused(till, "ann", stand=2) == "LANE_QUOTA"


async def test_the_quota_counts_within_one_batch(till: Till) -> None:
    await two_lanes(till, quota_units=3)
    passes = [await till.admit(f"b{index}", index, lane=1) for index in range(6)]
    claims = [till.order(admission, f"key-{number:05}") for number, admission in enumerate(passes)]
    placed = [isinstance(one, Order) for one in await asyncio.gather(*claims)]
    assert placed.count(True) == 3
    assert await used(till) == 3


async def test_a_released_order_gives_its_units_back_to_its_lane(till: Till) -> None:
    await two_lanes(till, quota_units=2)
    order = await bought(till, "ann", floor=2)
    await till.house.book.release([order.order_no], Event.CANCELLED)
    await till.house.stock.release(till.house.live.keys, till.house.live.epoch, [order.order_no])
    assert await used(till) == 0
    await bought(till, "bob", floor=2)


async def test_a_paid_order_still_counts_for_its_lane(till: Till) -> None:
    await two_lanes(till, quota_units=2)
    order = await bought(till, "ann", floor=2)
    await till.house.stock.confirm(till.house.live.keys, till.house.live.epoch, [order.order_no])
    assert await used(till) == 2


async def test_units_that_a_refund_returned_are_the_lanes_again(till: Till) -> None:
    await two_lanes(till, quota_units=3)
    order = await bought(till, "ann", floor=3)
    keys, epoch = till.house.live.keys, till.house.live.epoch
    await till.house.stock.confirm(keys, epoch, [order.order_no])
    await till.house.stock.shrink(keys, epoch, {order.order_no: [Item("floor", 1)]})
    assert await used(till) == 1


async def test_a_late_payment_takes_units_only_within_the_quota(till: Till) -> None:
    await two_lanes(till, quota_units=3)
    keys, epoch = till.house.live.keys, till.house.live.epoch
    order = await bought(till, "ann", floor=2)
    await till.house.stock.release(keys, epoch, [order.order_no])
    other = await bought(till, "bob", floor=2)
    assert await till.house.stock.retake(keys, epoch, order.claim()) is RetakeCode.LANE_QUOTA
    await till.house.stock.release(keys, epoch, [other.order_no])
    assert await till.house.stock.retake(keys, epoch, order.claim()) is RetakeCode.TAKEN
    assert await used(till) == 2


async def test_a_rebuild_counts_the_units_of_each_lane_again(till: Till) -> None:
    await two_lanes(till, quota_units=3)
    await bought(till, "ann", floor=2)
    await bought(till, "bob", lane=0, floor=1)
    await till.house.store.client.flushall()
    till.house.live.fence()
    await till.house.rebuilder.run_once()
    assert (await used(till, 0), await used(till, 1)) == (1, 2)
    await till.call(**{"head:1": 100})
    assert await refused(till, "cid", floor=2) == "LANE_QUOTA"


async def test_a_quota_that_is_changed_or_lifted_counts_from_the_next_order_on(till: Till) -> None:
    await two_lanes(till, quota_units=1)
    assert await refused(till, "ann", floor=2) == "LANE_QUOTA"
    await till.house.sql("update sale_lanes set quota_units = null where lane = $1 returning 1", 1)
    await till.house.follower.run_once()
    await bought(till, "bob", floor=2)


async def test_the_auditor_puts_a_lane_right_whose_units_are_not_those_of_its_orders(till: Till) -> None:
    await two_lanes(till, quota_units=3)
    await bought(till, "ann", floor=2)
    await till.house.store.client.hincrby(till.house.live.keys.stock, "used:1", 1)
    for _ in range(DRIFT_TURNS + 1):
        await till.house.auditor.run_once()
    assert await used(till) == 2
