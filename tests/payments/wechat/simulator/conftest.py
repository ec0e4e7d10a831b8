"""The simulator's own process with three merchants, and a shop that keeps whatever is notified."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from engine.config import Wechat
from engine.payments.port import Notice, NotificationRefused, PaymentProvider, Prepaid, PrepayRequest
from engine.payments.wechat.client import WeChatPay, from_config

MERCHANT_COUNT = 3
OPENID = "oTestBuyer_-0000000000000001"
STRANGER = "oTestBuyer_-0000000000000002"
PROMPT = {
    "callback_delay_ms": [0, 0],
    "callback_retry_scale": 0.001,
    "callback_signtest": 0.0,
    "refund_delay_ms": [0, 0],
    "answer_routes": [],
    "answer_limited": 0.0,
    "answer_error_after": 0.0,
    "answer_lost": 0.0,
    "answer_signtest": 0.0,
    "refund_abnormal": 0.0,
    "callback_public_key": 1.0,
    "callback_certificate_b": 0.0,
    "answers_signed_by": "public_key",
    "certificates_listed": "both",
    "limits_per_s": {},
    "changed_code": "INVALID_REQUEST",
    "paid_code": "ORDERPAID",
    "limited_code": "FREQUENCY_LIMITED",
    "business_refusals_signed": True,
}
# A merchant that has no public key of WeChat Pay yet.
CERTIFIED = {"answers_signed_by": "certificate_a", "callback_public_key": 0.0}


@dataclass(frozen=True)
class Simulator:
    """`merchants`: the names and key files of each, the first one first."""

    url: str
    merchants: list[dict[str, Any]]

    @property
    def names(self) -> dict[str, Any]:
        return self.merchants[0]


@pytest.fixture(scope="package")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    home = tmp_path_factory.mktemp("wechat")
    command = [sys.executable, "-u", "-m", "engine.simulator", "--port", "0", "--home", str(home)]
    command += ["--merchants", str(MERCHANT_COUNT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert "ready on http://" in line
            url = line.partition(" on ")[2].split()[0]
            homes = [home, *(home / "merchants" / f"{number}" for number in range(2, MERCHANT_COUNT + 1))]
            yield Simulator(url, [json.loads((each / "credentials.json").read_text()) for each in homes])
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


@dataclass
class Shop:
    """The two notify addresses: whatever comes is read, answered, and kept."""

    pay: WeChatPay | None = None
    url: str = ""
    arrived: asyncio.Queue[Notice | NotificationRefused] = field(default_factory=asyncio.Queue)

    async def notify(self, request: web.Request) -> web.Response:
        assert self.pay is not None
        try:
            notice = self.pay.read_notification(request.headers, await request.read(), time.time())
        except NotificationRefused as refused:
            self.arrived.put_nowait(refused)
            return web.json_response({"code": "FAIL", "message": refused.reason}, status=refused.status)
        self.arrived.put_nowait(notice)
        return web.Response(status=204)

    async def next(self) -> Notice | NotificationRefused:
        return await asyncio.wait_for(self.arrived.get(), 10)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    app = web.Application()
    app.router.add_post("/wechatpay/notify", shop.notify)
    app.router.add_post("/wechatpay/refund-notify", shop.notify)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    shop.url = f"http://127.0.0.1:{runner.addresses[0][1]}/wechatpay/notify"
    yield shop
    await runner.cleanup()


@pytest.fixture
def config(simulator: Simulator, shop: Shop) -> Wechat:
    names = {name: value for name, value in simulator.names.items() if name in Wechat.model_fields}
    return Wechat(**names, gateway_url=simulator.url, login_url=simulator.url, notify_url=shop.url, description="票")


@pytest.fixture
async def pay(
    config: Wechat, session: aiohttp.ClientSession, shop: Shop, simulator: Simulator
) -> AsyncIterator[WeChatPay]:
    pay = from_config(config, session)
    shop.pay = pay
    await set_faults(session, simulator)
    yield pay
    pay.close_signer()


async def set_faults(session: aiohttp.ClientSession, simulator: Simulator, **faults: object) -> None:
    async with session.put(f"{simulator.url}/_admin/faults", json=PROMPT | faults) as response:
        assert response.status < 300, await response.text()


async def tap_pay(
    session: aiohttp.ClientSession,
    simulator: Simulator,
    pay: PaymentProvider,
    prepaid: object,
    *,
    mchid: str | None = None,
    **changed: str,
) -> str:
    """What the buyer's phone shows after wx.requestPayment; the order is the first merchant's if none is named."""
    assert isinstance(prepaid, Prepaid)
    signed = await pay.client_parameters(prepaid.prepay_id, mchid or simulator.names["mchid"])
    parameters = {"openid": OPENID, **signed, **changed}
    async with session.post(f"{simulator.url}/_buyer/pay", json=parameters) as response:
        return str((await response.json())["result"])


@pytest.fixture
def order(simulator: Simulator) -> PrepayRequest:
    return PrepayRequest(
        order_no=f"FG{secrets.token_hex(15)}",
        mchid=simulator.names["mchid"],
        description="周五演唱会",
        total_fen=68000,
        openid=OPENID,
        expires_at=datetime.now(UTC) + timedelta(minutes=10),
    )
