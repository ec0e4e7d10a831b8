"""One buyer's whole way over HTTP: login, line, pass, order, payment, callback."""

from tests.support.buyer import Crowd
from tests.support.engine import Engine, OnSale


async def test_buyer_orders_pays_and_the_order_is_paid(engine: Engine, sale: OnSale, crowd: Crowd) -> None:
    buyer = await crowd.ready_buyer(sale.sale_id)
    placed = await buyer.order(sale.sale_id, {sale.skus[0]: 2})
    assert placed.status == 201
    assert placed.json["state"] == "held"
    assert placed.json["amount_fen"] == 200
    await buyer.pay(placed.json["order_no"])
    await buyer.wait_for_state(placed.json["order_no"], "paid")
    assert engine.audit()["verdict"] == "pass"
