"""The merchant API (/v3/*): finds the route, checks the caller, asks the desk, signs the answer.

Checks come in WeChat's order: path, method, Accept and User-Agent where they are demanded, Authorization,
and only then the content. The faults of answers live here too, around the desk, so that an error can strike
before or after the effect while the effect itself stays whole.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from engine.simulator import answers, authorization, faults
from engine.simulator.answers import Answers
from engine.simulator.authorization import Merchant
from engine.simulator.desk import Answer, Desk
from engine.simulator.faults import ROUTES, Faults
from engine.simulator.refusals import AGENT_MISSING, FREQUENCY_LIMITED, SYSTEM_ERROR, Refusal

TRANSACTIONS = "/v3/pay/transactions/"
_OUT_TRADE_NO = f"{TRANSACTIONS}out-trade-no/"
_TRANSACTION_ID = f"{TRANSACTIONS}id/"
_REFUNDS = "/v3/refund/domestic/refunds"


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


class Gateway:
    """Answers everything under /v3/."""

    def __init__(
        self,
        *,
        desk: Desk,
        merchants: Mapping[str, Merchant],
        answers: Answers,
        faults: Callable[[], Faults],
        now_ms: Callable[[], int],
    ) -> None:
        self._merchants = merchants
        self._answers = answers
        self._faults = faults
        self._now_ms = now_ms
        self._count_of = dict.fromkeys(ROUTES, 0)
        self._routes = _routes(desk)

    async def serve(self, request: web.BaseRequest, path: str, query: str) -> web.Response:
        """One call; `path` and `query` are raw, and the signature covers them as they came."""
        resource, number = _resource(path)
        if resource is None:
            return answers.empty(404)
        route = self._routes.get(f"{request.method} {resource}")
        if route is None:
            return answers.empty(405)
        body = await request.read()
        call = Call(request.raw_path, unquote(number), dict(parse_qsl(query)) if query else {}, body)
        return await self._admit(request, route, call)

    async def _admit(self, request: web.BaseRequest, route: Route, call: Call) -> web.Response:
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
        luck = self._faults()
        if luck.answers_suffer and (not luck.answer_routes or route.name in luck.answer_routes):
            return await self._unlucky(request, route, merchant, call)
        return await self._answer(route.decide(merchant, call))

    async def _answer(self, outcome: Answer | Refusal, *, probe: bool = False) -> web.Response:
        if isinstance(outcome, Answer):
            return await self._answers.signed(outcome.status, outcome.body, probe=probe)
        if self._faults().business_refusals_signed:
            return await self._answers.signed(outcome.status, outcome.body(), number=outcome.number, probe=probe)
        return self._answers.unsigned(outcome.status, outcome.body(), number=outcome.number)

    async def _unlucky(self, request: web.BaseRequest, route: Route, merchant: Merchant, call: Call) -> web.Response:
        """The same as a lucky call, with the faults of answers on the way; the n-th call has its own fate."""
        luck = self._faults()
        self._count_of[route.name] += 1
        subject = f"{route.name} {self._count_of[route.name]}"

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


def _routes(desk: Desk) -> Mapping[str, Route]:
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
