"""One merchant with the fixed test keys, and a WeChat Pay on loopback that answers from a script."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from engine.payments.wechat.account import Account, Credentials, Shared
from engine.payments.wechat.client import WeChatPay
from engine.payments.wechat.keys import MerchantKey, VerifyingKeys
from engine.payments.wechat.quotas import Budget, Quotas
from engine.payments.wechat.signer import Signer
from engine.payments.wechat.transport import Domains, Transport, open_session
from tests.payments.wechat import platform
from tests.payments.wechat.platform import KEYS, Pairs


@pytest.fixture(scope="session")
def merchant_key() -> MerchantKey:
    return MerchantKey.load(platform.MERCHANT_SERIAL, KEYS / "merchant_private.pem")


@pytest.fixture(scope="session")
def keys() -> VerifyingKeys:
    return VerifyingKeys.load(
        {
            platform.SERIAL: KEYS / "platform_public.pem",
            platform.NEXT_SERIAL: KEYS / "next_platform_public.pem",
        }
    )


@dataclass
class Request:
    method: str
    path: str
    headers: Pairs
    body: bytes

    def header(self, name: str) -> str:
        (value,) = (value for have, value in self.headers if have.lower() == name.lower())
        return value


@dataclass
class Reply:
    """headers=None signs the body as WeChat Pay would; `drop` ends the connection instead of answering."""

    status: int = 200
    body: bytes = b""
    headers: Pairs | None = None
    delay_s: float = 0.0
    drop: bool = False


@dataclass
class Script:
    """The replies to give in order, and the requests that came."""

    url: str = ""
    replies: list[Reply] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def says(self, *replies: Reply) -> None:
        self.replies.extend(replies)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = [(str(name), value) for name, value in request.headers.items()]
        self.requests.append(Request(request.method, request.raw_path, headers, body))
        reply = self.replies.pop(0)
        await asyncio.sleep(reply.delay_s)
        if reply.drop:
            assert request.transport is not None
            request.transport.close()
        sent = platform.signed(reply.body) if reply.headers is None else reply.headers
        return web.Response(status=reply.status, body=reply.body or None, headers=sent)


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    script = Script()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", script.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    script.url = f"http://{host}:{port}"
    yield script
    await runner.cleanup()
    assert script.replies == []  # what was scripted was asked for


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as session:
        yield session


@dataclass
class Shop:
    """What a test changes about the one merchant; `others` are further accounts."""

    urls: tuple[str, ...]
    timeout_s: float = 2.0
    now_s: float = platform.NOW_S
    keys: VerifyingKeys | None = None
    public_key_id: str | None = platform.SERIAL
    certificates: bool = False
    takes_orders: bool = True
    others: tuple[Credentials, ...] = ()
    per_s: float = 10_000.0
    order_per_s: float = 10_000.0


MakePay = Callable[..., WeChatPay]


@pytest.fixture
def make_pay(session: aiohttp.ClientSession, merchant_key: MerchantKey, keys: VerifyingKeys) -> Iterator[MakePay]:
    made: list[WeChatPay] = []

    def make(*urls: str, **changed: Any) -> WeChatPay:
        shop = Shop(urls, **changed)
        nonces = itertools.count(1)
        shared = Shared(
            appid=platform.APPID,
            notify_url="https://shop.example.com/wechatpay/notify",
            refund_notify_url="https://shop.example.com/wechatpay/refund-notify",
            transport=Transport(session, Domains(shop.urls)),
            signer=Signer(thread_count=1),
            quotas=Quotas(
                None,
                per_s=dict.fromkeys(Budget, shop.per_s) | {Budget.ORDER: shop.order_per_s},
                share_alone=1.0,
            ),
            timeout_s=shop.timeout_s,
            certificates_every_s=3600.0,
            now_s=lambda: shop.now_s,
            nonce=lambda: f"nonce{next(nonces):027}",
            jitter=lambda: 0.0,
        )
        first = Credentials(
            mchid=platform.MCHID,
            api_v3_key=platform.API_V3_KEY.encode(),
            key=merchant_key,
            keys=keys if shop.keys is None else shop.keys,
            public_key_id=shop.public_key_id,
            certificates=shop.certificates,
            takes_orders=shop.takes_orders,
        )
        pay = WeChatPay([Account(each, shared) for each in (first, *shop.others)], shared)
        made.append(pay)
        return pay

    yield make
    for pay in made:
        pay.close_signer()


@pytest.fixture
def pay(make_pay: MakePay, script: Script) -> WeChatPay:
    return make_pay(script.url)
