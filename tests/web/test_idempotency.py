"""A request is done at most once: the same key gives the same order, and never another buyer's."""

import asyncio

import orjson

from tests.support.buyer import Buyer, Crowd
from tests.support.engine import OnSale

KEY = "the-same-key"


async def test_same_key_and_body_give_the_same_answer(buyer: Buyer, sale: OnSale) -> None:
    first = await buyer.order(sale.sale_id, {sale.skus[0]: 2}, key=KEY)
    again = await buyer.order(sale.sale_id, {sale.skus[0]: 2}, key=KEY)
    assert (first.status, again.status) == (201, 201)
    assert first.json["order_no"] == again.json["order_no"]
    assert first.raw == again.raw


async def test_same_key_and_meaning_in_other_bytes_give_the_same_answer(buyer: Buyer, sale: OnSale) -> None:
    first = await buyer.order(sale.sale_id, {sale.skus[0]: 1}, key=KEY)
    spaced = b' {\n"items": [ {"quantity": 1, "sku": ' + orjson.dumps(sale.skus[0]) + b"} ] }\n"
    again = await buyer.order_raw(sale.sale_id, spaced, key=KEY)
    assert (again.status, again.raw) == (201, first.raw)


async def test_same_key_with_another_quantity_is_409(buyer: Buyer, sale: OnSale) -> None:
    await buyer.order(sale.sale_id, {sale.skus[0]: 1}, key=KEY)
    again = await buyer.order(sale.sale_id, {sale.skus[0]: 2}, key=KEY)
    assert (again.status, again.code) == (409, "KEY_REUSED")


async def test_same_key_with_another_sku_is_409(buyer: Buyer, sale: OnSale) -> None:
    await buyer.order(sale.sale_id, {sale.skus[0]: 1}, key=KEY)
    again = await buyer.order(sale.sale_id, {sale.skus[1]: 1}, key=KEY)
    assert (again.status, again.code) == (409, "KEY_REUSED")


async def test_another_buyer_with_the_same_key_gets_an_own_order(crowd: Crowd, buyer: Buyer, sale: OnSale) -> None:
    other = await crowd.ready_buyer(sale.sale_id)
    mine = await buyer.order(sale.sale_id, {sale.skus[0]: 1}, key=KEY)
    theirs = await other.order(sale.sale_id, {sale.skus[0]: 1}, key=KEY)
    assert (mine.status, theirs.status) == (201, 201)
    assert mine.json["order_no"] != theirs.json["order_no"]


async def test_fifty_at_once_with_one_key_are_one_order(buyer: Buyer, sale: OnSale) -> None:
    answers = await asyncio.gather(*(buyer.order(sale.sale_id, {sale.skus[0]: 1}, key=KEY) for _ in range(50)))
    decided = [answer for answer in answers if answer.status == 201]
    assert {answer.status for answer in answers} <= {201, 503}
    assert len({answer.json["order_no"] for answer in decided}) == 1
    assert len((await buyer.ask("GET", "/v1/orders")).json["orders"]) == 1


async def test_refused_request_may_be_corrected_under_the_same_key(buyer: Buyer, sale: OnSale) -> None:
    refused = await buyer.order(sale.sale_id, {sale.skus[0]: 5}, key=KEY)
    assert refused.code == "ORDER_LIMIT"
    assert (await buyer.order(sale.sale_id, {sale.skus[0]: 4}, key=KEY)).status == 201


async def test_buyer_limit_holds_over_orders(buyer: Buyer, sale: OnSale) -> None:
    assert (await buyer.order(sale.sale_id, {sale.skus[0]: 4})).status == 201
    over = await buyer.order(sale.sale_id, {sale.skus[1]: 3})
    assert (over.status, over.code) == (409, "BUYER_LIMIT")
    assert (await buyer.order(sale.sale_id, {sale.skus[1]: 2})).status == 201


async def test_cancelled_order_answers_as_it_is_now(buyer: Buyer, sale: OnSale) -> None:
    first = await buyer.order(sale.sale_id, {sale.skus[0]: 1}, key=KEY)
    path = f"/v1/orders/{first.json['order_no']}"
    assert (await buyer.ask("DELETE", path)).json["state"] == "released"
    again = await buyer.order(sale.sale_id, {sale.skus[0]: 1}, key=KEY)
    assert (again.json["order_no"], again.json["state"]) == (first.json["order_no"], "released")


async def test_cancelling_again_is_harmless(buyer: Buyer, sale: OnSale) -> None:
    path = f"/v1/orders/{(await buyer.order(sale.sale_id, {sale.skus[0]: 1})).json['order_no']}"
    first, again = await buyer.ask("DELETE", path), await buyer.ask("DELETE", path)
    assert (first.status, again.status) == (200, 200)
    assert first.raw == again.raw


async def test_cancelling_what_is_being_paid_is_202_and_ends_released(buyer: Buyer, sale: OnSale) -> None:
    order_no = (await buyer.order(sale.sale_id, {sale.skus[0]: 1})).json["order_no"]
    assert (await buyer.start_payment(order_no)).status == 200
    cancelled = await buyer.ask("DELETE", f"/v1/orders/{order_no}")
    assert (cancelled.status, cancelled.json["state"]) == (202, "closing")
    await buyer.wait_for_state(order_no, "released")
    refused = await buyer.start_payment(order_no)
    assert (refused.status, refused.code) == (409, "NOT_PAYABLE")


async def test_paid_order_cannot_be_cancelled_or_paid_again(buyer: Buyer, sale: OnSale) -> None:
    order_no = (await buyer.order(sale.sale_id, {sale.skus[0]: 1})).json["order_no"]
    await buyer.pay(order_no)
    await buyer.wait_for_state(order_no, "paid")
    cancelled = await buyer.ask("DELETE", f"/v1/orders/{order_no}")
    assert (cancelled.status, cancelled.code) == (409, "NOT_CANCELLABLE")
    again = await buyer.start_payment(order_no)
    assert (again.status, again.code) == (409, "NOT_PAYABLE")


async def test_tapping_pay_again_keeps_the_prepay_id(buyer: Buyer, sale: OnSale) -> None:
    order_no = (await buyer.order(sale.sale_id, {sale.skus[0]: 1})).json["order_no"]
    first, again = await buyer.start_payment(order_no), await buyer.start_payment(order_no)
    assert first.json["package"] == again.json["package"]
