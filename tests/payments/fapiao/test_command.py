"""`floodgate fapiao` as people run it, against WeChat Pay on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from tests.payments.fapiao.tax_office import TaxOffice
from tests.payments.wechat import platform
from tests.payments.wechat.platform import KEYS

ROOT = Path(__file__).resolve().parents[3]
Ended = tuple[int, str, str]


@pytest.fixture
def settings(office: TaxOffice) -> dict[str, str]:
    keys = {
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "POSTGRES_URL": "postgresql://nobody@127.0.0.1:1/none",
        "ADMIN_KEY": "k" * 32,
        "SEALS_KEYS": json.dumps({"0": "s" * 32}),
        "PRIVACY_DIGEST_KEY": "d" * 32,
        "PRIVACY_OPENID_KEY": "0" * 64,
        "WECHAT_APPID": platform.APPID,
        "WECHAT_APP_SECRET": "secret",
        "WECHAT_MCHID": platform.MCHID,
        "WECHAT_API_V3_KEY": platform.API_V3_KEY,
        "WECHAT_CERTIFICATE_SERIAL": platform.MERCHANT_SERIAL,
        "WECHAT_PRIVATE_KEY_FILE": str(KEYS / "merchant_private.pem"),
        "WECHAT_PUBLIC_KEY_ID": platform.SERIAL,
        "WECHAT_PUBLIC_KEY_FILE": str(KEYS / "platform_public.pem"),
        "WECHAT_NOTIFY_URL": "https://shop.example.com/wechatpay/notify",
        "WECHAT_GATEWAY_URL": office.url,
    }
    return {f"FLOODGATE_{key}": value for key, value in keys.items()}


async def run(settings: dict[str, str], *words: str) -> Ended:
    """A process of its own; the server it asks runs in this one."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "engine.cli",
        "fapiao",
        *words,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "COLUMNS": "200", **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, complained = await process.communicate()
    assert process.returncode is not None
    return process.returncode, told.decode(), complained.decode()


async def test_setup_tells_wechat_where_to_call_back_and_makes_the_card(
    settings: dict[str, str], office: TaxOffice
) -> None:
    code, told, complained = await run(
        settings, "setup", "--payee", "测试公司", "--logo-url", "https://shop.example.com/l.png"
    )
    assert (code, complained) == (0, "")
    assert "pIJMr5MMiAO_card" in told
    assert office.configuration["callback_url"] == "https://shop.example.com/wechatpay/notify"
    assert office.configuration["card"]["card_template_information"]["payee_name"] == "测试公司"


async def test_show_lists_seller_and_tax_codes(settings: dict[str, str]) -> None:
    code, told, _ = await run(settings, "show")
    assert code == 0
    assert "测试公司" in told
    assert "3070301000000000000" in told


async def test_a_product_that_is_not_open_is_a_sentence_that_says_what_to_do(
    settings: dict[str, str], office: TaxOffice
) -> None:
    office.refuse["/development-config"] = (403, "NO_AUTH")
    code, told, complained = await run(settings, "setup")
    assert (code, told) == (2, "")
    assert "Open the e-fapiao product" in complained


async def test_half_a_card_is_refused_before_anything_is_sent(settings: dict[str, str], office: TaxOffice) -> None:
    code, _, complained = await run(settings, "setup", "--payee", "测试公司")
    assert code == 2
    assert "--logo-url" in complained
    assert office.calls == []
