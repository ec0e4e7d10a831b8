"""The jobs die in the middle of a turn, or find their work half told. What they return is returned once."""

import asyncio

import aiohttp
import pytest

from tests.faults.promises import Journal, assert_kept
from tests.faults.rig import PROCESSES, Rig, sha_of, show
from tests.faults.test_money import became
from tests.support.buyer import Buyer, Crowd
from tests.support.proxy import Hold


@pytest.mark.parametrize("hold", [Hold.MESSAGE, Hold.REPLY])
async def test_a_sweeper_killed_between_ledger_and_redis_returns_each_unit_once(
    rig: Rig, crowd: Crowd, journal: Journal, hold: Hold
) -> None:
    sale = await rig.sell({"floor": 40}, per_buyer_max=2, hold_s=2)
    buyers = await asyncio.gather(*(crowd.ready_buyer(sale.sale_id) for _ in range(20)))
    answers = await asyncio.gather(*(journal.order(buyer, sale, {sale.skus[0]: 2}) for buyer in buyers))
    assert {answer.status for answer in answers} == {201}
    release = (sha_of("stock", "release"), sale.sale_id.encode())
    with rig.trap_redis(*release, hold=hold, processes=["jobs"]) as trap:
        (await rig.caught(trap)).kill()
    assert "released" in {order["state"] for order in await rig.orders_of(sale)}
    await rig.mend()
    await rig.until(lambda: rig.shelves(sale)[sale.skus[0]]["free"] == 40)
    assert {order["state"] for order in await rig.orders_of(sale)} == {"released"}
    await assert_kept(rig, sale, journal)


async def test_a_sweeper_killed_before_its_release_was_committed_releases_later(
    rig: Rig, crowd: Crowd, journal: Journal
) -> None:
    sale = await rig.sell({"floor": 4}, per_buyer_max=2, hold_s=1)
    buyer = await crowd.ready_buyer(sale.sale_id)
    order_no = (await journal.order(buyer, sale, {sale.skus[0]: 2})).json["order_no"]
    # The sweeper's statements about this order carry its number.
    with rig.trap_postgres(order_no.encode(), hold=Hold.MESSAGE, processes=["jobs"]) as trap:
        (await rig.caught(trap)).kill()
    assert await rig.state_of(order_no) == "held"
    await rig.mend()
    await rig.until(lambda: became(rig, order_no, "released"))
    await assert_kept(rig, sale, journal)


async def test_an_order_cancelled_while_a_rebuild_loads_it_frees_its_units(
    rig: Rig, crowd: Crowd, journal: Journal
) -> None:
    sale = await rig.sell({"floor": 4}, per_buyer_max=4)
    buyer = await crowd.ready_buyer(sale.sale_id)
    order_no = (await journal.order(buyer, sale, {sale.skus[0]: 4})).json["order_no"]
    # The order has been read as held and is on its way to Redis; its hold would last ten minutes more.
    with rig.trap_redis(sha_of("stock", "load"), order_no.encode(), hold=Hold.MESSAGE, processes=PROCESSES) as trap:
        with rig.redis.client() as client:
            client.flushall()
        await rig.caught(trap)
        await asyncio.sleep(0.1)
        cancelled = await buyer.ask("DELETE", f"/v1/orders/{order_no}")
        assert (cancelled.status, cancelled.json["state"]) == (200, "released")
        trap.let_go()
    await rig.until(lambda: rig.shelves(sale).get(sale.skus[0], {}).get("free") == 4, patience_s=5)
    assert (await journal.insist(buyer, sale, {sale.skus[0]: 4})).status == 201
    await assert_kept(rig, sale, journal)


async def test_a_cancel_that_redis_did_not_hear_of_is_told_again_long_before_the_deadline(
    rig: Rig, crowd: Crowd, journal: Journal
) -> None:
    sale = await rig.sell({"floor": 4}, per_buyer_max=4)
    buyer = await crowd.ready_buyer(sale.sale_id)
    order_no = (await journal.order(buyer, sale, {sale.skus[0]: 4})).json["order_no"]
    with rig.trap_redis(sha_of("stock", "release"), sale.sale_id.encode(), hold=Hold.MESSAGE) as trap:
        cancelling = asyncio.create_task(buyer.ask("DELETE", f"/v1/orders/{order_no}"))
        await rig.caught(trap)
        trap.cut()
        assert (await cancelling).status == 200
    took_s = await rig.until(lambda: rig.shelves(sale)[sale.skus[0]]["free"] == 4, patience_s=9)
    show(f"units of a cancel that Redis did not hear of were free after {took_s:.1f} s")
    await assert_kept(rig, sale, journal)


async def test_a_worker_that_starts_without_postgres_says_outage_and_never_that_a_sale_is_unknown(
    rig: Rig, crowd: Crowd, journal: Journal
) -> None:
    sale = await rig.sell({"floor": 4})
    buyer = await crowd.ready_buyer(sale.sale_id)
    order = await journal.order(buyer, sale, {sale.skus[0]: 1})
    place = {"Floodgate-Place": buyer.places[sale.sale_id]}
    spare = {"Floodgate-Pass": await buyer.take_pass(sale.sale_id), "Idempotency-Key": "another-order"}
    wish = {"items": [{"sku": sale.skus[0], "quantity": 1}]}
    for worker in rig.engine.workers:
        worker.kill()
    rig.engine.wires["web-0"].postgres.refuse()
    rig.engine.workers[0].launch()
    async with rig.engine.crowd() as fresh:
        buyer.crowd = fresh
        await rig.until(lambda: answers_at_all(buyer))
        asked = [
            await buyer.ask("POST", f"/v1/sales/{sale.sale_id}/pass", headers=place),
            await buyer.ask("POST", f"/v1/sales/{sale.sale_id}/orders", body=wish, headers=spare),
            await buyer.ask("GET", f"/v1/orders/{order.json['order_no']}"),
            await buyer.ask("GET", f"/v1/sales/{sale.sale_id}/line"),
            await buyer.ask("GET", f"/v1/sales/{sale.sale_id}"),
        ]
    assert [answer.status for answer in asked] == [503] * 5, asked


async def answers_at_all(buyer: Buyer) -> bool:
    try:
        await buyer.ask("GET", "/v1/sales/none")
    except aiohttp.ClientError:
        return False
    return True
