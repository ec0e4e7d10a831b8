"""PostgreSQL goes away between any two bytes. What was promised is there; what is in doubt is asked again."""

import asyncio
import time
from collections.abc import Callable

import pytest

from tests.faults.promises import Journal, assert_kept
from tests.faults.rig import WEB, Rig, show
from tests.support.buyer import Crowd
from tests.support.engine import OnSale
from tests.support.proxy import Hold

BACK_S_MAX = 8.0


@pytest.fixture
async def sale(rig: Rig) -> OnSale:
    return await rig.sell({"floor": 60}, per_buyer_max=2)


def polite(rig: Rig) -> None:
    rig.postgres.stop()


def killed(rig: Rig) -> None:
    rig.postgres.kill()


@pytest.mark.parametrize("ending", [polite, killed])
async def test_a_restart_during_batches_makes_one_order_of_each_request(
    rig: Rig, sale: OnSale, crowd: Crowd, journal: Journal, ending: Callable[[Rig], None]
) -> None:
    buyers = await asyncio.gather(*(crowd.ready_buyer(sale.sale_id) for _ in range(40)))

    async def order_late(turn: int) -> int:
        await asyncio.sleep(turn * 0.02)
        return (await journal.insist(buyers[turn], sale, {sale.skus[0]: 1}, patience_s=30)).status

    ordering = [asyncio.create_task(order_late(turn)) for turn in range(40)]
    await asyncio.sleep(0.2)
    await asyncio.to_thread(ending, rig)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(rig.postgres.start)
    back_s = time.monotonic()
    assert set(await asyncio.gather(*ordering)) == {201}
    took_s = time.monotonic() - back_s
    show(f"PostgreSQL {ending.__name__}: the last of 40 orders came {took_s:.2f} s after it was back")
    assert took_s < BACK_S_MAX
    assert len(await rig.orders_of(sale)) == 40
    await assert_kept(rig, sale, journal)


async def test_a_commit_whose_answer_was_lost_is_found_and_not_made_twice(
    rig: Rig, sale: OnSale, crowd: Crowd, journal: Journal
) -> None:
    buyer = await crowd.ready_buyer(sale.sale_id)
    with rig.trap_postgres(sale.skus[0].encode(), hold=Hold.REPLY) as trap:
        asked = asyncio.create_task(journal.order(buyer, sale, {sale.skus[0]: 2}))
        await rig.caught(trap)
        await rig.until(lambda: rig.orders_of(sale))
        trap.cut()
    answer = await asked
    assert answer.status == 201
    (order,) = await rig.orders_of(sale)
    assert answer.json["order_no"] == order["order_no"]
    await assert_kept(rig, sale, journal)


async def test_a_commit_that_never_arrived_is_made_once(rig: Rig, sale: OnSale, crowd: Crowd, journal: Journal) -> None:
    buyer = await crowd.ready_buyer(sale.sale_id)
    with rig.trap_postgres(sale.skus[0].encode(), hold=Hold.MESSAGE) as trap:
        asked = asyncio.create_task(journal.order(buyer, sale, {sale.skus[0]: 2}))
        await rig.caught(trap)
        assert await rig.orders_of(sale) == []
        trap.cut()
    assert (await asked).status == 201
    assert len(await rig.orders_of(sale)) == 1
    await assert_kept(rig, sale, journal)


async def test_a_commit_that_arrives_after_its_repeat_changes_nothing(
    rig: Rig, sale: OnSale, crowd: Crowd, journal: Journal
) -> None:
    buyer = await crowd.ready_buyer(sale.sale_id)
    with rig.trap_postgres(sale.skus[0].encode(), hold=Hold.MESSAGE) as trap:
        lost = asyncio.create_task(journal.order(buyer, sale, {sale.skus[0]: 2}, key="the-request"))
        slow = await rig.caught(trap)
        # The buyer gives up and asks again until another worker, with the same hold, writes the order.
        other = next(worker for worker in rig.engine.workers if worker is not slow)
        answer = None
        for _ in range(40):
            async with rig.engine.crowd() as fresh:
                buyer.crowd = fresh
                try:
                    async with asyncio.timeout(0.5):
                        answer = await journal.order(buyer, sale, {sale.skus[0]: 2}, key="the-request")
                    break
                except TimeoutError:
                    continue
        assert other.running
        assert answer is not None
        assert answer.status == 201
        trap.let_go()
    assert (await lost).json["order_no"] == answer.json["order_no"]
    assert len(await rig.orders_of(sale)) == 1
    await assert_kept(rig, sale, journal)


@pytest.mark.parametrize("store", ["redis", "postgres"])
async def test_connections_reset_at_any_moment_are_an_outage_and_never_an_error(
    rig: Rig, sale: OnSale, crowd: Crowd, journal: Journal, store: str
) -> None:
    wires = [getattr(rig.engine.wires[name], store) for name in WEB]
    buyers = await asyncio.gather(*(crowd.ready_buyer(sale.sale_id) for _ in range(30)))

    async def reset_again_and_again() -> None:
        while True:
            for wire in wires:
                await asyncio.to_thread(wire.reset)
            await asyncio.sleep(0.02)

    resetting = asyncio.create_task(reset_again_and_again())
    ordering = [asyncio.create_task(journal.insist(buyer, sale, {sale.skus[0]: 1})) for buyer in buyers]
    await asyncio.sleep(1.0)
    resetting.cancel()
    assert {answer.status for answer in await asyncio.gather(*ordering)} == {201}
    await assert_kept(rig, sale, journal)


async def test_without_postgres_orders_are_refused_as_an_outage_and_nothing_is_lost(
    rig: Rig, sale: OnSale, crowd: Crowd, journal: Journal
) -> None:
    ann, bob = await crowd.ready_buyer(sale.sale_id), await crowd.ready_buyer(sale.sale_id)
    kept = await journal.order(ann, sale, {sale.skus[0]: 2})
    await asyncio.to_thread(rig.postgres.stop)
    refused = await bob.order(sale.sale_id, {sale.skus[0]: 2}, key="bobs-request")
    assert (refused.status, refused.code) == (503, "UNAVAILABLE")
    assert int(refused.headers["Retry-After"]) >= 1
    await asyncio.to_thread(rig.postgres.start)
    assert (await journal.insist(bob, sale, {sale.skus[0]: 2}, key="bobs-request")).status == 201
    assert await ann.order_state(kept.json["order_no"]) == "held"
    await assert_kept(rig, sale, journal)
