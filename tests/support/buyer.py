"""Buyers of a test: one HTTP request per call, the answer as it came, nothing repeated behind the test's back."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson
from yarl import URL

ANSWER_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.raw)

    @property
    def code(self) -> str:
        """The code of a problem document; empty when this is none."""
        if self.headers.get("Content-Type", "").startswith("application/problem+json"):
            return str(self.json["code"])
        return ""


class Crowd:
    """The connections that all buyers of a test share. `fresh` opens one for every request instead."""

    def __init__(self, public_url: str, simulator_url: str, *, fresh: bool = False) -> None:
        self.public_url = public_url
        self.simulator_url = simulator_url
        self._fresh = fresh
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=self._fresh),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S),
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def ask(
        self,
        method: str,
        url: str,
        *,
        body: Any = None,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request to a path of the public listener, or to a whole address. Raises aiohttp.ClientError."""
        assert self._session is not None
        content = raw if raw is not None else None if body is None else orjson.dumps(body)
        whole = url if url.startswith("http") else self.public_url + url
        async with self._session.request(
            method, URL(whole, encoded=True), data=content, headers=headers, allow_redirects=False
        ) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    def buyer(self, openid: str | None = None) -> "Buyer":
        """A buyer who is not logged in yet."""
        return Buyer(self, openid or new_openid())

    async def ready_buyer(self, sale_id: str) -> "Buyer":
        """A new buyer with a pass for this sale."""
        buyer = self.buyer()
        await buyer.login()
        await buyer.take_pass(sale_id)
        return buyer


class Buyer:
    """One person with one phone: their seal, places and passes."""

    def __init__(self, crowd: Crowd, openid: str) -> None:
        self.crowd = crowd
        self.openid = openid
        self.seal = ""
        self.places: dict[str, str] = {}
        self.passes: dict[str, str] = {}
        self._spent_with: dict[str, str] = {}

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request under this buyer's seal; `headers` win over it."""
        ours = {"Authorization": f"Bearer {self.seal}"} if self.seal else {}
        return await self.crowd.ask(method, path, body=body, raw=raw, headers={**ours, **(headers or {})})

    async def login(self) -> str:
        """wx.login and POST /v1/login; the seal."""
        answer = await self.crowd.ask("POST", "/v1/login", body={"code": await self.login_code()})
        assert answer.status == 200, answer
        self.seal = answer.json["seal"]
        return self.seal

    async def login_code(self) -> str:
        """What wx.login gives."""
        wechat = await self.crowd.ask("POST", f"{self.crowd.simulator_url}/_buyer/login", body={"openid": self.openid})
        assert wechat.status == 200, wechat
        return str(wechat.json["code"])

    async def join(self, sale_id: str) -> str:
        """Stand in the line, after the draw if it is just being made; the sealed place."""
        while True:
            answer = await self.ask("POST", f"/v1/sales/{sale_id}/places")
            if answer.code != "DRAWING":
                break
            await asyncio.sleep(answer.json["retry_after_ms"] / 1000)
        assert answer.status == 201, answer
        self.places[sale_id] = answer.json["place"]
        return self.places[sale_id]

    async def take_pass(self, sale_id: str, *, patience_s: float = 15.0) -> str:
        """Join when needed and ask until it is our turn; the sealed pass. AssertionError on any other refusal."""
        taken = await self.pass_unless_sold_out(sale_id, patience_s=patience_s)
        assert taken is not None, "sold out"
        return taken

    async def pass_unless_sold_out(self, sale_id: str, *, patience_s: float = 15.0) -> str | None:
        """The same, or None when the sale is sold out for good before it is our turn."""
        if sale_id not in self.places:
            await self.join(sale_id)
        path, headers = f"/v1/sales/{sale_id}/pass", {"Floodgate-Place": self.places[sale_id]}
        until_s = clock_s() + patience_s
        while True:
            answer = await self.ask("POST", path, headers=headers)
            if answer.status == 200:
                self.passes[sale_id] = answer.json["pass"]
                return self.passes[sale_id]
            if answer.code == "SOLD_OUT":
                return None
            assert answer.code in (
                "NOT_YOUR_TURN",
                "NOT_OPEN",
                "NO_ROOM",
                "TOO_OFTEN",
                "UNAVAILABLE",
                "FENCED",
            ), answer
            assert clock_s() < until_s, answer
            await asyncio.sleep(0.15)  # a place near the head: sooner than told, and below what is too often

    async def order(self, sale_id: str, items: Mapping[str, int], *, key: str | None = None) -> Answer:
        """POST /v1/sales/{sale}/orders; a fresh Idempotency-Key unless one is given."""
        body = {"items": [{"sku": sku, "quantity": quantity} for sku, quantity in items.items()]}
        return await self.order_raw(sale_id, orjson.dumps(body), key=key)

    async def order_raw(self, sale_id: str, raw: bytes, *, key: str | None = None) -> Answer:
        """The same with any body. Another order than the one that took our pass needs a pass of its own."""
        key = key or secrets.token_hex(8)
        spent_with = self._spent_with.get(self.passes.get(sale_id, ""))
        if spent_with is not None and spent_with != key:
            await self.take_pass(sale_id)
        shown = self.passes.get(sale_id, "")
        headers = {"Floodgate-Pass": shown, "Idempotency-Key": key}
        answer = await self.ask("POST", f"/v1/sales/{sale_id}/orders", raw=raw, headers=headers)
        if answer.status == 201:
            self._spent_with[shown] = key
        return answer

    async def start_payment(self, order_no: str) -> Answer:
        """POST /v1/orders/{no}/payment: the parameters of wx.requestPayment."""
        return await self.ask("POST", f"/v1/orders/{order_no}/payment")

    async def tap_pay(self, parameters: Mapping[str, str], *, behaviour: str = "pay") -> Answer:
        """wx.requestPayment: what WeChat's app answers; see the simulator's behaviours."""
        body = {"openid": self.openid, **parameters, "behaviour": behaviour}
        return await self.crowd.ask("POST", f"{self.crowd.simulator_url}/_buyer/pay", body=body)

    async def pay(self, order_no: str) -> None:
        """Start the payment and pay; what the engine makes of it is for the test to await."""
        started = await self.start_payment(order_no)
        assert started.status == 200, started
        paid = await self.tap_pay(started.json)
        assert paid.status == 200, paid
        assert paid.json["result"] == "ok", paid

    async def order_state(self, order_no: str) -> str:
        """The state of one of this buyer's orders."""
        answer = await self.ask("GET", f"/v1/orders/{order_no}")
        assert answer.status == 200, answer
        return str(answer.json["state"])

    async def wait_for_state(self, order_no: str, state: str, *, patience_s: float = 15.0) -> None:
        """Ask until the order is in this state."""
        until_s = clock_s() + patience_s
        while (found := await self.order_state(order_no)) != state:
            assert clock_s() < until_s, f"{order_no} is {found}, not {state}"
            await asyncio.sleep(0.05)


def clock_s() -> float:
    return asyncio.get_running_loop().time()


def new_openid() -> str:
    """An openid as WeChat makes them: 28 characters."""
    return "o" + secrets.token_urlsafe(21)[:27]
