"""Redis is there and says no: no script, no memory, or a policy under which nothing may be sold."""

import asyncio
import contextlib
import subprocess

import pytest

from engine.embedded.stack import floodgate_command
from engine.embedded.valkey import ValkeyServer
from engine.infra.keys import SaleKeys
from tests.faults.promises import Journal, assert_kept
from tests.faults.rig import Rig
from tests.support.buyer import Crowd
from tests.support.engine import OnSale


@pytest.fixture
async def sale(rig: Rig) -> OnSale:
    return await rig.sell({"floor": 200}, per_buyer_max=1)


async def test_scripts_flushed_under_load_cost_nobody_an_order(
    rig: Rig, sale: OnSale, crowd: Crowd, journal: Journal
) -> None:
    buyers = await asyncio.gather(*(crowd.ready_buyer(sale.sale_id) for _ in range(60)))

    async def flush() -> None:
        with rig.redis.client() as client:
            while True:
                client.script_flush()
                await asyncio.sleep(0.01)

    flushing = asyncio.create_task(flush())
    answers = []
    for some in (buyers[at : at + 15] for at in range(0, 60, 15)):
        answers += await asyncio.gather(*(journal.order(buyer, sale, {sale.skus[0]: 1}) for buyer in some))
    flushing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await flushing
    assert [answer.status for answer in answers] == [201] * 60
    await assert_kept(rig, sale, journal)


async def test_a_full_redis_refuses_orders_whole_and_sells_on_when_there_is_room(
    rig: Rig, sale: OnSale, crowd: Crowd, journal: Journal
) -> None:
    before, after = await crowd.ready_buyer(sale.sale_id), await crowd.ready_buyer(sale.sale_id)
    held = await journal.order(before, sale, {sale.skus[0]: 1})
    keys = SaleKeys.of(sale.sale_id)
    with rig.redis.client() as client:
        stored = {
            key: client.dump(key) for key in (keys.stock, keys.buyers, keys.requests, keys.claims, keys.deadlines)
        }
        client.config_set("maxmemory", "1mb")
        try:
            refused = await after.order(sale.sale_id, {sale.skus[0]: 1}, key="the-request")
            assert (refused.status, refused.code) == (503, "UNAVAILABLE")
            assert int(refused.headers["Retry-After"]) >= 1
            assert {key: client.dump(key) for key in stored} == stored
            assert len(await rig.orders_of(sale)) == 1
            # Units still come back and money still counts while Redis is full.
            assert (await before.ask("DELETE", f"/v1/orders/{held.json['order_no']}")).status == 200
            assert rig.shelves(sale)[sale.skus[0]]["free"] == 200
        finally:
            client.config_set("maxmemory", "0")
    assert (await journal.insist(after, sale, {sale.skus[0]: 1}, key="the-request")).status == 201
    await assert_kept(rig, sale, journal)


async def test_a_sale_whose_keys_were_spoilt_does_not_keep_the_others_from_their_rebuild(
    rig: Rig, crowd: Crowd, journal: Journal
) -> None:
    # Sales are looked after in the order of their opening: the spoilt one comes first.
    spoilt = await rig.sell({"floor": 5}, sale_id="a-spoilt-sale", hold_s=1)
    whole = await rig.sell({"floor": 5}, sale_id="b-whole-sale", hold_s=1)
    buyer = await crowd.ready_buyer(whole.sale_id)
    with rig.redis.client() as client:
        client.flushall()
        client.set(SaleKeys.of(spoilt.sale_id).control, "planted")
        assert (await journal.insist(buyer, whole, {whole.skus[0]: 1})).status == 201
        await rig.until(lambda: rig.shelves(whole)[whole.skus[0]]["free"] == 5, what="swept")
        client.delete(SaleKeys.of(spoilt.sale_id).control)
    await asyncio.to_thread(rig.engine.wait_until_live, spoilt.sale_id)
    await assert_kept(rig, whole, journal)


@pytest.mark.parametrize("process", ["serve", "work"])
def test_no_process_starts_on_a_redis_that_may_evict(rig: Rig, own_redis: ValkeyServer, process: str) -> None:
    with own_redis.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    done = subprocess.run(
        [*floodgate_command(), process],
        env={**rig.engine.environment, "FLOODGATE_REDIS_URL": own_redis.url, "FLOODGATE_ADMIN_PORT": "0"},
        cwd=rig.engine.folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert "maxmemory-policy allkeys-lru; set it to noeviction" in done.stderr
    assert "Traceback" not in done.stderr
