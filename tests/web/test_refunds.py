"""Refunds over HTTP, from a buyer's ticket and an organizer's decision to money at WeChat."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.buyer import Answer, Buyer, Crowd
from tests.support.engine import Engine, OnSale, sale_text

KEY = "the-same-key"
TIERS = """
[[sales.refunds]]
days_before = 7
percent = 80
[[sales.refunds]]
days_before = 1
percent = 50
"""
LUCK = {"refund_delay_ms": [0, 50], "refund_abnormal": 0.0, "refund_closed": 0.0}


@pytest.fixture(scope="module")
def lenient(engine: Engine) -> OnSale:
    """A sale that gives 80 percent back; its session is months away."""
    sale_id = f"sale-{secrets.token_hex(4)}"
    file = engine.folder / f"{sale_id}.toml"
    file.write_text(sale_text(sale_id=sale_id, capacities={"floor": 1000}) + TIERS)
    engine.floodgate("sale", "apply", file, "--opens-in", "0")
    engine.wait_until_live(sale_id)
    return OnSale(sale_id, (f"{sale_id}-floor",))


@pytest.fixture
async def wechat(crowd: Crowd, engine: Engine) -> AsyncIterator[Any]:
    """Sets WeChat's luck for one test."""

    async def luck(**knobs: Any) -> None:
        answer = await crowd.ask("PUT", f"{engine.simulator_url}/_admin/faults", body={**LUCK, **knobs})
        assert answer.status == 200, answer

    await luck()
    yield luck
    await luck()


@pytest.fixture
def organizer(crowd: Crowd, engine: Engine) -> Any:
    """Asks the admin listener."""

    async def ask(method: str, path: str, body: Any = None, *, key: str | None = None) -> Answer:
        headers = {"Authorization": f"Bearer {engine.admin_key}", "Idempotency-Key": key or secrets.token_hex(8)}
        return await crowd.ask(method, f"{engine.admin_url}{path}", body=body, headers=headers)

    return ask


async def paid(crowd: Crowd, sale: OnSale, quantity: int = 2) -> tuple[Buyer, str]:
    buyer = await crowd.ready_buyer(sale.sale_id)
    order_no = str((await buyer.order(sale.sale_id, {sale.skus[0]: quantity})).json["order_no"])
    await buyer.pay(order_no)
    await buyer.wait_for_state(order_no, "paid")
    return buyer, order_no


async def give_back(buyer: Buyer, order_no: str, body: Any, *, key: str = KEY, **headers: str) -> Answer:
    path = f"/v1/orders/{order_no}/refunds"
    return await buyer.ask("POST", path, body=body, headers={"Idempotency-Key": key, **headers})


async def until_stage(buyer: Buyer, order_no: str, stage: str, *, offering: bool = False) -> dict[str, Any]:
    """The order's page of refunds, once its last one is in this stage and, if wanted, more can be given back."""
    for _ in range(300):
        page: dict[str, Any] = (await buyer.ask("GET", f"/v1/orders/{order_no}/refunds")).json
        # The order is read before its refunds: one that ended in between is told beside an order that cannot offer yet.
        is_told_whole = page["offer"] is not None or not offering
        if page["refunds"] and page["refunds"][-1]["state"] == stage and is_told_whole:
            return page
        await asyncio.sleep(0.05)
    raise AssertionError(page)


@pytest.mark.usefixtures("wechat")
async def test_a_buyer_gives_one_ticket_back_by_the_rules_and_its_unit_is_free_again(
    crowd: Crowd, lenient: OnSale, engine: Engine
) -> None:
    buyer, order_no = await paid(crowd, lenient)
    sold = engine.admin_sale(lenient.sale_id)["stock"][0]["sold"]
    offer = (await buyer.ask("GET", f"/v1/orders/{order_no}/refunds")).json["offer"]
    assert offer["amount_fen"] == 160
    answer = await give_back(buyer, order_no, {"items": [{"sku": lenient.skus[0], "quantity": 1}]})
    assert (answer.status, answer.json["amount_fen"]) == (201, 80)
    page = await until_stage(buyer, order_no, "success", offering=True)
    assert page["refunds"][0]["refund"] == answer.json["refund"]["refund"]
    assert page["offer"]["amount_fen"] == 80
    assert await buyer.order_state(order_no) == "paid"
    assert engine.admin_sale(lenient.sale_id)["stock"][0]["sold"] == sold - 1


@pytest.mark.usefixtures("wechat")
async def test_the_same_key_is_one_refund_and_another_content_under_it_is_refused(
    crowd: Crowd, lenient: OnSale
) -> None:
    buyer, order_no = await paid(crowd, lenient)
    answers = await asyncio.gather(*(give_back(buyer, order_no, {}) for _ in range(10)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["refund"]["refund"] for answer in answers}) == 1
    other = await give_back(buyer, order_no, {"items": [{"sku": lenient.skus[0], "quantity": 1}]})
    assert (other.status, other.code) == (409, "KEY_REUSED")


async def test_a_sale_without_rules_gives_a_buyer_nothing_and_says_so_in_chinese(crowd: Crowd, sale: OnSale) -> None:
    buyer, order_no = await paid(crowd, sale)
    assert (await buyer.ask("GET", f"/v1/orders/{order_no}/refunds")).json["offer"] is None
    refused = await give_back(buyer, order_no, {}, **{"Accept-Language": "zh-CN"})
    assert (refused.status, refused.code) == (409, "NOTHING_TO_REFUND")
    assert refused.json["title"] == "按退票规则，目前无可退金额。"


async def test_another_buyers_order_is_as_unknown_as_none(crowd: Crowd, lenient: OnSale, buyer: Buyer) -> None:
    _, order_no = await paid(crowd, lenient)
    assert (await give_back(buyer, order_no, {})).code == "UNKNOWN_ORDER"
    assert (await buyer.ask("GET", f"/v1/orders/{order_no}/refunds")).code == "UNKNOWN_ORDER"


async def test_an_unpaid_order_is_not_refundable(lenient: OnSale, crowd: Crowd) -> None:
    buyer = await crowd.ready_buyer(lenient.sale_id)
    order_no = str((await buyer.order(lenient.sale_id, {lenient.skus[0]: 1})).json["order_no"])
    assert (await give_back(buyer, order_no, {})).code == "NOT_REFUNDABLE"


@pytest.mark.usefixtures("wechat")
async def test_an_organizer_refunds_an_order_whole(crowd: Crowd, sale: OnSale, organizer: Any) -> None:
    buyer, order_no = await paid(crowd, sale)
    path = f"/admin/v1/orders/{order_no}/refunds"
    decided = await organizer("POST", path, {"whole": True, "reason": "Illness"}, key=KEY)
    assert (decided.status, decided.json["amount_fen"]) == (201, 200)
    again = await organizer("POST", path, {"whole": True, "reason": "Illness"}, key=KEY)
    assert again.json["refund"]["refund"] == decided.json["refund"]["refund"]
    await buyer.wait_for_state(order_no, "refunded")
    (refund,) = (await organizer("GET", path)).json["refunds"]
    assert (refund["state"], refund["reason"], refund["cause"]) == ("success", "Illness", "organizer")


async def test_an_organizer_without_the_key_of_the_settings_decides_nothing(
    crowd: Crowd, engine: Engine, sale: OnSale
) -> None:
    _, order_no = await paid(crowd, sale)
    address = f"{engine.admin_url}/admin/v1/orders/{order_no}/refunds"
    answer = await crowd.ask("POST", address, body={"whole": True, "reason": "x"}, headers={"Idempotency-Key": KEY})
    assert (answer.status, answer.code) == (401, "LOGIN_REQUIRED")


async def test_an_abnormal_refund_is_sent_to_a_bank_card(
    crowd: Crowd, lenient: OnSale, organizer: Any, wechat: Any
) -> None:
    buyer, order_no = await paid(crowd, lenient)
    await wechat(refund_abnormal=1.0)
    number = (await give_back(buyer, order_no, {})).json["refund"]["refund"]
    await until_stage(buyer, order_no, "abnormal")
    await wechat()
    card = {"owner": "BUYER", "bank_type": "CMB_DEBIT", "account": "6225880100000000", "name": "张三"}
    redirected = await organizer("POST", f"/admin/v1/refunds/{number}/redirect", card)
    assert (redirected.status, redirected.json["state"]) == (200, "processing")
    await until_stage(buyer, order_no, "success")
    too_late = await organizer("POST", f"/admin/v1/refunds/{number}/redirect", card)
    assert (too_late.status, too_late.code) == (409, "REFUND_NOT_FAILED")


async def closed(buyer: Buyer, order_no: str, wechat: Any) -> str:
    """The number of a refund that WeChat closed."""
    await wechat(refund_closed=1.0)
    number = str((await give_back(buyer, order_no, {})).json["refund"]["refund"])
    await until_stage(buyer, order_no, "closed")
    return number


async def test_a_closed_refund_is_tried_again_under_a_new_number_and_only_once(
    crowd: Crowd, lenient: OnSale, organizer: Any, wechat: Any
) -> None:
    buyer, order_no = await paid(crowd, lenient)
    number = await closed(buyer, order_no, wechat)
    retried = await organizer("POST", f"/admin/v1/refunds/{number}/retry")
    assert (retried.status, retried.json["refund"]["refund"]) == (201, f"R{order_no}-2")
    again = await organizer("POST", f"/admin/v1/refunds/{number}/retry")
    assert (again.status, again.code) == (409, "REFUND_UNDER_WAY")


async def test_a_closed_refund_that_was_settled_by_hand_counts_as_made(
    crowd: Crowd, lenient: OnSale, organizer: Any, wechat: Any
) -> None:
    buyer, order_no = await paid(crowd, lenient)
    number = await closed(buyer, order_no, wechat)
    settled = await organizer("POST", f"/admin/v1/refunds/{number}/settled-by-hand")
    assert (settled.status, settled.json["state"]) == (200, "success")
    assert await buyer.order_state(order_no) == "paid"  # a fifth of the price was kept


async def test_a_refund_that_nobody_made_cannot_be_led_anywhere(organizer: Any) -> None:
    bodies: dict[str, Any] = {"retry": None, "redirect": {"owner": "MERCHANT"}, "settled-by-hand": None}
    answers = [await organizer("POST", f"/admin/v1/refunds/R0/{way}", body) for way, body in bodies.items()]
    assert [answer.code for answer in answers] == ["UNKNOWN_REFUND"] * 3
