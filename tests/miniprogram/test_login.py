"""wx.login's code for an openid."""

from __future__ import annotations

import traceback

import aiohttp
import pytest

from engine.infra.outage import ProviderAway
from engine.miniprogram.login import Login, LoginRefusal, LoginRefused
from tests.miniprogram.conftest import Reply, Script

SECRET = "made-for-tests"


@pytest.fixture
def login(session: aiohttp.ClientSession, script: Script) -> Login:
    return Login(session=session, login_url=script.url, appid="wx1", app_secret=SECRET, timeout_s=0.3)


async def test_a_good_code_is_an_openid(login: Login, script: Script) -> None:
    script.says(Reply(json={"openid": "oBuyer", "session_key": "k"}))
    assert await login.openid_of("0a1B&=/+") == "oBuyer"
    assert script.requests[0].path == (
        "/sns/jscode2session?appid=wx1&secret=made-for-tests&grant_type=authorization_code&js_code=0a1B%26%3D/%2B"
    )


@pytest.mark.parametrize(
    ("errcode", "refusal"),
    [
        (40029, LoginRefusal.CODE_INVALID),
        (40163, LoginRefusal.CODE_INVALID),
        (40226, LoginRefusal.BUYER_BLOCKED),
        (45011, LoginRefusal.TOO_OFTEN),
    ],
)
async def test_a_bad_code_or_buyer_is_refused(
    login: Login, script: Script, errcode: int, refusal: LoginRefusal
) -> None:
    script.says(Reply(json={"errcode": errcode, "errmsg": "invalid code, rid: 1"}))
    assert await login.openid_of("code") == LoginRefused(refusal)


@pytest.mark.parametrize("code", ["", "x" * 129, "a\nb", "票"], ids=repr)
async def test_a_code_of_another_shape_is_refused_without_a_request(login: Login, script: Script, code: str) -> None:
    assert await login.openid_of(code) == LoginRefused(LoginRefusal.CODE_INVALID)
    assert script.requests == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(drop=True),
        Reply(delay_s=2.0),
        Reply(500),
        Reply(302, headers={"Location": "/elsewhere"}),
        Reply(body=b"<html>"),
        Reply(body=b"{}"),
        Reply(json={"openid": 5}),
        Reply(json={"errcode": -1}),
        Reply(json={"errcode": 40013}),
        Reply(json={"errcode": "40029"}),
    ],
    ids=[
        "connection lost",
        "silence",
        "500",
        "redirect",
        "HTML",
        "empty object",
        "openid of another type",
        "busy",
        "our own appid is wrong",
        "errcode of another type",
    ],
)
async def test_anything_else_is_an_outage_that_never_shows_the_secret(
    login: Login, script: Script, reply: Reply
) -> None:
    script.says(reply)
    with pytest.raises(ProviderAway) as outage:
        await login.openid_of("code")
    assert SECRET not in "".join(traceback.format_exception(outage.value))
    assert len(script.requests) == 1  # a code is sent once only
