"""The simulator's HTTP server: finds the route, checks the caller, asks the desk, signs the answer.

It is one low-level aiohttp server without an application, because WeChat's 404 and 405 are empty and every
microsecond here is taken from the merchant under test. `/v3/*` and `/sns/*` are WeChat; `/_buyer/*` stands
for the buyer's phone, `/_admin/*` for the person who runs a drill; both exist on loopback only by the
choice of `--host`.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import orjson
from aiohttp import web
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.simulator import answers, authorization, buyer, credentials, faults, forms
from engine.simulator.authorization import Merchant
from engine.simulator.callbacks import Callbacks
from engine.simulator.desk import Answer, Desk
from engine.simulator.faults import Faults
from engine.simulator.ledger import Ledger
from engine.simulator.logins import Logins
from engine.simulator.refunds import Refund, RefundStatus
from engine.simulator.refusals import AGENT_MISSING, FREQUENCY_LIMITED, SYSTEM_ERROR, Refusal
from engine.simulator.signer import Signer

TRANSACTIONS = "/v3/pay/transactions/"
_OUT_TRADE_NO = f"{TRANSACTIONS}out-trade-no/"
_TRANSACTION_ID = f"{TRANSACTIONS}id/"
_REFUNDS = "/v3/refund/domestic/refunds"
_CALL_FIELDS = ("openid", "timeStamp", "nonceStr", "package", "signType", "paySign")


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the merchant API as it came: raw target, its variable part and query, raw body."""

    target: str
    number: str
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Route:
    """`name` is what knobs call it; `decide` never waits. `agent` demands Accept and User-Agent."""

    name: str
    decide: Callable[[Merchant, Call], Answer | Refusal]
    agent: bool = False


class Entropy:
    """Random bytes from the operating system, drawn in blocks: one system call serves many answers."""

    def __init__(self, block_bytes: int = 4096) -> None:
        self._block_bytes = block_bytes
        self._block = b""
        self._used = 0

    def __call__(self, size: int) -> bytes:
        start = self._used
        if start + size > len(self._block):
            self._block, start = os.urandom(max(self._block_bytes, size)), 0
        self._used = start + size
        return self._block[start : self._used]


def system_now_ms() -> int:
    return time.time_ns() // 1_000_000


class Simulator:
    """Everything wired together; `start` opens the port, `stop` leaves the journal complete."""

    def __init__(
        self,
        home: Path,
        *,
        luck: Faults,
        signers: int = 2,
        http_anywhere: bool = False,
        now_ms: Callable[[], int] = system_now_ms,
        entropy: Callable[[int], bytes] | None = None,
    ) -> None:
        entropy = entropy or Entropy()
        self.credentials = credentials.ensure(home)
        self.faults = luck
        self._now_ms = now_ms
        merchant_key = credentials.private_key(self.credentials.private_key_file)
        platform_key = credentials.private_key(self.credentials.platform_private_key_file)
        self._merchants = {
            self.credentials.mchid: Merchant(
                mchid=self.credentials.mchid,
                appids=frozenset((self.credentials.appid,)),
                certificate_serial=self.credentials.certificate_serial,
                public_key=merchant_key.public_key(),
                cipher=AESGCM(self.credentials.api_v3_key.encode()),
            )
        }
        self._ledger = Ledger(home / "journal.jsonl")
        self._signer = Signer(signers)
        self._logins = Logins(self.credentials.appid, self.credentials.app_secret, entropy)
        self._answers = answers.Answers(
            signer=self._signer,
            key=platform_key,
            serial=self.credentials.public_key_id,
            now_ms=now_ms,
            entropy=entropy,
        )
        self._callbacks = Callbacks(
            merchants=self._merchants,
            signer=self._signer,
            key=platform_key,
            serial=self.credentials.public_key_id,
            faults=lambda: self.faults,
            delivered=lambda notice_id: self._ledger.record(delivered=notice_id),
            now_ms=now_ms,
            entropy=entropy,
        )
        self._desk = Desk(
            ledger=self._ledger,
            merchants=self._merchants,
            faults=lambda: self.faults,
            notify=self._callbacks.post,
            settle_later=self._settle_later,
            now_ms=now_ms,
            entropy=entropy,
            http_anywhere=http_anywhere,
        )
        self._calls = dict.fromkeys(faults.ROUTES, 0)
        self._routes = self._v3_routes()
        self._house: Mapping[tuple[str, str], Callable[[web.BaseRequest], Awaitable[web.Response]]] = {
            ("GET", "/livez"): self._livez,
            ("GET", "/sns/jscode2session"): self._session,
            ("POST", "/_buyer/login"): self._login,
            ("POST", "/_buyer/pay"): self._tap,
            ("GET", "/_admin/ledger"): self._show_ledger,
            ("GET", "/_admin/callbacks"): self._show_callbacks,
            ("GET", "/_admin/faults"): self._show_faults,
            ("PUT", "/_admin/faults"): self._change_faults,
            ("POST", "/_admin/pay"): self._pay_anyway,
        }
        self._house_paths = {path for _, path in self._house}
        self._runner = web.ServerRunner(web.Server(self._serve, access_log=None, keepalive_timeout=answers.KEEPALIVE_S))
        self.port = 0

    async def start(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen, then resume what a former life left open: unsettled refunds and undelivered notices."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, backlog=1024)
        await site.start()
        self.port = self._runner.addresses[0][1]
        for notice in self._ledger.pending():
            self._callbacks.post(notice)
        for refund in self._ledger.refunds():
            if refund.status is RefundStatus.PROCESSING:
                self._settle_later(refund)

    async def stop(self) -> None:
        """Answer what was asked, stop calling back, close the journal."""
        await self._runner.cleanup()
        await self._callbacks.stop()
        self._signer.stop()
        self._ledger.close()

    # WeChat

    def _v3_routes(self) -> Mapping[str, Route]:
        desk = self._desk
        return {
            "POST order": Route("order", lambda merchant, call: desk.order(merchant, call.body)),
            "GET query": Route("query", lambda merchant, call: desk.query(merchant, call.number, call.query)),
            "GET id": Route("query", lambda merchant, call: desk.query_transaction(merchant, call.number, call.query)),
            "POST close": Route("close", lambda merchant, call: desk.close(merchant, call.number, call.body)),
            "POST refunds": Route("refund", lambda merchant, call: desk.refund(merchant, call.body), agent=True),
            "GET refund": Route(
                "query_refund", lambda merchant, call: desk.query_refund(merchant, call.number), agent=True
            ),
        }

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        target = request.raw_path
        path, _, query = target.partition("?")
        if path.startswith("/v3/"):
            resource, number = _resource(path)
            if resource is None:
                return answers.empty(404)
            route = self._routes.get(f"{request.method} {resource}")
            if route is None:
                return answers.empty(405)
            call = Call(target, unquote(number), dict(parse_qsl(query)) if query else {}, await request.read())
            return await self._v3(request, route, call)
        handler = self._house.get((request.method, path))
        if handler is None:
            return answers.empty(405 if path in self._house_paths else 404)
        return await handler(request)

    async def _v3(self, request: web.BaseRequest, route: Route, call: Call) -> web.Response:
        headers = request.headers
        transactions = call.target.startswith(TRANSACTIONS)
        if route.agent and not (headers.get("User-Agent") and headers.get("Accept")):
            return self._answers.unsigned(400, AGENT_MISSING.body(), number=AGENT_MISSING.number)
        merchant = authorization.check(
            headers.get("Authorization"),
            self._merchants,
            method=request.method,
            target=call.target,
            body=call.body,
            now_s=self._now_ms() // 1000,
            transactions=transactions,
        )
        if isinstance(merchant, Refusal):
            number = None if transactions else merchant.number
            return self._answers.unsigned(merchant.status, merchant.body(), number=number)
        luck = self.faults
        if luck.answers_suffer and (not luck.answer_routes or route.name in luck.answer_routes):
            return await self._unlucky(request, route, merchant, call)
        return await self._answer(route.decide(merchant, call))

    async def _answer(self, outcome: Answer | Refusal, *, probe: bool = False) -> web.Response:
        if isinstance(outcome, Answer):
            return await self._answers.signed(outcome.status, outcome.body, probe=probe)
        if self.faults.business_refusals_signed:
            return await self._answers.signed(outcome.status, outcome.body(), number=outcome.number, probe=probe)
        return self._answers.unsigned(outcome.status, outcome.body(), number=outcome.number)

    async def _unlucky(self, request: web.BaseRequest, route: Route, merchant: Merchant, call: Call) -> web.Response:
        """The same as a lucky call, with the faults of answers on the way; the n-th call has its own fate."""
        luck = self.faults
        self._calls[route.name] += 1
        subject = f"{route.name} {self._calls[route.name]}"

        def strikes(knob: str, chance: float) -> bool:
            return faults.happens(chance, seed=luck.seed, knob=knob, subject=subject)

        await asyncio.sleep(
            faults.delay_s(luck.answer_delay_ms, seed=luck.seed, knob="answer_delay_ms", subject=subject)
        )
        if strikes("answer_limited", luck.answer_limited):
            return await self._answer(FREQUENCY_LIMITED)
        if strikes("answer_error_before", luck.answer_error_before):
            return await self._answer(SYSTEM_ERROR)
        outcome = route.decide(merchant, call)
        if strikes("answer_lost", luck.answer_lost) and request.transport is not None:
            request.transport.abort()
            return answers.empty(500)
        if strikes("answer_error_after", luck.answer_error_after):
            return await self._answer(SYSTEM_ERROR)
        return await self._answer(outcome, probe=strikes("answer_signtest", luck.answer_signtest))

    def _settle_later(self, refund: Refund) -> None:
        luck = self.faults
        wait_s = faults.delay_s(
            luck.refund_delay_ms, seed=luck.seed, knob="refund_delay_ms", subject=refund.out_refund_no
        )
        asyncio.get_running_loop().call_later(wait_s, self._desk.settle_refund, refund.mchid, refund.out_refund_no)

    async def _session(self, request: web.BaseRequest) -> web.Response:
        query = dict(parse_qsl(request.raw_path.partition("?")[2]))
        return answers.login(self._logins.session(query, now_ms=self._now_ms()))

    # The buyer's phone

    async def _login(self, request: web.BaseRequest) -> web.Response:
        document = await _object(request)
        openid = document.get("openid")
        if not isinstance(openid, str) or not forms.OPENID.fullmatch(openid):
            return _invalid("openid", "must be an o followed by 27 of 0-9 A-Z a-z _ -")
        return answers.plain({"code": self._logins.code(openid, now_ms=self._now_ms())})

    async def _tap(self, request: web.BaseRequest) -> web.Response:
        document = await _object(request)
        values = [value for name in _CALL_FIELDS if isinstance(value := document.get(name), str)]
        if len(values) != len(_CALL_FIELDS):
            return _invalid(", ".join(_CALL_FIELDS), "must all be texts")
        try:
            behaviour = buyer.Behaviour(document.get("behaviour", buyer.Behaviour.PAY))
        except ValueError:
            return _invalid("behaviour", f"must be one of {', '.join(buyer.Behaviour)}")
        result, transaction_id = self._desk.tap(buyer.PaymentCall(*values), behaviour)
        told: dict[str, object] = {"result": result}
        if transaction_id is not None:
            told["transaction_id"] = transaction_id
        return answers.plain(told)

    # The person who runs the drill

    async def _livez(self, _: web.BaseRequest) -> web.Response:
        return answers.plain({"status": "ok"})

    async def _show_ledger(self, _: web.BaseRequest) -> web.Response:
        return answers.plain({"orders": self._desk.statement()})

    async def _show_callbacks(self, _: web.BaseRequest) -> web.Response:
        return answers.plain(asdict(self._callbacks.tally))

    async def _show_faults(self, _: web.BaseRequest) -> web.Response:
        return answers.plain(self.faults.document())

    async def _change_faults(self, request: web.BaseRequest) -> web.Response:
        """Knobs that are named change, the others stay; answers all that are in force."""
        try:
            self.faults = faults.read(await _parsed(request), self.faults)
        except faults.FaultsError as error:
            return answers.plain({"problems": error.problems}, status=400)
        return answers.plain(self.faults.document())

    async def _pay_anyway(self, request: web.BaseRequest) -> web.Response:
        out_trade_no = (await _object(request)).get("out_trade_no")
        paid = self._desk.pay_anyway(out_trade_no) if isinstance(out_trade_no, str) else None
        if paid is None:
            return answers.plain({"problems": ["out_trade_no: nobody placed this order"]}, status=404)
        return answers.plain({"result": "ok", "transaction_id": paid.transaction_id})


def _resource(path: str) -> tuple[str | None, str]:
    """The name of the API resource behind a path and the merchant's or WeChat's number in it."""
    if path == f"{TRANSACTIONS}jsapi":
        return "order", ""
    if path.startswith(_OUT_TRADE_NO):
        number, _, rest = path[len(_OUT_TRADE_NO) :].partition("/")
        if number and rest in ("", "close"):
            return "close" if rest else "query", number
    elif path.startswith(_TRANSACTION_ID):
        number = path[len(_TRANSACTION_ID) :]
        if number and "/" not in number:
            return "id", number
    elif path == _REFUNDS:
        return "refunds", ""
    elif path.startswith(f"{_REFUNDS}/"):
        number = path[len(_REFUNDS) + 1 :]
        if number and "/" not in number:
            return "refund", number
    return None, ""


async def _parsed(request: web.BaseRequest) -> object:
    """The JSON of a buyer or admin call, or None when it is not JSON."""
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        return None


async def _object(request: web.BaseRequest) -> Mapping[str, Any]:
    """The JSON object of a buyer or admin call; anything else reads as an empty one."""
    document = await _parsed(request)
    return document if isinstance(document, dict) else {}


def _invalid(field: str, reason: str) -> web.Response:
    return answers.plain({"problems": [f"{field}: {reason}"]}, status=400)
