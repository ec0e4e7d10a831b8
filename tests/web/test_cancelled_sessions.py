"""A session cancelled over HTTP: refused honestly from then on, and its buyers have their money back."""

import asyncio
from typing import Any

import pytest

from tests.support.buyer import Answer, Crowd, clock_s
from tests.support.engine import Engine, OnSale


@pytest.fixture
def own_sale(engine: Engine) -> OnSale:
    sale = engine.sell({"floor": 100})
    engine.wait_until_live(sale.sale_id)
    return sale


@pytest.fixture
def organizer(crowd: Crowd, engine: Engine) -> Any:
    """Asks the admin listener about the session of a sale."""

    async def ask(method: str, sale: OnSale, what: str, body: Any = None, **headers: str) -> Answer:
        path = f"/admin/v1/sessions/{sale.sale_id}-evening/{what}"
        shown = {"Authorization": f"Bearer {engine.admin_key}", **headers}
        return await crowd.ask(method, f"{engine.admin_url}{path}", body=body, headers=shown)

    return ask


async def test_a_cancelled_session_refunds_who_paid_ends_who_did_not_and_refuses_who_comes(
    crowd: Crowd, own_sale: OnSale, organizer: Any
) -> None:
    sku = own_sale.skus[0]
    payer, holder, comer = [await crowd.ready_buyer(own_sale.sale_id) for _ in range(3)]
    paid = (await payer.order(own_sale.sale_id, {sku: 2})).json["order_no"]
    await payer.pay(paid)
    await payer.wait_for_state(paid, "paid")
    held = (await holder.order(own_sale.sale_id, {sku: 1}, key="the-same-key")).json["order_no"]

    cancelled = await organizer("POST", own_sale, "cancel", {"reason": "台风 Typhoon"})
    assert cancelled.status == 202, cancelled
    assert (cancelled.json["reason"], cancelled.json["fen"]) == ("台风 Typhoon", 200)

    refused = await comer.order(own_sale.sale_id, {sku: 1})
    assert (refused.status, refused.code) == (409, "SESSION_CANCELLED")
    again = await holder.order(own_sale.sale_id, {sku: 1}, key="the-same-key")
    assert again.json["order_no"] == held
    await holder.wait_for_state(held, "released")
    await payer.wait_for_state(paid, "refunded")
    until_s = clock_s() + 15
    while not (progress := (await organizer("GET", own_sale, "refunds")).json)["done"]:
        assert clock_s() < until_s, progress
        await asyncio.sleep(0.05)
    assert (progress["succeeded"], progress["succeeded_fen"], progress["failed"]) == (1, 200, 0)
    document = (await crowd.ask("GET", f"/v1/sales/{own_sale.sale_id}")).json
    assert [session["cancelled"] for session in document["sessions"]] == [True]


async def test_before_a_session_is_cancelled_its_refunds_say_what_that_would_mean(sale: OnSale, organizer: Any) -> None:
    asked = await organizer("GET", sale, "refunds")
    assert (asked.status, asked.json["cancelled_ms"], asked.json["done"]) == (200, None, False)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "BODY_INVALID"),
        ([], "BODY_INVALID"),
        ({"reason": 1}, "BODY_INVALID"),
        ({"reason": "storm", "more": 1}, "BODY_INVALID"),
        ({"reason": ""}, "REASON_INVALID"),
        ({"reason": "x" * 81}, "REASON_INVALID"),
        ({"reason": "🎫"}, "REASON_INVALID"),
    ],
)
async def test_a_session_is_not_cancelled_by_a_body_that_makes_no_sense(
    sale: OnSale, organizer: Any, body: Any, code: str
) -> None:
    assert (await organizer("POST", sale, "cancel", body)).code == code
    assert (await organizer("GET", sale, "refunds")).json["cancelled_ms"] is None


async def test_an_unknown_session_is_said_to_be_unknown(organizer: Any) -> None:
    nowhere = OnSale("nowhere", ())
    answers = [await organizer("POST", nowhere, "cancel", {"reason": "x"}), await organizer("GET", nowhere, "refunds")]
    assert [(answer.status, answer.code) for answer in answers] == [(404, "UNKNOWN_SESSION")] * 2


@pytest.mark.parametrize(("method", "what"), [("POST", "cancel"), ("GET", "refunds")])
async def test_nobody_but_an_operator_may_ask(sale: OnSale, organizer: Any, method: str, what: str) -> None:
    body = {"reason": "storm"} if method == "POST" else None
    answer = await organizer(method, sale, what, body, Authorization="Bearer wrong")
    assert (answer.status, answer.code) == (401, "LOGIN_REQUIRED")
