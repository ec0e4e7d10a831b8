"""The mini program's side of the HTTP API: what a phone sends. What comes back is read in `answers.py`.

Refusals are values with a code; an outage raises. Every write carries what makes its repetition harmless (the
Idempotency-Key of an order, the place of a join), because the wire repeats it after a 503, a timeout or a broken
connection.

It refuses to decide anything: who buys what and when is the caller's business. Scenarios of any load generator
can stand on it.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Self
from zlib import crc32

import orjson
from yarl import URL

from loadtest.crowd.answers import Order, Refusal, Wallet, order_from, refusal_from, wallet_from
from loadtest.crowd.line import Pass, Place, place_from
from loadtest.wires.port import Body, Reply, Signal, T, Wire

LOGIN_ATTEMPTS = 10
CARRIER_ADDRESSES = 512


@dataclass(frozen=True, slots=True)
class Shop:
    """The addresses of one sale, parsed once for all phones."""

    login: URL
    sale: URL
    line: URL
    places: URL
    my_place: URL
    draw: URL
    proof: URL
    passes: URL
    orders: URL
    order: URL
    wallet_login: URL
    wallet_pay: URL
    wallet_pay_regardless: URL

    @classmethod
    def at(cls, *, public_url: str, wechat_url: str, sale: str) -> Self:
        engine, wechat = URL(public_url), URL(wechat_url)
        here = engine / "v1/sales" / sale
        return cls(
            login=engine / "v1/login",
            sale=here,
            line=here / "line",
            places=here / "places",
            my_place=here / "places/me",
            draw=here / "draw",
            proof=here / "draw/proof",
            passes=here / "pass",
            orders=here / "orders",
            order=engine / "v1/orders",
            wallet_login=wechat / "_buyer/login",
            wallet_pay=wechat / "_buyer/pay",
            wallet_pay_regardless=wechat / "_admin/pay",
        )


class Phone:
    """One buyer's mini program: an openid at WeChat, a seal at the engine, and the calls it makes."""

    __slots__ = ("_address", "_due_s", "_headers", "_prefix", "_shop", "_wire", "openid", "seal")

    def __init__(
        self,
        wire: Wire,
        shop: Shop,
        *,
        openid: str,
        seal: str | None = None,
        address: str | None = None,
        prefix: str = "",
    ) -> None:
        """`seal` is what the engine gave this openid before, on another phone's wire. `address` is where the balancer
        saw it, a carrier's if not given. `prefix` stands before the kinds of its requests."""
        self._wire = wire
        self._shop = shop
        self._headers: dict[str, str] = {}
        self._due_s: float | None = None
        self._address = address or address_of(openid)
        self._prefix = prefix
        self.openid = openid
        self.seal = seal
        if seal is not None:
            self._show(seal)

    @property
    def is_logged_in(self) -> bool:
        return bool(self._headers)

    # Time, as its owner feels it.

    def now(self) -> float:
        """Seconds of the wire's clock."""
        return self._wire.now()

    async def rest(self, seconds: float, *, unless: Signal | None = None) -> None:
        """Wait; the next request is due when the wait is over, however late this process notices."""
        due_s = self._wire.now() + seconds
        await self._wire.sleep(seconds, unless=unless)
        self._due_s = due_s

    async def until(self, moment_s: float) -> None:
        """Wait for a moment of the clock, not at all when it is over; the next request is due then."""
        await self._wire.sleep(max(0.0, moment_s - self._wire.now()))
        self._due_s = moment_s

    async def together(self, *works: Coroutine[Any, Any, T]) -> list[T]:
        """What one finger does twice at once."""
        return await self._wire.together(*works)

    async def _ask(
        self, kind: str, method: str, url: URL, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        due_s, self._due_s = self._due_s, None
        return await self._wire.ask(self._prefix + kind, method, url, headers=headers, body=body, due_s=due_s)

    # What a phone asks.

    async def login(self) -> Refusal | None:
        """`wx.login`, then the engine's login. A code works once, and an outage may use it up: then a new one."""
        refusal: Refusal | None = None
        for _ in range(LOGIN_ATTEMPTS):
            code = await self._ask(
                "wallet_login", "POST", self._shop.wallet_login, body=orjson.dumps({"openid": self.openid})
            )
            reply = await self._ask(
                "login", "POST", self._shop.login, body=orjson.dumps({"code": code.body.get("code", "")})
            )
            if reply.status == 200:
                self._show(reply.body["seal"])
                return None
            refusal = refusal_from(reply)
        return refusal

    def _show(self, seal: str) -> None:
        self.seal = seal
        self._headers = {"Authorization": f"Bearer {seal}", "X-Forwarded-For": self._address}

    async def line(self) -> Body | Refusal:
        """The shared document, from the engine itself."""
        reply = await self._ask("line", "GET", self._shop.line)
        return reply.body if reply.status == 200 else refusal_from(reply)

    async def join(self, *, lane: str | None = None, shown: str | None = None) -> Place | Refusal:
        """Stand in the line, or get the same place again; `shown` is the seal of one that was given before. No lane is
        the one that is open to everyone."""
        asked = {"lane": lane, "place": shown}
        body = orjson.dumps({name: value for name, value in asked.items() if value is not None})
        reply = await self._ask("join", "POST", self._shop.places, headers=self._headers, body=body)
        return place_from(reply.body) if reply.status in (200, 201) else refusal_from(reply)

    async def where(self, place: Place) -> Place | Refusal:
        """The same place with what is known of it now: the position, once the draw is made."""
        reply = await self._ask(
            "where", "GET", self._shop.my_place, headers={**self._headers, "Floodgate-Place": place.seal}
        )
        return place_from(reply.body) if reply.status == 200 else refusal_from(reply)

    async def proof(self, place: Place) -> Body | Refusal:
        """What shows that this place took part in the draw."""
        reply = await self._ask(
            "proof", "GET", self._shop.proof, headers={**self._headers, "Floodgate-Place": place.seal}
        )
        return reply.body if reply.status == 200 else refusal_from(reply)

    async def claim(self, place: Place) -> Pass | Refusal:
        reply = await self._ask(
            "pass", "POST", self._shop.passes, headers={**self._headers, "Floodgate-Place": place.seal}
        )
        if reply.status != 200:
            return refusal_from(reply)
        return Pass(reply.body["pass"], reply.body["ends_ms"])

    async def order(self, admission: Pass, *, key: str, items: object) -> Order | Refusal:
        """Order under an Idempotency-Key; `items` goes out as it is, so that nonsense can be sent too."""
        reply = await self._ask(
            "order",
            "POST",
            self._shop.orders,
            headers={**self._headers, "Floodgate-Pass": admission.seal, "Idempotency-Key": key},
            body=orjson.dumps({"items": items}),
        )
        return order_from(reply.body) if reply.status in (200, 201) else refusal_from(reply)

    async def payment(self, order_no: str) -> Body | Refusal:
        """The parameters for `wx.requestPayment`."""
        reply = await self._ask("payment", "POST", self._shop.order / order_no / "payment", headers=self._headers)
        return reply.body if reply.status == 200 else refusal_from(reply)

    async def pay(self, parameters: Body, *, behaviour: str = "pay") -> Wallet:
        """`wx.requestPayment`. After an Outage nobody here knows whether WeChat took the money.

        `behaviour` is what the owner does in the cashier, in the simulator's words.
        """
        reply = await self._ask(
            "wallet_pay",
            "POST",
            self._shop.wallet_pay,
            body=orjson.dumps({"openid": self.openid, **parameters, "behaviour": behaviour}),
        )
        return wallet_from(reply)

    async def pay_regardless(self, order_no: str) -> Wallet:
        """The anomaly that WeChat's state machine rules out and a drill needs: money for a closed order."""
        reply = await self._ask(
            "wallet_pay",
            "POST",
            self._shop.wallet_pay_regardless,
            body=orjson.dumps({"out_trade_no": order_no}),
        )
        return wallet_from(reply)

    async def read(self, order_no: str) -> Order | Refusal:
        reply = await self._ask("read", "GET", self._shop.order / order_no, headers=self._headers)
        return order_from(reply.body) if reply.status == 200 else refusal_from(reply)

    async def orders(self) -> list[Order] | Refusal:
        reply = await self._ask("list", "GET", self._shop.order, headers=self._headers)
        if reply.status != 200:
            return refusal_from(reply)
        return [order_from(order) for order in reply.body["orders"]]

    async def say_done(self, order_no: str) -> None:
        """What the mini program calls when `wx.requestPayment` ended; the engine asks WeChat."""
        await self._ask("check", "POST", self._shop.order / order_no / "payment/check", headers=self._headers)

    async def give_back(self, order_no: str, *, key: str, items: object) -> Refusal | None:
        """Tickets back for money, by the sale's rules."""
        reply = await self._ask(
            "give_back",
            "POST",
            self._shop.order / order_no / "refunds",
            headers={**self._headers, "Idempotency-Key": key},
            body=orjson.dumps({"items": items}),
        )
        return None if reply.status in (200, 201) else refusal_from(reply)

    async def listed(self) -> list[Body]:
        """One's own orders as the engine words them; none after a refusal."""
        reply = await self._ask("list", "GET", self._shop.order, headers=self._headers)
        return list(reply.body["orders"]) if reply.status == 200 else []

    async def cancel(self, order_no: str) -> str | Refusal:
        """The state of the cancelled order: `released`, or `closing` when a payment was under way."""
        reply = await self._ask("cancel", "DELETE", self._shop.order / order_no, headers=self._headers)
        if reply.status not in (200, 202):
            return refusal_from(reply)
        return str(reply.body.get("state", "released" if reply.status == 200 else "closing"))


def address_of(openid: str) -> str:
    """Where the balancer in front of the engine saw this phone. A carrier puts many people behind one address."""
    number = crc32(openid.encode()) % CARRIER_ADDRESSES
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
