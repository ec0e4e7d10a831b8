"""Redis loses a second, everything, or only its life, in the middle of selling. PostgreSQL remembers every order."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest

from engine.embedded.valkey import ValkeyServer
from engine.infra.keys import SaleKeys
from engine.infra.outage import RedisAway
from engine.infra.redis import open_redis
from engine.stock.stock import Stock
from tests.faults.aof import AppendOnlyFile
from tests.faults.promises import Journal, assert_kept
from tests.faults.rig import PROCESSES, Rig, sha_of, show
from tests.faults.test_worker_death import awake_worker
from tests.support.buyer import Buyer, Crowd
from tests.support.engine import OnSale
from tests.support.proxy import Hold

RESUMED_S_MAX = 8.0  # "within seconds", on a machine that runs a dozen other things
BUYERS = 24


@pytest.fixture
async def sale(rig: Rig) -> OnSale:
    """Ninety units for those who want ninety-six."""
    return await rig.sell({"floor": 30, "stand": 60}, per_buyer_max=4)


@pytest.fixture
async def buyers(crowd: Crowd, sale: OnSale) -> list[Buyer]:
    return list(await asyncio.gather(*(crowd.ready_buyer(sale.sale_id) for _ in range(BUYERS))))


@asynccontextmanager
async def selling(sale: OnSale, buyers: list[Buyer], journal: Journal) -> AsyncIterator[list[float]]:
    """Every buyer orders one unit after the other, at a moderate pace, until the block ends; when each order came."""
    times: list[float] = []

    async def shop(buyer: Buyer, turn: int) -> None:
        while True:
            answer = await journal.insist(buyer, sale, {sale.skus[turn % 2]: 1}, patience_s=30)
            if answer.status == 201:
                times.append(time.monotonic())
            else:
                assert answer.code in ("BUYER_LIMIT", "HELD_BY_OTHERS"), answer
                return
            await asyncio.sleep(0.4 + turn * 0.02)
            turn += 1

    shopping = [asyncio.create_task(shop(buyer, turn)) for turn, buyer in enumerate(buyers)]
    try:
        await asyncio.sleep(0.6)
        yield times
        for done in asyncio.as_completed(shopping, timeout=30):
            await done
    finally:
        for task in shopping:
            task.cancel()


def tell(what: str, began_s: float, back_s: float, times: list[float]) -> float:
    """Show and return how long nobody got an order, counted from the moment the server was there again."""
    first_s = min((at for at in times if at > back_s), default=float("inf"))
    show(f"{what}: away {back_s - began_s:.2f} s, selling again {first_s - back_s:.2f} s after it was back")
    return first_s - back_s


def clean(rig: Rig) -> None:
    rig.redis.stop()


def cut_back(rig: Rig) -> None:
    rig.redis.kill()
    lost_bytes = AppendOnlyFile(rig.redis).cut_back(1.5)
    assert lost_bytes > 0


def emptied(rig: Rig) -> None:
    rig.redis.kill()
    shutil.rmtree(rig.redis.folder / "appendonlydir")


@pytest.mark.parametrize("ending", [clean, cut_back, emptied])
async def test_a_restart_while_selling_loses_no_order_and_sells_on_by_itself(
    rig: Rig, sale: OnSale, buyers: list[Buyer], journal: Journal, ending: Callable[[Rig], None]
) -> None:
    async with selling(sale, buyers, journal) as times:
        began_s = time.monotonic()
        acknowledged = len(journal.orders)
        await asyncio.to_thread(ending, rig)
        await asyncio.to_thread(rig.redis.start)
        back_s = time.monotonic()
        await rig.until(lambda: any(at > back_s for at in times), what="selling again")
    assert acknowledged > 0
    assert tell(f"Redis {ending.__name__}", began_s, back_s, times) < RESUMED_S_MAX
    assert sum(order["items"][0]["quantity"] for order in journal.orders.values()) <= 90
    await assert_kept(rig, sale, journal)


async def test_after_a_restart_one_request_at_most_meets_a_broken_connection(own_redis: ValkeyServer) -> None:
    store = await open_redis(own_redis.url, connections_max=8, timeout_s=2, connect_timeout_s=2)
    stock, keys = Stock(store), SaleKeys.of("spring")

    async def works() -> bool:
        try:
            return await stock.observe(keys, 1) is None
        except RedisAway:
            return False

    assert all(await asyncio.gather(*(works() for _ in range(8))))
    await asyncio.to_thread(own_redis.kill)
    await asyncio.to_thread(own_redis.start)
    await works()
    assert all(await asyncio.gather(*(works() for _ in range(8))))
    await store.close()


async def test_an_empty_server_sells_nothing_until_it_is_rebuilt(
    rig: Rig, sale: OnSale, buyers: list[Buyer], journal: Journal
) -> None:
    await journal.order(buyers[0], sale, {sale.skus[0]: 3})
    conn = await asyncpg.connect(rig.engine.stores.postgres_url)
    try:
        async with conn.transaction():
            name = f"floodgate:rebuild:{sale.sale_id}"
            await conn.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", name)
            await asyncio.to_thread(emptied, rig)
            await asyncio.to_thread(rig.redis.start)
            until_s = time.monotonic() + 1.5
            while time.monotonic() < until_s:
                refused = await buyers[1].order(sale.sale_id, {sale.skus[0]: 1})
                assert refused.status == 503, refused
                assert int(refused.headers["Retry-After"]) >= 1
            assert rig.shelves(sale) == {}
    finally:
        await conn.close()
    sold = await journal.insist(buyers[1], sale, {sale.skus[0]: 1})
    assert sold.status == 201
    assert rig.shelves(sale)[sale.skus[0]] == {"capacity": 30, "free": 26, "held": 4, "sold": 0}
    await assert_kept(rig, sale, journal)


async def test_a_rebuild_restores_limits_repeats_and_paid_units(
    rig: Rig, sale: OnSale, buyers: list[Buyer], journal: Journal
) -> None:
    ann, bob = buyers[:2]
    first = await journal.order(ann, sale, {sale.skus[0]: 3}, key="anns-request")
    paid = await journal.order(bob, sale, {sale.skus[1]: 4}, key="bobs-request")
    await bob.pay(paid.json["order_no"])
    await bob.wait_for_state(paid.json["order_no"], "paid")
    cancelled = await journal.order(bob, sale, {sale.skus[0]: 1}, key="bobs-mistake")
    assert cancelled.code == "BUYER_LIMIT"
    await asyncio.to_thread(emptied, rig)
    await asyncio.to_thread(rig.redis.start)

    repeated = await journal.insist(ann, sale, {sale.skus[0]: 3}, key="anns-request")
    other_body = await journal.insist(ann, sale, {sale.skus[0]: 2}, key="anns-request")
    too_many = await journal.insist(ann, sale, {sale.skus[0]: 2})
    over = await journal.insist(bob, sale, {sale.skus[0]: 1})
    assert repeated.json["order_no"] == first.json["order_no"]
    assert [answer.code for answer in (other_body, too_many, over)] == ["KEY_REUSED", "BUYER_LIMIT", "BUYER_LIMIT"]
    assert rig.shelves(sale)[sale.skus[1]] == {"capacity": 60, "free": 56, "held": 0, "sold": 4}
    await assert_kept(rig, sale, journal)


async def test_a_request_whose_order_was_released_before_a_rebuild_gets_that_order_and_no_other(
    rig: Rig, sale: OnSale, buyers: list[Buyer], journal: Journal
) -> None:
    ann = buyers[0]
    order = await journal.order(ann, sale, {sale.skus[0]: 3}, key="anns-request")
    assert (await ann.ask("DELETE", f"/v1/orders/{order.json['order_no']}")).status == 200
    await asyncio.to_thread(emptied, rig)
    await asyncio.to_thread(rig.redis.start)

    repeated = await journal.insist(ann, sale, {sale.skus[0]: 3}, key="anns-request")
    assert (repeated.json["order_no"], repeated.json["state"]) == (order.json["order_no"], "released")
    other_body = await journal.insist(ann, sale, {sale.skus[0]: 2}, key="anns-request")
    assert other_body.code == "KEY_REUSED"
    await assert_kept(rig, sale, journal)


async def test_a_coordinator_frozen_in_the_middle_of_a_rebuild_is_replaced_and_comes_too_late(
    rig: Rig, sale: OnSale, buyers: list[Buyer], journal: Journal
) -> None:
    await journal.order(buyers[0], sale, {sale.skus[0]: 4})
    with rig.trap_redis(sha_of("stock", "open"), sale.sale_id.encode(), hold=Hold.MESSAGE, processes=PROCESSES) as trap:
        with rig.redis.client() as client:
            client.flushall()
        frozen = await rig.caught(trap)
        rig.freeze(frozen)
        began_s = time.monotonic()
        async with awake_worker(rig) as elsewhere:
            buyers[1].crowd = elsewhere
            sold = await journal.insist(buyers[1], sale, {sale.skus[0]: 1})
            show(f"a frozen coordinator was replaced after {time.monotonic() - began_s:.2f} s")
        trap.let_go()
        rig.thaw(frozen)
    buyers[1].crowd = buyers[0].crowd
    assert sold.status == 201
    assert (await journal.insist(buyers[2], sale, {sale.skus[0]: 1})).status == 201
    await assert_kept(rig, sale, journal)
