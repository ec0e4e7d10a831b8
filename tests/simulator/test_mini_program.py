"""The calls of api.weixin.qq.com over HTTP: always 200, the truth in errcode, one acceptance for one message."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from engine.simulator.processes.server import Simulator
from tests.simulator.conftest import OPENID, PROMPT, Caller, Reply
from tests.simulator.test_shipping import upload
from tests.simulator.test_wxacode import pixels

OTHER = "o" + "B" * 27
PAID_TEMPLATE = {"paid": ["thing1", "amount2", "time3"]}
MESSAGE = {
    "touser": OPENID,
    "template_id": "paid",
    "page": "pages/order?no=T00001",
    "data": {"thing1": {"value": "音乐节"}, "amount2": {"value": "¥99.00"}, "time3": {"value": "15:01"}},
    "miniprogram_state": "formal",
    "lang": "zh_CN",
}


async def fetch_token(caller: Caller, **changed: object) -> Reply:
    asked = {"grant_type": "client_credential", "appid": caller.names.appid, "secret": caller.names.app_secret}
    return await caller.house("POST", "/cgi-bin/stable_token", asked | changed)


@pytest.fixture
async def token(caller: Caller) -> str:
    return str((await fetch_token(caller)).json["access_token"])


class Shop:
    """A caller that spends its access token."""

    def __init__(self, caller: Caller, token: str) -> None:
        self.caller = caller
        self._token = token

    async def call(self, path: str, document: object) -> Reply:
        reply = await self.caller.house("POST", f"{path}?access_token={self._token}", document)
        assert reply.status == 200
        return reply

    async def code(self, path: str, document: object) -> int:
        return int((await self.call(path, document)).json["errcode"])

    async def send(self, **changed: Any) -> int:
        return await self.code("/cgi-bin/message/subscribe/send", MESSAGE | changed)

    async def ship(self, **changed: Any) -> int:
        key = {"order_number_type": 1, "mchid": self.caller.names.mchid, "out_trade_no": "T00001"}
        asked = upload(order_key=key, payer={"openid": OPENID}, **changed)
        return await self.code("/wxa/sec/order/upload_shipping_info", asked)


@pytest.fixture
async def shop(caller: Caller, token: str) -> Shop:
    """With one template, which the buyer has accepted once."""
    await caller.house("PUT", "/_admin/templates", PAID_TEMPLATE)
    await caller.house("POST", "/_buyer/subscribe", {"openid": OPENID, "template_ids": ["paid"]})
    return Shop(caller, token)


async def test_a_token_is_given_for_two_hours_and_again(caller: Caller, token: str) -> None:
    again = await fetch_token(caller)
    assert (again.json["access_token"], again.json["expires_in"] in (7199, 7200)) == (token, True)


async def test_a_wrong_secret_gets_no_token(caller: Caller) -> None:
    reply = await fetch_token(caller, secret="x")
    assert (reply.status, reply.json["errcode"]) == (200, 40125)


async def test_a_forced_refresh_leaves_the_old_token_worthless(caller: Caller, shop: Shop) -> None:
    await fetch_token(caller, force_refresh=True)
    assert await shop.send() == 40001


@pytest.mark.parametrize(("query", "code"), [("", 41001), ("?access_token=x", 40001)])
async def test_a_call_needs_a_token(caller: Caller, query: str, code: int) -> None:
    reply = await caller.house("POST", f"/wxa/msg_sec_check{query}", {})
    assert (reply.status, reply.json["errcode"]) == (200, code)


async def test_a_body_that_is_no_object_is_told_so(shop: Shop) -> None:
    assert await shop.code("/wxa/msg_sec_check", ["x"]) == 47001


async def test_a_call_without_a_body_is_told_so(shop: Shop) -> None:
    reply = await shop.caller.house("POST", f"/wxa/msg_sec_check?access_token={shop._token}")
    assert reply.json["errcode"] == 44002


async def test_a_busy_weixin_says_so_and_does_nothing(shop: Shop) -> None:
    await shop.caller.house("PUT", "/_admin/faults", {"weixin_busy": 1})
    assert await shop.send() == -1
    await shop.caller.house("PUT", "/_admin/faults", {"weixin_busy": 0})
    assert await shop.send() == 0


async def log_in(caller: Caller) -> dict[str, Any]:
    code = (await caller.house("POST", "/_buyer/login", {"openid": OPENID})).json["code"]
    query = f"appid={caller.names.appid}&secret={caller.names.app_secret}&grant_type=authorization_code&js_code={code}"
    told: dict[str, Any] = (await caller.house("GET", f"/sns/jscode2session?{query}")).json
    return told


@pytest.mark.parametrize(("knobs", "code"), [({"weixin_busy": 1}, -1), ({"login_blocked": 1}, 40226)])
async def test_a_login_meets_bad_luck_too(caller: Caller, knobs: dict[str, object], code: int) -> None:
    await caller.house("PUT", "/_admin/faults", knobs)
    assert (await log_in(caller))["errcode"] == code
    await caller.house("PUT", "/_admin/faults", dict.fromkeys(knobs, 0))
    assert (await log_in(caller))["openid"] == OPENID


async def test_a_lost_answer_has_had_its_effect(shop: Shop) -> None:
    await shop.caller.house("PUT", "/_admin/faults", {"weixin_lost": 1})
    with pytest.raises(aiohttp.ClientError):
        await shop.send()
    await shop.caller.house("PUT", "/_admin/faults", {"weixin_lost": 0})
    assert len((await shop.caller.house("GET", "/_admin/messages")).json["sent"]) == 1
    assert await shop.send() == 43101


async def test_a_late_answer_is_the_same_answer(shop: Shop) -> None:
    await shop.caller.house("PUT", "/_admin/faults", {"weixin_delay_ms": [1, 2]})
    assert await shop.send() == 0


@pytest.mark.parametrize("path", ["/cgi-bin/stable_token", "/wxa/msg_sec_check"])
async def test_a_call_must_be_a_post(caller: Caller, path: str) -> None:
    assert (await caller.house("GET", path)).json["errcode"] == 43002


async def test_one_acceptance_is_one_message(shop: Shop) -> None:
    assert [await shop.send(), await shop.send()] == [0, 43101]
    shown = (await shop.caller.house("GET", "/_admin/messages")).json
    assert [(message["openid"], message["data"]["thing1"]["value"]) for message in shown["sent"]] == [
        (OPENID, "音乐节")
    ]
    assert shown["accepted"] == []


async def test_a_buyer_who_refuses_gets_no_message(shop: Shop) -> None:
    refused = {"openid": OTHER, "template_ids": ["paid"], "accept": False}
    told = (await shop.caller.house("POST", "/_buyer/subscribe", refused)).json
    assert told["paid"] == "reject"
    assert await shop.send(touser=OTHER) == 43101


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"touser": "x"}, 40003),
        ({"template_id": "unknown"}, 40037),
        ({"template_id": ["paid"]}, 40037),
        ({"page": "pages/order no"}, 41030),
        ({"miniprogram_state": "live"}, 40097),
        ({"lang": "de"}, 40097),
        ({"data": None}, 47003),
        ({"data": {"thing1": {"value": "音乐节"}, "amount2": {"value": "¥99.00"}}}, 47003),
        ({"data": MESSAGE["data"] | {"time3": {"value": "soon"}}}, 47003),  # type: ignore[operator]
        ({"data": MESSAGE["data"] | {"thing9": {"value": "x"}}}, 47003),  # type: ignore[operator]
    ],
)
async def test_a_wrong_message_is_refused_and_takes_no_acceptance(
    shop: Shop, changed: dict[str, Any], code: int
) -> None:
    assert [await shop.send(**changed), await shop.send()] == [code, 0]


async def test_an_unfitting_keyword_is_named(shop: Shop) -> None:
    data = MESSAGE["data"] | {"thing1": {"value": "票" * 21}}  # type: ignore[operator]
    reply = await shop.call("/cgi-bin/message/subscribe/send", MESSAGE | {"data": data})
    assert "data.thing1.value" in reply.json["errmsg"]


@pytest.mark.parametrize("document", [{}, {"x": []}, {"x": ["thing"]}, {"x": "thing1"}, {"x": [1]}])
async def test_a_template_that_makes_no_sense_is_refused(caller: Caller, document: object) -> None:
    assert (await caller.house("PUT", "/_admin/templates", document)).status == 400


@pytest.mark.parametrize(
    "document",
    [{}, {"openid": OPENID}, {"openid": OPENID, "template_ids": []}, {"openid": OPENID, "template_ids": ["unknown"]}],
)
async def test_a_buyer_can_accept_only_what_exists(caller: Caller, document: object) -> None:
    assert (await caller.house("POST", "/_buyer/subscribe", document)).status == 400


async def test_a_phone_number_is_told_once(shop: Shop) -> None:
    code = (await shop.caller.house("POST", "/_buyer/phone", {"openid": OPENID})).json["code"]
    path = "/wxa/business/getuserphonenumber"
    told = (await shop.call(path, {"code": code})).json
    assert told["phone_info"]["purePhoneNumber"].startswith("170")
    assert told["phone_info"]["watermark"]["appid"] == shop.caller.names.appid
    assert await shop.code(path, {"code": code}) == 40029


async def test_a_phone_number_is_not_told_to_another(shop: Shop) -> None:
    code = (await shop.caller.house("POST", "/_buyer/phone", {"openid": OPENID})).json["code"]
    assert await shop.code("/wxa/business/getuserphonenumber", {"code": code, "openid": OTHER}) == 40003


async def test_a_code_is_a_picture(shop: Shop) -> None:
    reply = await shop.call("/wxa/getwxacodeunlimit", {"scene": "s=1", "width": 300})
    assert reply.headers["Content-Type"] == "image/png"
    assert pixels(reply.body)[0] == 300


async def test_a_code_asked_for_wrongly_is_json(shop: Shop) -> None:
    assert await shop.code("/wxa/getwxacodeunlimit", {"scene": "%"}) == 40169


async def test_codes_are_rationed(shop: Shop) -> None:
    await shop.caller.house("PUT", "/_admin/faults", {"wxacode_quota_minute": 0})
    assert await shop.code("/wxa/getwxacodeunlimit", {"scene": "s=1"}) == 45009


async def test_a_link_is_made(shop: Shop) -> None:
    told = (await shop.call("/wxa/generate_urllink", {"path": "pages/sale", "query": "sale=spring"})).json
    assert told["url_link"].startswith("https://wxaurl.cn/")


@pytest.mark.parametrize(("content", "suggest"), [("你好", "pass"), ("这很可疑", "review"), ("违规内容", "risky")])
async def test_texts_are_judged(shop: Shop, content: str, suggest: str) -> None:
    asked = {"version": 2, "openid": OPENID, "scene": 2, "content": content}
    assert (await shop.call("/wxa/msg_sec_check", asked)).json["result"]["suggest"] == suggest


@pytest.mark.parametrize(
    ("changed", "code"),
    [({"scene": 5}, 40129), ({"version": 1}, 40129), ({"openid": "x"}, 40003), ({"content": ""}, 44004)],
)
async def test_a_wrong_question_about_a_text_has_its_code(shop: Shop, changed: dict[str, object], code: int) -> None:
    asked = {"version": 2, "openid": OPENID, "scene": 2, "content": "x"} | changed
    assert await shop.code("/wxa/msg_sec_check", asked) == code


async def test_shipping_lets_the_money_of_a_paid_order_go(shop: Shop) -> None:
    await shop.caller.order_and_pay()
    assert await shop.ship() == 0
    shown = (await shop.caller.house("GET", "/_admin/shipping")).json["orders"]
    assert [(order["out_trade_no"], order["settled_ms"] > 0) for order in shown] == [("T00001", True)]


async def test_shipping_takes_wechats_number_too(shop: Shop) -> None:
    transaction_id = await shop.caller.order_and_pay()
    key = {"order_number_type": 2, "transaction_id": transaction_id}
    asked = upload(order_key=key, payer={"openid": OPENID})
    assert await shop.code("/wxa/sec/order/upload_shipping_info", asked) == 0


async def test_an_unknown_an_unpaid_and_anothers_order_cannot_be_shipped(shop: Shop) -> None:
    unknown = await shop.ship()
    await shop.caller.order()
    unpaid = await shop.ship()
    await shop.caller.order_and_pay()
    key = {"order_number_type": 1, "mchid": shop.caller.names.mchid, "out_trade_no": "T00001"}
    asked = upload(order_key=key, payer={"openid": OTHER})
    anothers = await shop.code("/wxa/sec/order/upload_shipping_info", asked)
    assert [unknown, unpaid, anothers] == [10060001, 10060004, 10060031]


async def test_messages_and_shipping_survive_a_restart(home: Path) -> None:
    first = Simulator(home, luck=PROMPT)
    first.office.mini_program.messages.register("paid", PAID_TEMPLATE["paid"])
    for _ in range(2):
        first.office.mini_program.messages.accept(OPENID, "paid")
    assert isinstance(first.office.mini_program.messages.send(MESSAGE, now_ms=1), str)
    await first.stop()
    again = Simulator(home, luck=PROMPT)
    try:
        messages = again.office.mini_program.messages
        assert ([sent["sent_ms"] for sent in messages.sent()], messages.waiting()[0]["accepted"]) == ([1], 1)
    finally:
        await again.stop()
