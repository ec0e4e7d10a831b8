"""Sold out for good stays so: units that come back do not undo it, nor does a Redis that forgets; a new round does, and
stays one too."""

import asyncio

import asyncpg

from engine.catalog.controls import Steered, reopen
from tests.faults.rig import Rig
from tests.faults.test_line_places import joined
from tests.faults.test_redis_forgets import emptied
from tests.faults.test_refunds import refund
from tests.support.buyer import Buyer, Crowd
from tests.support.engine import OnSale

ASKED = 16


async def lose_redis(rig: Rig) -> None:
    await asyncio.to_thread(emptied, rig)
    await asyncio.to_thread(rig.redis.start)
    await asyncio.to_thread(rig.engine.processes[1].wait_until_ready)


async def claimed(buyer: Buyer, sale: OnSale) -> str | None:
    """What a claim is told: the code of its refusal."""
    headers = {"Floodgate-Place": buyer.places[sale.sale_id]}
    return (await buyer.ask("POST", f"/v1/sales/{sale.sale_id}/pass", headers=headers)).code


async def told_final(crowd: Crowd, sale: OnSale) -> list[bool]:
    """What both workers say: which one answers a new connection is chance, so many are made."""
    async with Crowd(crowd.public_url, crowd.simulator_url, fresh=True) as strangers:
        told = [await strangers.ask("GET", f"/v1/sales/{sale.sale_id}/line") for _ in range(ASKED)]
    return [answer.json.get("final") for answer in told]


async def test_sold_out_for_good_outlives_returned_units_and_redis_until_a_new_round_begins(
    rig: Rig, crowd: Crowd
) -> None:
    sale = await rig.sell({"floor": 2})
    first, second = await crowd.ready_buyer(sale.sale_id), await crowd.ready_buyer(sale.sale_id)
    order = await first.order(sale.sale_id, {sale.skus[0]: 2})
    await first.pay(order.json["order_no"])
    await rig.until(lambda: _all_final(crowd, sale), what="sold out for good")
    await rig.until(lambda: _kept_final(rig, sale), what="written down")

    assert (await refund(rig, crowd, order.json["order_no"])).status == 201
    await rig.until(lambda: rig.shelves(sale)[sale.skus[0]]["free"] == 2, what="the units are back")
    assert (await second.order(sale.sale_id, {sale.skus[0]: 1})).code == "SOLD_OUT"
    await lose_redis(rig)
    await rig.until(lambda: rig.shelves(sale).get(sale.skus[0], {}).get("free") == 2, what="the sale is rebuilt")
    await rig.until(lambda: _says(second, sale, "SOLD_OUT"), what="sold out still")

    conn = await asyncpg.connect(rig.engine.stores.postgres_url)
    assert await reopen(conn, sale.sale_id) is Steered.DONE
    await conn.close()
    await rig.until(lambda: _none_final(crowd, sale), what="the new round")
    await lose_redis(rig)
    await joined(rig, second, sale.sale_id, shown=second.places[sale.sale_id])
    await second.take_pass(sale.sale_id, patience_s=30)
    assert (await second.order(sale.sale_id, {sale.skus[0]: 1})).status == 201


async def _kept_final(rig: Rig, sale: OnSale) -> bool:
    (row,) = await rig.rows("select final_round from sales where sale_id = $1", sale.sale_id)
    return bool(row["final_round"] == 1)


async def _all_final(crowd: Crowd, sale: OnSale) -> bool:
    return await told_final(crowd, sale) == [True] * ASKED


async def _none_final(crowd: Crowd, sale: OnSale) -> bool:
    return await told_final(crowd, sale) == [False] * ASKED


async def _says(buyer: Buyer, sale: OnSale, code: str) -> bool:
    return await claimed(buyer, sale) == code
