"""A worker dies, or sleeps through it all, at each step of an order's way. Two workers serve; one of them is hit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from engine.infra.keys import SaleKeys
from tests.faults.promises import Journal, assert_kept
from tests.faults.rig import Rig, sha_of
from tests.support.buyer import Answer, Buyer, Crowd
from tests.support.engine import OnSale
from tests.support.proxy import Hold

KEY = "one-request"
RESERVE = sha_of("stock", "reserve")


@pytest.fixture
async def sale(rig: Rig) -> OnSale:
    """Ten units, at most two a buyer, held for three seconds."""
    return await rig.sell({"floor": 10}, per_buyer_max=2, hold_s=3)


@pytest.fixture
async def buyer(crowd: Crowd, sale: OnSale) -> Buyer:
    return await crowd.ready_buyer(sale.sale_id)


def items_of(sale: OnSale, quantity: int = 1) -> dict[str, int]:
    return {sale.skus[0]: quantity}


def hopeless(request: "asyncio.Task[Answer]") -> None:
    """The worker that has this request is dead: no answer counts."""
    request.add_done_callback(lambda done: done.cancelled() or done.exception())


async def test_killed_before_the_script_nothing_happened_and_a_retry_gets_the_order(
    rig: Rig, sale: OnSale, buyer: Buyer, journal: Journal
) -> None:
    with rig.trap_redis(RESERVE, hold=Hold.MESSAGE) as trap:
        lost = asyncio.create_task(buyer.order(sale.sale_id, items_of(sale), key=KEY))
        (await rig.caught(trap)).kill()
    hopeless(lost)
    assert rig.shelves(sale)[sale.skus[0]]["free"] == 10

    retried = await journal.insist(buyer, sale, items_of(sale), key=KEY)
    assert retried.status == 201
    await assert_kept(rig, sale, journal)


async def test_killed_between_script_and_commit_a_retry_gets_the_same_hold(
    rig: Rig, sale: OnSale, buyer: Buyer, journal: Journal
) -> None:
    with rig.trap_redis(RESERVE, hold=Hold.REPLY) as trap:
        lost = asyncio.create_task(buyer.order(sale.sale_id, items_of(sale), key=KEY))
        victim = await rig.caught(trap)
        await rig.until(lambda: rig.shelves(sale)[sale.skus[0]]["held"] == 1)
        victim.kill()
    hopeless(lost)
    with rig.redis.client() as client:
        (held,) = client.hkeys(SaleKeys.of(sale.sale_id).claims)

    retried = await journal.insist(buyer, sale, items_of(sale), key=KEY)
    assert retried.json["order_no"] == held
    assert len(await rig.orders_of(sale)) == 1
    await assert_kept(rig, sale, journal)


async def test_one_request_many_times_in_one_commit_is_one_order_and_harms_no_neighbour(
    rig: Rig, sale: OnSale, crowd: Crowd, journal: Journal
) -> None:
    first, eager, neighbour = [await crowd.ready_buyer(sale.sale_id) for _ in range(3)]
    for worker in rig.engine.workers[1:]:
        worker.stop()
    with rig.trap_postgres(sale.skus[0].encode(), hold=Hold.MESSAGE) as trap:
        ahead = asyncio.create_task(journal.insist(first, sale, items_of(sale)))
        await rig.caught(trap)
        # All of these wait for the same commit, behind the one that is held.
        again = [asyncio.create_task(journal.insist(eager, sale, items_of(sale), key=KEY)) for _ in range(30)]
        beside = asyncio.create_task(journal.insist(neighbour, sale, items_of(sale)))
        await rig.until(lambda: rig.shelves(sale)[sale.skus[0]]["held"] == 3)
        await asyncio.sleep(0.3)
        trap.let_go()
        answers = await asyncio.gather(ahead, beside, *again)
    assert {answer.status for answer in answers} == {201}
    assert len(journal.orders) == 3
    await assert_kept(rig, sale, journal)


async def test_killed_before_the_commit_the_hold_of_an_order_nobody_heard_of_returns_by_itself(
    rig: Rig, sale: OnSale, buyer: Buyer, journal: Journal
) -> None:
    with rig.trap_postgres(sale.skus[0].encode(), hold=Hold.MESSAGE) as trap:
        lost = asyncio.create_task(buyer.order(sale.sale_id, items_of(sale), key=KEY))
        (await rig.caught(trap)).kill()
    hopeless(lost)
    assert rig.shelves(sale)[sale.skus[0]]["held"] == 1

    await rig.until(lambda: rig.shelves(sale)[sale.skus[0]]["free"] == 10, patience_s=6)
    assert await rig.orders_of(sale) == []
    afterwards = await journal.insist(buyer, sale, items_of(sale), key=KEY)  # the hold took the pass with it
    assert afterwards.status == 201
    await assert_kept(rig, sale, journal)


async def test_killed_after_the_commit_a_retry_gets_that_order(
    rig: Rig, sale: OnSale, buyer: Buyer, journal: Journal
) -> None:
    with rig.trap_postgres(sale.skus[0].encode(), hold=Hold.REPLY) as trap:
        lost = asyncio.create_task(buyer.order(sale.sale_id, items_of(sale), key=KEY))
        victim = await rig.caught(trap)
        await rig.until(lambda: rig.orders_of(sale))
        victim.kill()
    hopeless(lost)
    (committed,) = await rig.orders_of(sale)

    retried = await journal.insist(buyer, sale, items_of(sale), key=KEY)
    assert retried.json["order_no"] == committed["order_no"]
    await assert_kept(rig, sale, journal)


async def test_killed_after_the_answer_every_order_is_still_there(
    rig: Rig, sale: OnSale, crowd: Crowd, journal: Journal
) -> None:
    buyers = await asyncio.gather(*(crowd.ready_buyer(sale.sale_id) for _ in range(10)))
    answers = await asyncio.gather(*(journal.order(buyer, sale, items_of(sale)) for buyer in buyers))
    for worker in rig.engine.workers:
        worker.kill()
    assert {answer.status for answer in answers} == {201}
    await rig.mend()
    for buyer, answer in zip(buyers, answers, strict=True):
        assert await buyer.order_state(answer.json["order_no"]) in ("held", "released")
    await assert_kept(rig, sale, journal)


async def test_a_worker_that_slept_through_a_rebuild_writes_nothing_under_its_old_epoch(
    rig: Rig, sale: OnSale, buyer: Buyer, journal: Journal
) -> None:
    with rig.trap_postgres(sale.skus[0].encode(), hold=Hold.MESSAGE) as trap:
        asked = asyncio.create_task(journal.order(buyer, sale, items_of(sale), key=KEY))
        sleeper = await rig.caught(trap)
        rig.freeze(sleeper)
        with rig.redis.client() as client:
            client.flushall()
        await rig.until(lambda: rig.shelves(sale).get(sale.skus[0], {}).get("free") == 10)
        trap.let_go()
        await asyncio.sleep(0.3)  # its statement is with PostgreSQL now, alone
        assert await rig.orders_of(sale) == []
        rig.thaw(sleeper)
    refused = await asked
    assert (refused.status, refused.code) == (503, "FENCED")
    assert int(refused.headers["Retry-After"]) >= 1

    retried = await journal.insist(buyer, sale, items_of(sale), key=KEY)
    assert retried.status == 201
    await assert_kept(rig, sale, journal)


async def test_a_worker_that_slept_past_the_deadline_of_its_hold_does_not_sell_the_unit_again(
    rig: Rig, crowd: Crowd, journal: Journal
) -> None:
    sale = await rig.sell({"floor": 1}, per_buyer_max=1, hold_s=1)
    late = await crowd.ready_buyer(sale.sale_id)
    with rig.trap_postgres(sale.skus[0].encode(), hold=Hold.MESSAGE) as trap:
        asked = asyncio.create_task(journal.order(late, sale, items_of(sale)))
        sleeper = await rig.caught(trap)
        rig.freeze(sleeper)
        await rig.until(lambda: rig.shelves(sale)[sale.skus[0]]["free"] == 1, patience_s=6)
        async with awake_worker(rig) as elsewhere:
            quick = await elsewhere.ready_buyer(sale.sale_id)
            await asyncio.sleep(0.3)  # until the worker's snapshot knows that the unit is free again
            taken = await journal.order(quick, sale, items_of(sale))
            assert taken.status == 201
            await quick.pay(taken.json["order_no"])
            rig.thaw(sleeper)
            trap.let_go()
            refused = await asked
            assert refused.code in ("TOO_FEW_LEFT", "HELD_BY_OTHERS", "SOLD_OUT", "FENCED"), refused
            await quick.wait_for_state(taken.json["order_no"], "paid")
    await assert_kept(rig, sale, journal)


@asynccontextmanager
async def awake_worker(rig: Rig) -> AsyncIterator[Crowd]:
    """A crowd whose one connection leads to a worker that answers; the kernel gives some to the sleeper."""
    for _ in range(40):
        async with rig.engine.crowd() as crowd:
            try:
                async with asyncio.timeout(0.5):
                    await crowd.ask("GET", "/v1/sales/none")
            except TimeoutError:
                continue
            yield crowd
            return
    raise AssertionError("every connection leads to the sleeper")
