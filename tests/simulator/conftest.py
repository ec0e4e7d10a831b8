"""A running simulator, a merchant that signs by hand, an independent client, and a place to be called back at."""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from wechatpayv3 import WeChatPay, WeChatPayType

from engine.simulator.keys import credentials, crypto, keyring
from engine.simulator.keys.credentials import Credentials
from engine.simulator.luck.faults import Faults
from engine.simulator.processes.server import Simulator

OPENID = "o" + "Aa1_-zZ9" * 3 + "xyz"
PROMPT = Faults(callback_delay_ms=(0, 0), callback_retry_scale=0.001, refund_delay_ms=(0, 0), refund_spacing_ms=0)


@pytest.fixture(scope="session")
def made_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("merchant")
    keyring.ensure(home, merchants=2)
    return home


@pytest.fixture
def home(made_home: Path, tmp_path: Path) -> Path:
    """A home of its own with the run's keys, since making keys is slow."""
    return Path(shutil.copytree(made_home, tmp_path / "home"))


@pytest.fixture
def names(home: Path) -> Credentials:
    return credentials.ensure(home)


@dataclass(slots=True)
class Receiver:
    """The merchant's notify_url: keeps what came, waits the next of `waits_s`, answers the next of `answers` or 204."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        async with self._arrived:
            self.got.append((dict(request.headers), body))
            self._arrived.notify_all()
        if self.waits_s:
            await asyncio.sleep(self.waits_s.pop(0))
        return web.Response(status=self.answers.pop(0) if self.answers else 204)

    async def wait(self, count: int) -> list[tuple[dict[str, str], bytes]]:
        async with asyncio.timeout(10), self._arrived:
            await self._arrived.wait_for(lambda: len(self.got) >= count)
        return self.got


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    kept = Receiver()
    app = web.Application()
    app.router.add_post("/notify", kept.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    kept.url = f"http://127.0.0.1:{runner.addresses[0][1]}/notify"
    yield kept
    await runner.cleanup()


@pytest.fixture
async def running(home: Path) -> AsyncIterator[Simulator]:
    simulator = Simulator(home, luck=PROMPT)
    await simulator.start()
    yield simulator
    await simulator.stop()


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Caller:
    """A merchant that signs by hand, so that a test can get every part wrong."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        names: Credentials,
        port: int,
        notify_url: str,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.names = names
        self.url = f"http://127.0.0.1:{port}"
        self.notify_url = notify_url
        self.key = credentials.private_key(self.names.private_key_file)
        self._session = session
        self._now_s = now_s

    def signed(self, method: str, target: str, body: bytes) -> str:
        timestamp, nonce = str(int(self._now_s())), "N" * 32
        message = crypto.request_message(method=method, target=target, timestamp=timestamp, nonce=nonce, body=body)
        return (
            f'WECHATPAY2-SHA256-RSA2048 mchid="{self.names.mchid}",nonce_str="{nonce}",'
            f'signature="{crypto.sign(self.key, message)}",timestamp="{timestamp}",'
            f'serial_no="{self.names.certificate_serial}"'
        )

    async def send(self, method: str, target: str, document: object = None, **headers: str | None) -> Reply:
        """`headers` replace the usual ones; None leaves one out."""
        body = b"" if document is None else json.dumps(document).encode()
        sent: dict[str, str | None] = {
            "Accept": "application/json",
            "User-Agent": "test",
            "Content-Type": "application/json",
            "Authorization": self.signed(method, target, body),
        }
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.request(
            method,
            self.url + target,
            data=body,
            headers={name: value for name, value in sent.items() if value is not None},
            skip_auto_headers=("User-Agent", "Accept"),
        ) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    def terms(self, out_trade_no: str = "T00001", **changed: object) -> dict[str, object]:
        """A right order request; a field changed to None is left out."""
        document: dict[str, object] = {
            "appid": self.names.appid,
            "mchid": self.names.mchid,
            "description": "票",
            "out_trade_no": out_trade_no,
            "notify_url": self.notify_url,
            "amount": {"total": 100, "currency": "CNY"},
            "payer": {"openid": OPENID},
        }
        return {name: value for name, value in (document | changed).items() if value is not None}

    async def order(self, out_trade_no: str = "T00001", **changed: object) -> Reply:
        return await self.send("POST", "/v3/pay/transactions/jsapi", self.terms(out_trade_no, **changed))

    async def query(self, out_trade_no: str = "T00001") -> Reply:
        return await self.send("GET", f"/v3/pay/transactions/out-trade-no/{out_trade_no}?mchid={self.names.mchid}")

    async def close(self, out_trade_no: str = "T00001") -> Reply:
        target = f"/v3/pay/transactions/out-trade-no/{out_trade_no}/close"
        return await self.send("POST", target, {"mchid": self.names.mchid})

    async def refund(self, out_refund_no: str = "R1", *, refund_fen: int = 100) -> Reply:
        document = {
            "out_trade_no": "T00001",
            "out_refund_no": out_refund_no,
            "notify_url": self.notify_url,
            "amount": {"refund": refund_fen, "total": 100, "currency": "CNY"},
        }
        return await self.send("POST", "/v3/refund/domestic/refunds", document)

    async def house(self, method: str, path: str, document: object = None) -> Reply:
        """A call of the buyer's phone or of the person who runs a drill."""
        async with self._session.request(method, self.url + path, json=document) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    def payment(self, prepay_id: str, *, openid: str = OPENID) -> dict[str, object]:
        """The parameters of wx.requestPayment, signed as a merchant does, and who taps."""
        timestamp, package = str(int(self._now_s())), f"prepay_id={prepay_id}"
        message = crypto.payment_message(appid=self.names.appid, timestamp=timestamp, nonce="n1", package=package)
        return {
            "openid": openid,
            "timeStamp": timestamp,
            "nonceStr": "n1",
            "package": package,
            "signType": "RSA",
            "paySign": crypto.sign(self.key, message),
        }

    async def order_and_pay(self, out_trade_no: str = "T00001") -> str:
        """The transaction_id of an order placed and paid."""
        prepay_id = (await self.order(out_trade_no)).json["prepay_id"]
        told = await self.house("POST", "/_buyer/pay", self.payment(prepay_id))
        assert told.json["result"] == "ok"
        return str(told.json["transaction_id"])


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def caller(session: aiohttp.ClientSession, running: Simulator, receiver: Receiver) -> Caller:
    return Caller(session, running.credentials, running.port, receiver.url)


@pytest.fixture
def peer(running: Simulator, receiver: Receiver) -> WeChatPay:
    """The independent client; only the address it talks to is changed."""
    names = running.credentials
    client = WeChatPay(
        wechatpay_type=WeChatPayType.MINIPROG,
        mchid=names.mchid,
        private_key=names.private_key_file.read_text(),
        cert_serial_no=names.certificate_serial,
        appid=names.appid,
        apiv3_key=names.api_v3_key,
        notify_url=receiver.url,
        public_key=names.public_key_file.read_text(),
        public_key_id=names.public_key_id,
        timeout=10,
    )
    client._core._gate_way = f"http://127.0.0.1:{running.port}"
    return client
