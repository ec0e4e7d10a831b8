"""Placing an order through Redis and PostgreSQL: told only after the COMMIT, once, and never beyond the capacity."""

import asyncio

import pytest

from engine.infra.outage import PostgresAway
from engine.orders.placing import Refused
from engine.orders.records import Order
from engine.orders.states import State
from engine.stock.codes import ReserveCode as Code
from engine.stock.stock import Shelf
from tests.support.house import Rooms


async def test_a_placed_order_is_in_the_book_with_its_price_and_its_units(house: Rooms) -> None:
    order = await house.place("ann", floor=2, stand=1)

    assert await house.book.read(order.order_no) == order
    assert (order.state, order.amount_fen) == (State.HELD, 25_000)
    assert (await house.allocated("floor"), await house.allocated("stand")) == (2, 1)


async def test_an_order_costs_what_the_catalog_says_when_it_is_placed(house: Rooms) -> None:
    before = await house.place("ann", "key-before")
    await house.sql("update skus set price_fen = 12345 where sku_id = 'floor' returning 1")
    await house.follower.run_once()
    assert (before.amount_fen, (await house.place("bob")).amount_fen) == (10_000, 12_345)


async def test_the_same_key_returns_the_same_order(house: Rooms) -> None:
    first = await house.place("ann", "key-again")
    assert await house.place("ann", "key-again") == first
    assert await house.allocated() == 1


async def test_the_same_key_with_another_body_is_refused(house: Rooms) -> None:
    await house.place("ann", "key-again", floor=1)
    assert await house.try_to_place("ann", "key-again", floor=2) == Refused(Code.KEY_REUSED)


async def test_the_same_key_of_another_buyer_is_another_request(house: Rooms) -> None:
    ann, bob = await house.place("ann", "key-again"), await house.place("bob", "key-again")
    assert ann.order_no != bob.order_no


async def test_fifty_taps_at_once_make_one_order(house: Rooms) -> None:
    orders = await asyncio.gather(*(house.place("ann", "key-again") for _ in range(50)))
    assert len({order.order_no for order in orders}) == 1
    assert await house.shelf() == Shelf(10, 9, 1, 0)


async def test_a_hundred_buyers_for_ten_units_make_ten_orders(house: Rooms) -> None:
    placed = await asyncio.gather(*(house.try_to_place(f"buyer{n}") for n in range(100)))
    assert sum(isinstance(one, Order) for one in placed) == 10
    assert await house.allocated() == 10
    assert (await house.audit()).passed


async def test_a_retry_after_the_worker_died_before_the_commit_writes_the_same_order(house: Rooms) -> None:
    placed: list[str] = []
    original = house.book.place

    async def dies(sale_id, epoch, placements):  # type: ignore[no-untyped-def]
        placed.extend(placement.claim.order_no for placement in placements)
        raise PostgresAway("killed between the script and the COMMIT")

    house.book.place = dies  # type: ignore[method-assign]
    with pytest.raises(PostgresAway):
        await house.place("ann", "key-again")
    house.book.place = original  # type: ignore[method-assign]

    order = await house.place("ann", "key-again")
    assert order.order_no == placed[0]
    assert await house.shelf() == Shelf(10, 9, 1, 0)


async def test_when_redis_has_too_many_units_the_ledger_refuses_and_the_hold_goes_back(house: Rooms) -> None:
    await house.store.client.hset(house.live.keys.stock, "free:stand", 50)
    placed = await asyncio.gather(*(house.try_to_place(f"buyer{n}", stand=1) for n in range(20)))

    assert sum(isinstance(one, Order) for one in placed) == 5
    assert placed.count(Refused(Code.TOO_FEW_LEFT)) == 15
    assert (await house.shelf("stand")).held == 5


async def test_an_order_that_does_not_fit_fails_alone(house: Rooms) -> None:
    await house.store.client.hset(house.live.keys.stock, "free:stand", 50)
    placed = await asyncio.gather(
        house.try_to_place("ann", stand=4), house.try_to_place("bob", stand=4), house.try_to_place("cid", floor=4)
    )
    assert [isinstance(one, Order) for one in placed] == [True, False, True]


async def test_a_hold_of_an_older_epoch_is_never_written(house: Rooms) -> None:
    await house.sql("update sales set epoch = epoch + 1 returning 1")
    assert await house.try_to_place("ann") == Refused(Code.FENCED)
    assert house.live.fenced
    assert await house.allocated() == 0


async def test_a_request_that_redis_forgot_still_gets_its_released_order(house: Rooms) -> None:
    first = await house.place("ann", "key-again")
    await house.lapse()
    await house.sweeper.run_once()
    await house.store.client.flushall()
    house.live.fence()
    await house.rebuilder.run_once()

    again = await house.place("ann", "key-again")
    assert (again.order_no, again.state) == (first.order_no, State.RELEASED)
    assert await house.shelf() == Shelf(10, 10, 0, 0)


async def test_a_request_that_redis_forgot_is_refused_with_another_body(house: Rooms) -> None:
    await house.place("ann", "key-again", floor=1)
    await house.lapse()
    await house.sweeper.run_once()
    await house.store.client.flushall()
    house.live.fence()
    await house.rebuilder.run_once()

    assert await house.try_to_place("ann", "key-again", floor=2) == Refused(Code.KEY_REUSED)
    assert await house.shelf() == Shelf(10, 10, 0, 0)


async def sell_out(house: Rooms) -> Order:
    """Every `stand` is sold, and the desk has seen it; the order of ann, who has four of the five."""
    orders = [await house.place("ann", "key-again", stand=4), await house.place("bob", stand=1)]
    order_nos = [order.order_no for order in orders]
    await house.sql("update orders set state = 'paid' where state = 'held' returning 1")
    await house.stock.confirm(house.live.keys, house.live.epoch, order_nos)
    await house.desk.refresh()
    return orders[0]


async def evalsha_calls(house: Rooms) -> int:
    return int((await house.store.client.info("commandstats"))["cmdstat_evalsha"]["calls"])


async def test_the_snapshot_refuses_a_sold_out_sale_without_asking_redis(house: Rooms) -> None:
    await sell_out(house)
    before = await evalsha_calls(house)
    refused = await asyncio.gather(*(house.try_to_place(f"late{n}", stand=1) for n in range(100)))
    assert set(refused) == {Refused(Code.SOLD_OUT)}
    assert await evalsha_calls(house) == before


async def test_while_units_are_held_redis_alone_refuses(house: Rooms) -> None:
    await house.place("ann", stand=4)
    await house.place("bob", stand=1)
    await house.desk.refresh()
    before = await evalsha_calls(house)
    assert await house.try_to_place("late", stand=1) == Refused(Code.HELD_BY_OTHERS)
    assert await evalsha_calls(house) == before + 1


async def test_a_winner_who_asks_again_is_never_refused_from_the_snapshot(house: Rooms) -> None:
    first = await sell_out(house)
    again = await house.place("ann", "key-again", stand=4)
    assert (again.order_no, again.state) == (first.order_no, State.PAID)


async def test_a_winner_who_asks_again_is_not_refused_while_the_sale_is_rebuilt(house: Rooms) -> None:
    first = await sell_out(house)
    await house.store.client.flushall()
    house.live.fence()
    await house.rebuilder.run_once()
    refreshing = asyncio.create_task(house.desk.refresh())
    await asyncio.sleep(0)
    again = await house.place("ann", "key-again", stand=4)
    await refreshing
    assert again.order_no == first.order_no


async def test_a_released_order_is_known_by_its_key_after_a_rebuild_of_a_sold_out_sale(house: Rooms) -> None:
    first = await house.place("cid", "key-again", stand=1)
    await house.lapse()
    await house.sweeper.run_once()
    await sell_out(house)
    await house.store.client.flushall()
    house.live.fence()
    await house.rebuilder.run_once()
    await house.desk.refresh()
    again = await house.place("cid", "key-again", stand=1)
    assert (again.order_no, again.state) == (first.order_no, State.RELEASED)


async def test_units_that_return_are_sold_as_soon_as_the_snapshot_is_renewed(house: Rooms) -> None:
    order = await house.place("ann", stand=4)
    await house.place("bob", stand=1)
    await house.desk.refresh()
    await house.lapse()
    await house.sweeper.run_once()
    await house.desk.refresh()
    assert (await house.book.read(order.order_no)).state is State.RELEASED  # type: ignore[union-attr]
    await house.place("cid", stand=4)
