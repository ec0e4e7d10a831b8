"""The sweeper, the rebuilder and the auditor: what nobody holds returns, and Redis can be made from the ledger."""

import asyncio

from engine.orders.states import Event, State
from engine.payments.ledger import PaymentWish
from engine.stock.codes import ReserveCode as Code
from engine.stock.stock import Shelf
from tests.support.house import Rooms, rooms


async def test_a_lapsed_hold_is_released_in_the_ledger_and_in_redis(house: Rooms) -> None:
    order = await house.place("ann", floor=3)
    await house.lapse()
    await house.sweeper.run_once()
    found = await house.book.read(order.order_no)
    assert found is not None
    assert (found.state, found.has_units) == (State.RELEASED, False)
    assert (await house.shelf(), await house.allocated()) == (Shelf(10, 10, 0, 0), 0)


async def test_a_hold_before_its_deadline_stays(house: Rooms) -> None:
    order = await house.place("ann")
    await house.sweeper.run_once()
    found = await house.book.read(order.order_no)
    assert found is not None
    assert found.state is State.HELD


async def test_an_order_under_payment_goes_to_closing_and_keeps_its_units(house: Rooms) -> None:
    order = await house.place("ann", floor=3)
    await house.ledger.start_payments(
        [PaymentWish(order.order_no, order.buyer, 0, "1900000777")], mchids={"1900000777"}
    )
    await house.lapse()
    await house.sweeper.run_once()
    found = await house.book.read(order.order_no)
    assert found is not None
    assert (found.state, found.has_units) == (State.CLOSING, True)
    assert (await house.shelf()).held == 3


async def test_ten_sweepers_at_once_release_each_hold_once(house: Rooms) -> None:
    for n in range(10):
        await house.place(f"buyer{n}")
    await house.lapse()
    await asyncio.gather(*(house.sweeper.run_once() for _ in range(10)))
    assert (await house.shelf(), await house.allocated()) == (Shelf(10, 10, 0, 0), 0)


async def test_a_hold_without_an_order_returns_and_its_key_may_be_used_again(house: Rooms) -> None:
    order = await house.place("ann", "key-again")
    await house.sql("delete from order_items returning 1")
    await house.sql("delete from orders returning 1")
    await house.sql("update skus set allocated = 0 returning 1")
    await house.lapse()
    await house.sweeper.run_once()
    assert await house.shelf() == Shelf(10, 10, 0, 0)
    assert (await house.place("ann", "key-again")).order_no != order.order_no


async def test_a_release_that_redis_did_not_hear_of_is_repeated(house: Rooms) -> None:
    order = await house.place("ann")
    await house.book.release([order.order_no], Event.CANCELLED)
    await house.lapse()
    await house.sweeper.run_once()
    assert await house.shelf() == Shelf(10, 10, 0, 0)


async def test_a_payment_that_redis_did_not_hear_of_is_repeated(house: Rooms) -> None:
    order = await house.place("ann", floor=2)
    await house.sql("update orders set state = 'paid' where order_no = $1 returning 1", order.order_no)
    await house.lapse()
    await house.sweeper.run_once()
    assert await house.shelf() == Shelf(10, 8, 0, 2)


async def test_a_sale_is_whole_again_after_redis_lost_everything(house: Rooms) -> None:
    held = await house.place("ann", floor=3)
    paid = await house.place("bob", stand=2)
    await house.sql("update orders set state = 'paid' where order_no = $1 returning 1", paid.order_no)
    await house.store.client.flushall()

    refused = await house.try_to_place("cid")
    assert refused.code is Code.FENCED
    await house.rebuilder.run_once()
    assert (await house.shelf("floor"), await house.shelf("stand")) == (Shelf(10, 7, 3, 0), Shelf(5, 3, 0, 2))
    assert await house.place("ann", floor=3) == held


async def test_a_rebuild_by_two_processes_happens_once(house: Rooms, clean_redis_url: str, database_url: str) -> None:
    async with rooms(clean_redis_url, database_url) as other:
        await house.store.client.flushall()
        house.live.fence()
        other.live.fence()
        epoch = house.live.epoch
        for _ in range(3):
            await asyncio.gather(house.rebuilder.run_once(), other.rebuilder.run_once())
        assert (house.live.epoch, other.live.epoch) == (epoch + 1, epoch + 1)


async def test_a_rebuild_works_when_redis_has_seen_a_later_epoch_than_the_ledger(house: Rooms) -> None:
    await house.sql("update sales set epoch = 1 returning 1")
    await house.store.client.hset(house.live.keys.control, mapping={"epoch": 50, "run": "gone"})
    house.live.fence()
    await house.rebuilder.run_once()
    assert house.live.epoch > 50
    await house.place("ann")


async def test_orders_placed_while_the_sale_is_rebuilt_over_and_over_never_oversell(house: Rooms) -> None:
    async def buy(number: int) -> bool:
        for attempt in range(20):
            placed = await house.try_to_place(f"buyer{number}", stand=1)
            if not hasattr(placed, "code"):
                return True
            if placed.code not in (Code.FENCED, Code.PASS_SPENT):  # Redis forgot the passes as well
                return False
            await asyncio.sleep(0.01 * attempt)
        return False

    async def disturb() -> None:
        for _ in range(8):
            await asyncio.sleep(0.005)
            await house.store.client.flushall()
            house.live.fence()
            await house.rebuilder.run_once()

    *bought, _ = await asyncio.gather(*(buy(number) for number in range(60)), disturb())
    assert sum(bool(one) for one in bought) <= 5
    assert await house.allocated("stand") <= 5
    assert (await house.audit()).passed


async def test_capacity_raised_in_the_catalog_reaches_redis(house: Rooms) -> None:
    await house.place("ann", floor=4)
    await house.sql("update skus set capacity = 12 where sku_id = 'floor'")
    await house.follower.run_once()
    assert await house.shelf() == Shelf(12, 8, 4, 0)


async def test_a_drifted_stock_is_rebuilt_after_it_stayed_the_same(house: Rooms) -> None:
    await house.place("ann", floor=2)
    await house.store.client.hset(house.live.keys.stock, mapping={"free:floor": 9})
    for _ in range(5):
        await house.auditor.run_once()
    assert await house.shelf() == Shelf(10, 8, 2, 0)


async def test_the_audit_finds_a_paid_order_without_a_payment(house: Rooms) -> None:
    order = await house.place("ann")
    await house.sql("update orders set state = 'paid' where order_no = $1 returning 1", order.order_no)
    report = await house.audit()
    assert "money" in {finding["kind"] for finding in report.findings}


async def test_the_audit_finds_a_counter_that_is_not_the_sum_of_its_orders(house: Rooms) -> None:
    await house.sql("update skus set allocated = 7 where sku_id = 'floor'")
    assert {finding["kind"] for finding in (await house.audit()).findings} == {"allocated"}


async def test_the_audit_finds_a_buyer_beyond_the_limit(house: Rooms) -> None:
    await house.place("ann", floor=4)
    await house.sql("update sales set per_buyer_max = 2")
    assert {finding["kind"] for finding in (await house.audit()).findings} == {"limits"}


async def test_a_quiet_house_passes_the_audit(house: Rooms) -> None:
    await house.place("ann", floor=4)
    report = await house.audit()
    assert report.passed, report.lines()


async def test_a_sale_that_was_paused_since_the_catalog_was_read_is_rebuilt_paused(house: Rooms) -> None:
    await house.sql("update sales set paused = true")
    await house.store.client.flushall()
    house.live.fence()
    await house.rebuilder.run_once()
    seen = await house.stock.observe(house.live.keys, house.live.epoch)
    assert seen is not None
    assert seen.paused
