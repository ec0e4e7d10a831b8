"""Fapiao over HTTP: the independent client's way through all of it, the five callbacks, and what is refused."""

import asyncio
import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA1
from wechatpayv3 import WeChatPay

from engine.simulator.processes.server import Simulator
from tests.simulator.conftest import OPENID, PROMPT, Caller, Receiver, Reply
from tests.simulator.test_fapiao import item
from tests.simulator.test_peer import ask

BASE = "/v3/new-tax-control-fapiao"
TITLE = {"type": "INDIVIDUAL", "name": "王小明", "phone": "13900000000", "email": "a@example.com"}


async def open_shop(caller: Caller) -> None:
    """The merchant names its address, shows the entry on receipts, and makes a card template."""
    config = {"callback_url": caller.notify_url, "show_fapiao_cell": True}
    assert (await caller.send("PATCH", f"{BASE}/merchant/development-config", config)).status == 200
    template = {"card_appid": caller.names.appid, "card_template_information": {"logo_url": "https://a.example/l"}}
    assert (await caller.send("POST", f"{BASE}/card-template", template)).status == 200


@pytest.fixture
async def shop(caller: Caller) -> Caller:
    """A merchant that may issue fapiao; steps take no time."""
    await caller.house("PUT", "/_admin/faults", {"fapiao_delay_ms": [0, 0]})
    await open_shop(caller)
    return caller


def application(apply_id: str, **changed: Any) -> dict[str, Any]:
    return {
        "scene": "WITH_WECHATPAY",
        "fapiao_apply_id": apply_id,
        "buyer_information": {"type": "INDIVIDUAL", "name": "王小明"},
        "fapiao_information": [{"fapiao_id": "F1", "total_amount": 100, "items": [item()]}],
    } | changed


async def apply(caller: Caller, apply_id: str, **changed: Any) -> Reply:
    return await caller.send("POST", f"{BASE}/fapiao-applications", application(apply_id, **changed))


async def fill_in(caller: Caller, apply_id: str, **changed: Any) -> Reply:
    document = {"fapiao_apply_id": apply_id, "openid": OPENID, "title": TITLE} | changed
    return await caller.house("POST", "/_buyer/fapiao-title", document)


def code(reply: Reply) -> tuple[int, Any]:
    return reply.status, reply.json["code"]


async def test_peer_issues_and_reverses_and_hears_of_every_step(
    peer: WeChatPay, shop: Caller, receiver: Receiver
) -> None:
    apply_id = await shop.order_and_pay()
    assert (await fill_in(shop, apply_id)).status == 200
    status, title = await ask(peer.fapiao_title, fapiao_apply_id=apply_id)
    assert (status, title["name"]) == (200, "王小明")
    issue = {"fapiao_id": "F1", "total_amount": 100, "need_list": False, "items": [item()]}
    buyer = {"type": "INDIVIDUAL", "name": "王小明", "phone": "13900000000", "email": "a@example.com"}
    status, _ = await ask(
        peer.fapiao_applications, fapiao_apply_id=apply_id, buyer_information=buyer, fapiao_information=[issue]
    )
    assert status == 202
    await receiver.wait(4)
    (found,) = (await ask(peer.fapiao_query, fapiao_apply_id=apply_id))[1]["fapiao_information"]
    assert (found["status"], found["card_information"]["card_status"]) == ("ISSUED", "INSERTED")
    named = {name: found["blue_fapiao"][name] for name in ("fapiao_code", "fapiao_number")}
    status, _ = await ask(
        peer.fapiao_reverse,
        fapiao_apply_id=apply_id,
        reverse_reason="SALES_RETURN",
        fapiao_information=[{"fapiao_id": "F1", **named}],
    )
    assert status == 202
    heard = [peer.callback(headers, body) for headers, body in await receiver.wait(6)]
    assert [notice["event_type"] for notice in heard[1:]] == [
        "FAPIAO.USER_APPLIED",
        "FAPIAO.ISSUED",
        "FAPIAO.CARD_INSERTED",
        "FAPIAO.REVERSED",
        "FAPIAO.CARD_DISCARDED",
    ]
    assert heard[2]["resource"]["fapiao_information"] == [{"fapiao_id": "F1", "fapiao_status": "ISSUED"}]
    assert heard[5]["resource"]["fapiao_information"] == [{"fapiao_id": "F1", "card_status": "DISCARDED"}]


async def test_peer_reads_and_changes_the_settings(peer: WeChatPay, caller: Caller) -> None:
    assert (await ask(peer.fapiao_merchant_config))[1] == {}
    url = caller.notify_url
    assert (await ask(peer.fapiao_set_merchant_config, callback_url=url))[1] == {"callback_url": url}
    assert (await ask(peer.fapiao_merchant_config))[1] == {"callback_url": url}


async def test_peer_reads_tax_codes_and_the_seller(peer: WeChatPay) -> None:
    status, codes = await ask(peer.fapiao_tax_codes, offset=1, limit=2)
    assert (status, len(codes["data"]), codes["total_count"]) == (200, 2, 4)
    assert (await ask(peer.fapiao_merchant_base_info))[1]["seller_information"]["taxpayer_id"]


async def test_peer_makes_a_card_template(peer: WeChatPay, caller: Caller) -> None:
    status, card = await ask(peer.fapiao_card_template, card_template_information={"logo_url": "https://a.example/l"})
    assert (status, card["card_appid"], len(card["card_id"])) == (200, caller.names.appid, 28)


async def test_peer_gets_a_link_and_the_buyer_follows_it(peer: WeChatPay, shop: Caller) -> None:
    wanted = {"fapiao_apply_id": "A-1", "total_amount": 100, "openid": OPENID}
    status, link = await ask(peer.fapiao_title_url, source="MINIPROGRAM", **wanted)
    assert (status, link["miniprogram_path"]) == (200, "pages/title/title?apply_id=A-1")
    assert (await ask(peer.fapiao_title_url, source="WEB", **wanted))[1]["title_url"].startswith("https://")
    assert (await fill_in(shop, "A-1")).status == 200
    assert (await apply(shop, "A-1", scene="WITHOUT_WECHATPAY")).status == 202


async def test_the_buyers_phone_crosses_encrypted_for_the_merchant(shop: Caller) -> None:
    apply_id = await shop.order_and_pay()
    await fill_in(shop, apply_id)
    told = await shop.send("GET", f"{BASE}/user-title?scene=WITH_WECHATPAY&fapiao_apply_id={apply_id}")
    sealed = told.json["phone"]
    assert shop.key.decrypt(base64.b64decode(sealed), OAEP(MGF1(SHA1()), SHA1(), None)) == b"13900000000"


async def test_the_same_application_is_accepted_again_and_a_changed_one_is_not(shop: Caller) -> None:
    apply_id = await shop.order_and_pay()
    assert [(await apply(shop, apply_id)).status for _ in range(2)] == [202, 202]
    changed = await apply(shop, apply_id, buyer_information={"type": "INDIVIDUAL", "name": "李四"})
    assert code(changed) == (400, "INVALID_REQUEST")


async def test_no_more_is_invoiced_than_was_paid(shop: Caller) -> None:
    apply_id = await shop.order_and_pay()
    much = [{"fapiao_id": "F1", "total_amount": 101, "items": [item(101)]}]
    assert code(await apply(shop, apply_id, fapiao_information=much)) == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"buyer_information": {"type": "ORGANIZATION", "name": "公司"}}, "/buyer_information/taxpayer_id"),
        ({"buyer_information": {"type": "ROBOT", "name": "x"}}, "/buyer_information/type"),
        ({"scene": "OTHER"}, "/scene"),
        ({"fapiao_information": []}, "/fapiao_information"),
        (
            {"fapiao_information": [{"fapiao_id": "F1", "total_amount": 100, "items": [item() | {"tax_code": "1"}]}]},
            "/fapiao_information/0/items/0/tax_code",
        ),
    ],
)
async def test_a_wrong_application_is_refused_by_its_field(shop: Caller, changed: dict[str, Any], field: str) -> None:
    reply = await apply(shop, await shop.order_and_pay(), **changed)
    assert (reply.status, reply.json["detail"]["field"]) == (400, field)


async def test_an_encrypted_field_needs_the_serial_of_its_key(shop: Caller) -> None:
    buyer = {"type": "INDIVIDUAL", "name": "王小明", "phone": "plain"}
    reply = await apply(shop, await shop.order_and_pay(), buyer_information=buyer)
    assert code(reply) == (400, "PARAM_ERROR")


async def test_nothing_is_invoiced_for_nobodys_payment(shop: Caller) -> None:
    assert code(await apply(shop, "4200000000000000000000000000")) == (404, "RESOURCE_NOT_EXISTS")


async def test_without_wechatpay_the_buyer_must_have_filled_in_a_title(shop: Caller) -> None:
    assert code(await apply(shop, "A-1", scene="WITHOUT_WECHATPAY")) == (404, "RESOURCE_NOT_EXISTS")


async def test_a_product_that_was_never_opened_refuses_everything(shop: Caller) -> None:
    await shop.house("PUT", "/_admin/faults", {"fapiao_opened": False})
    assert code(await apply(shop, await shop.order_and_pay())) == (403, "NO_AUTH")
    assert code(await shop.send("GET", f"{BASE}/merchant/tax-codes?offset=0&limit=20")) == (403, "NO_AUTH")


async def test_a_failed_issue_is_found_by_asking(shop: Caller) -> None:
    await shop.house("PUT", "/_admin/faults", {"fapiao_issue_failed": 1})
    apply_id = await shop.order_and_pay()
    await apply(shop, apply_id)
    target = f"{BASE}/fapiao-applications/{apply_id}"
    status = "ISSUE_ACCEPTED"
    async with asyncio.timeout(10):
        while status == "ISSUE_ACCEPTED":
            status = (await shop.send("GET", target)).json["fapiao_information"][0]["status"]
    assert status == "ISSUE_FAILED"


@pytest.mark.parametrize(
    "changed",
    [
        {"fapiao_apply_id": "A-2"},
        {"openid": "o" + "B" * 27},
        {"title": {"type": "INDIVIDUAL"}},
        {"title": {"type": "ORGANIZATION", "name": "公司"}},
        {"title": None},
        {"mchid": "1"},
    ],
)
async def test_a_title_that_cannot_be_filled_in_is_explained(shop: Caller, changed: dict[str, Any]) -> None:
    apply_id = await shop.order_and_pay()
    reply = await fill_in(shop, apply_id, **changed)
    assert (reply.status, len(reply.json["problems"])) == (400, 1)


async def test_a_receipt_without_the_entry_takes_no_title(caller: Caller) -> None:
    assert (await fill_in(caller, await caller.order_and_pay())).status == 400


@pytest.mark.parametrize("query", ["", "offset=0", "offset=0&limit=21", "offset=x&limit=1"])
async def test_tax_codes_are_read_in_pages_of_twenty(caller: Caller, query: str) -> None:
    reply = await caller.send("GET", f"{BASE}/merchant/tax-codes{'?' if query else ''}{query}")
    assert code(reply) == (400, "PARAM_ERROR")


async def test_an_unknown_application_is_not_found(caller: Caller) -> None:
    assert code(await caller.send("GET", f"{BASE}/fapiao-applications/A-404")) == (404, "RESOURCE_NOT_EXISTS")


async def test_what_was_accepted_is_done_after_a_restart(
    home: Path, session: aiohttp.ClientSession, receiver: Receiver
) -> None:
    first = Simulator(home, luck=replace(PROMPT, fapiao_delay_ms=(3_600_000, 3_600_000)))
    await first.start()
    caller = Caller(session, first.credentials, first.port, receiver.url)
    await open_shop(caller)
    assert (await apply(caller, await caller.order_and_pay())).status == 202
    await receiver.wait(1)
    await first.stop()
    again = Simulator(home, luck=replace(PROMPT, fapiao_delay_ms=(0, 0)))
    await again.start()
    try:
        _, body = (await receiver.wait(2))[1]
        assert json.loads(body)["event_type"] == "FAPIAO.ISSUED"
    finally:
        await again.stop()
