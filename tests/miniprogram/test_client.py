"""The mini program's calls against answers that the simulator cannot be made to give."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.infra.outage import ProviderAway
from engine.miniprogram.client import Message, MiniProgramApi, Phone, Shipment, Suggestion, image_type
from engine.miniprogram.errcodes import REFUSAL_BY_ERRCODE, Refusal, Refused, refused
from engine.miniprogram.wire import NotReached, Wire
from tests.miniprogram.conftest import Reply, Script

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
OPENID = "oBuyerWhoStaysUnnamed"
MESSAGE = Message(openid=OPENID, template_id="tpl-0000000001", page=None, fields={"thing1": "x"})
SHIPMENT = Shipment(
    transaction_id="4200", openid=OPENID, item_desc="Tickets", uploaded_at="2026-11-22T10:00:00.000+08:00"
)
PATHS = {
    "phone": "/wxa/business/getuserphonenumber",
    "send": "/cgi-bin/message/subscribe/send",
    "code": "/wxa/getwxacodeunlimit",
    "link": "/wxa/generate_urllink",
    "check": "/wxa/msg_sec_check",
    "ship": "/wxa/sec/order/upload_shipping_info",
}
Call = Callable[[MiniProgramApi], Awaitable[Any]]
CALLS: dict[str, Call] = {
    "phone": lambda api: api.phone_of("code", OPENID),
    "send": lambda api: api.send(MESSAGE),
    "code": lambda api: api.code_image(scene="spring", page="pages/sale/sale"),
    "link": lambda api: api.url_link(page="pages/sale/sale", query="sale=spring", days=30),
    "check": lambda api: api.check_text("Hello", openid=OPENID),
    "ship": lambda api: api.ship(SHIPMENT),
}
every_call = pytest.mark.parametrize("call", CALLS)


def refusal(errcode: int, errmsg: str = "no") -> Reply:
    return Reply(json={"errcode": errcode, "errmsg": errmsg})


async def test_a_phone_number_is_read_without_its_country_code(api: MiniProgramApi, script: Script) -> None:
    phone = {"phoneNumber": "+8613800000000", "purePhoneNumber": "13800000000", "countryCode": "86"}
    script.says(Reply(json={"errcode": 0, "errmsg": "ok", "phone_info": phone}))
    assert await api.phone_of("code", OPENID) == Phone("13800000000", "86")


async def test_a_phone_number_is_not_part_of_any_text() -> None:
    assert "13800000000" not in repr(Phone("13800000000", "86"))


async def test_a_code_image_comes_as_bytes(api: MiniProgramApi, script: Script) -> None:
    script.says(Reply(body=PNG))
    assert await api.code_image(scene="spring", page="pages/sale/sale") == PNG
    assert script.asked(PATHS["code"])[0].json == {
        "scene": "spring",
        "page": "pages/sale/sale",
        "check_path": True,
        "env_version": "release",
        "width": 430,
    }


async def test_a_link_is_asked_for_by_days(api: MiniProgramApi, script: Script) -> None:
    script.says(Reply(json={"errcode": 0, "url_link": "https://wxaurl.cn/abc"}))
    assert await api.url_link(page="pages/sale/sale", query="sale=spring", days=7) == "https://wxaurl.cn/abc"
    assert script.asked(PATHS["link"])[0].json == {
        "path": "pages/sale/sale",
        "query": "sale=spring",
        "expire_type": 1,
        "expire_interval": 7,
        "env_version": "release",
    }


@pytest.mark.parametrize("said", list(Suggestion))
async def test_wechats_opinion_of_a_text_is_one_of_three(api: MiniProgramApi, script: Script, said: Suggestion) -> None:
    script.says(Reply(json={"errcode": 0, "result": {"suggest": said.value, "label": 100}, "detail": []}))
    assert await api.check_text("Hello", openid=OPENID) is said


@every_call
@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
async def test_a_stale_token_is_replaced_and_the_call_made_again(
    api: MiniProgramApi, script: Script, call: str, errcode: int
) -> None:
    script.always(
        "/cgi-bin/stable_token",
        Reply(json={"access_token": "token-1", "expires_in": 7200}),
        Reply(json={"access_token": "token-2", "expires_in": 7200}),
    )
    script.always(PATHS[call], refusal(errcode), refusal(45011))
    found = await CALLS[call](api)
    assert found.refusal is Refusal.TOO_OFTEN
    tokens = [request.path.rpartition("=")[2] for request in script.asked(PATHS[call])]
    assert tokens == ["token-1", "token-2"]


@every_call
async def test_a_token_that_stays_stale_is_no_refusal_of_the_buyers(
    api: MiniProgramApi, script: Script, call: str
) -> None:
    script.always(PATHS[call], refusal(40001))
    with pytest.raises(NotReached):
        await CALLS[call](api)


@every_call
async def test_a_busy_wechat_did_nothing(api: MiniProgramApi, script: Script, call: str) -> None:
    script.says(refusal(-1))
    with pytest.raises(NotReached):
        await CALLS[call](api)


@every_call
@pytest.mark.parametrize(
    "reply",
    [
        Reply(drop=True),
        Reply(502, b"<html>"),
        Reply(302, headers={"Location": "/elsewhere"}),
        Reply(body=b""),
        Reply(body=b"<html>"),
        Reply(body=b"[0]"),
        Reply(body=b'{"errcode":'),
        Reply(json={}),
        Reply(json={"errcode": "0"}),
        Reply(json={"errcode": True}),
    ],
    ids=["lost", "502", "redirect", "empty", "HTML", "list", "cut", "nothing in it", "text", "boolean"],
)
async def test_an_unknown_outcome_is_an_outage_that_names_nobody(
    api: MiniProgramApi, script: Script, call: str, reply: Reply
) -> None:
    script.says(reply)
    with pytest.raises(ProviderAway) as outage:
        await CALLS[call](api)
    assert not isinstance(outage.value, NotReached)
    shown = "".join(traceback.format_exception(outage.value))
    assert not [secret for secret in (OPENID, "token-1", "made-for-tests") if secret in shown]
    assert len(script.asked(PATHS[call])) == 1


async def test_a_silent_wechat_is_waited_for_no_longer_than_the_timeout(api: MiniProgramApi, script: Script) -> None:
    script.says(Reply(delay_s=5.0))
    with pytest.raises(ProviderAway, match="TimeoutError"):
        await api.send(MESSAGE)


async def test_nobody_at_home_means_that_nothing_was_done(session: aiohttp.ClientSession) -> None:
    wire = Wire(session=session, url="http://127.0.0.1:1", timeout_s=1.0)
    with pytest.raises(NotReached):
        await wire.post("send", "/", {}, {})


async def test_an_endless_answer_is_cut_off(api: MiniProgramApi, script: Script) -> None:
    script.says(Reply(body=PNG + b"\0" * 5_000_000))
    with pytest.raises(ProviderAway, match="too long"):
        await CALLS["code"](api)


@pytest.mark.parametrize(("errcode", "meaning"), REFUSAL_BY_ERRCODE.items())
def test_each_errcode_has_one_meaning(errcode: int, meaning: Refusal) -> None:
    assert refused("subscribe_send", errcode, {}).refusal is meaning


def test_the_code_image_is_bounded_by_the_minute_under_the_code_of_a_day() -> None:
    assert refused("getwxacodeunlimit", 45009, {}) == Refused(Refusal.TOO_OFTEN, 45009)


@pytest.mark.parametrize(
    ("errmsg", "field"),
    [
        ("argument invalid! data.thing1.value invalid rid: 65", "thing1"),
        ("argument invalid! data.character_string12.value is empty", "character_string12"),
        ("argument invalid!", ""),
        (None, ""),
    ],
)
def test_a_refused_field_is_named(errmsg: Any, field: str) -> None:
    assert refused("subscribe_send", 47003, {"errmsg": errmsg}).field == field


def test_images_are_known_by_how_they_begin() -> None:
    assert [image_type(start) for start in (PNG, b"\xff\xd8\xff\xe0", b"GIF89a", b"")] == [
        "image/png",
        "image/jpeg",
        None,
        None,
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=200) | st.text(max_size=80).map(str.encode))
async def test_no_bytes_at_all_crash_the_client_or_pass_for_a_message_taken(
    api: MiniProgramApi, script: Script, body: bytes
) -> None:
    script.always(PATHS["send"], Reply(body=body))
    with pytest.raises(ProviderAway):
        await api.send(MESSAGE)
