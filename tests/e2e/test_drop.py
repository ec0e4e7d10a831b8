"""A whole small drop through real processes: forty buyers for twenty tickets, on one Redis and on a Cluster."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from engine.embedded.valkey import ValkeyCluster
from tests.support.buyer import Buyer
from tests.support.engine import Engine, OnSale, Stores

TICKETS = 20
BUYERS = 40
PATIENCE_S = 40.0


async def shop(buyer: Buyer, sale: OnSale, number: int) -> str:
    """One buyer's drop: a third pays, some cancel or walk away, and the refused try again until it is final."""
    await buyer.login()
    if await buyer.pass_unless_sold_out(sale.sale_id, patience_s=PATIENCE_S) is None:
        return "sold out"
    for _ in range(60):
        placed = await buyer.order(sale.sale_id, {sale.skus[0]: 1})
        if placed.status == 201:
            break
        if placed.code == "SOLD_OUT":
            return "sold out"
        assert placed.code == "HELD_BY_OTHERS", placed
        await asyncio.sleep(0.5)
    else:
        return "gave up"
    order_no = placed.json["order_no"]
    if number % 5 == 0:
        cancelled = await buyer.ask("DELETE", f"/v1/orders/{order_no}")
        assert (cancelled.status, cancelled.json["state"]) == (200, "released")
        return "cancelled"
    if number % 5 == 1:
        await buyer.start_payment(order_no)
        return "walked away"
    await buyer.pay(order_no)
    await buyer.wait_for_state(order_no, "paid")
    return "paid"


async def sell_a_drop(engine: Engine, sale: OnSale) -> Counter[str]:
    async with engine.crowd() as crowd:
        ends = await asyncio.gather(*(shop(crowd.buyer(), sale, number) for number in range(BUYERS)))
    return Counter(ends)


def assert_everybody_agrees(engine: Engine, sale: OnSale, ends: Counter[str]) -> None:
    """The buyers, the ledger, Redis and WeChat tell the same story."""
    report = engine.audit()
    assert report["sold_units"] == ends["paid"] == TICKETS
    assert report["paid_fen"] == 100 * TICKETS
    paid_at_wechat = [order for order in engine.ledger() if order["trade_state"] == "SUCCESS"]
    assert len(paid_at_wechat) == TICKETS
    (shelf,) = engine.admin_sale(sale.sale_id)["stock"]
    assert (shelf["free"], shelf["held"], shelf["sold"]) == (0, 0, TICKETS)


@pytest.mark.parametrize("where", ["one node", "cluster"])
async def test_a_drop_sells_every_ticket_once(
    where: str, request: pytest.FixtureRequest, database_url: str, tmp_path: Path
) -> None:
    if where == "cluster":
        cluster = request.getfixturevalue("redis_cluster")
        assert isinstance(cluster, ValkeyCluster)
        redis_url = cluster.url
    else:
        redis_url = request.getfixturevalue("redis_url")
    stores = Stores(redis_url=redis_url, postgres_url=database_url)
    with Engine(tmp_path, stores, workers=2) as engine:
        sale = engine.sell({"floor": TICKETS}, hold_s=4)
        engine.wait_until_live(sale.sale_id)
        ends = await sell_a_drop(engine, sale)
        assert_everybody_agrees(engine, sale, ends)
