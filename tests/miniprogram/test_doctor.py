"""The doctor asks WeChat whether it knows the mini program, and names what the money depends on."""

from __future__ import annotations

import pytest

from engine.cli.doctor_miniprogram import check_miniprogram
from engine.cli.findings import Finding, Verdict
from engine.config import load_config
from tests.config.test_config import NEEDED
from tests.miniprogram.conftest import Reply, Script


async def examined(url: str, **settings: str) -> tuple[Finding, ...]:
    given = {f"FLOODGATE_{name.upper()}": text for name, text in settings.items()}
    return await check_miniprogram(load_config(None, {**NEEDED, "FLOODGATE_WECHAT_LOGIN_URL": url, **given}))


@pytest.mark.parametrize(
    ("reply", "verdict", "advice"),
    [
        (Reply(json={"access_token": "t", "expires_in": 7200}), Verdict.OK, "is known"),
        (Reply(json={"errcode": 40125, "errmsg": "x"}), Verdict.FAIL, "wechat.app_secret is wrong"),
        (Reply(json={"errcode": 40164, "errmsg": "x"}), Verdict.FAIL, "IP list"),
        (Reply(json={"errcode": -1, "errmsg": "busy"}), Verdict.WARNING, "errcode -1"),
        (Reply(body=b"<html>"), Verdict.WARNING, "not WeChat's"),
        (Reply(drop=True), Verdict.WARNING, "needs a way out"),
    ],
    ids=["known", "secret", "address", "busy", "HTML", "lost"],
)
async def test_what_wechat_says_to_the_secret_is_told_with_advice(
    script: Script, reply: Reply, verdict: Verdict, advice: str
) -> None:
    script.says(reply)
    known, _ = await examined(script.url)
    assert known.verdict is verdict
    assert advice in known.text
    assert NEEDED["FLOODGATE_WECHAT_APP_SECRET"] not in known.text


async def test_asking_renews_no_token_by_force(script: Script) -> None:
    script.says(Reply(json={"access_token": "t", "expires_in": 7200}))
    await examined(script.url)
    assert script.requests[0].json["force_refresh"] is False


@pytest.mark.parametrize(("shipping", "verdict"), [("true", Verdict.OK), ("false", Verdict.WARNING)])
async def test_deliveries_that_are_not_reported_are_a_warning(shipping: str, verdict: Verdict) -> None:
    _, deliveries = await examined("http://127.0.0.1:1", miniprogram_shipping=shipping)
    assert deliveries.verdict is verdict
