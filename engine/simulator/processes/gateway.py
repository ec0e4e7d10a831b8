"""The merchant API (/v3/*) as a front speaks it: finds the route, checks the caller, asks the office, signs.

Checks come in WeChat's order: path, method, Accept and User-Agent where they are demanded, Authorization,
and only then the content, which is the office's business. What goes wrong with an answer on the wire is done
here, as the verdict says.
"""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

from aiohttp import web

from engine.simulator.keys.costs import Costs
from engine.simulator.luck.fates import Flaw
from engine.simulator.office import routes
from engine.simulator.office.counter import Verdict
from engine.simulator.pay.refusals import AGENT_MISSING, Refusal
from engine.simulator.processes import answers, authorization
from engine.simulator.processes.answers import Answers
from engine.simulator.processes.authorization import Merchant
from engine.simulator.processes.calls import Call


class Gateway:
    """Answers everything under /v3/. `ask` brings a call to the office."""

    def __init__(
        self,
        *,
        merchants: Mapping[str, Merchant],
        answers: Answers,
        ask: Callable[[Call], Awaitable[Verdict]],
        now_ms: Callable[[], int],
        costs: Costs,
    ) -> None:
        self._merchants = merchants
        self._answers = answers
        self._ask = ask
        self._now_ms = now_ms
        self._costs = costs

    async def serve(self, request: web.BaseRequest, path: str, query: str) -> web.StreamResponse:
        """One call; `path` and `query` are raw, and the signature covers them as they came."""
        found = routes.find(path)
        if found is None:
            return answers.empty(404)
        methods, number = found
        route = methods.get(request.method)
        if route is None:
            return answers.empty(405)
        headers = request.headers
        body = await request.read()
        target = request.raw_path
        transactions = target.startswith(routes.TRANSACTIONS)
        if route.agent and not (headers.get("User-Agent") and headers.get("Accept")):
            return self._answers.unsigned(400, AGENT_MISSING.body(), number=AGENT_MISSING.number)
        signed = authorization.check(
            headers.get("Authorization"),
            self._merchants,
            method=request.method,
            target=target,
            body=body,
            now_s=self._now_ms() // 1000,
            transactions=transactions,
            verify=self._costs.verify,
        )
        if isinstance(signed, Refusal):
            suffix = None if transactions else signed.number
            return self._answers.unsigned(signed.status, signed.body(), number=suffix)
        merchant, nonce = signed
        call = Call(
            route=route.key,
            mchid=merchant.mchid,
            number=number,
            query=dict(parse_qsl(query)) if query else {},
            body=body,
            serial=headers.get("Wechatpay-Serial", ""),
            nonce=nonce,
            base_url=f"http://{headers.get('Host', '')}",
        )
        return await self._perform(request, await self._ask(call))

    async def _perform(self, request: web.BaseRequest, verdict: Verdict) -> web.StreamResponse:
        flaw = verdict.flaw
        if flaw == Flaw.RESET or (flaw == Flaw.TRUNCATED and not verdict.body):
            if request.transport is not None:
                request.transport.abort()
            return answers.empty(500)
        if not verdict.signer or flaw == Flaw.UNSIGNED:
            answer = self._answers.unsigned(
                verdict.status, verdict.body, number=verdict.number, content_type=verdict.content_type
            )
        else:
            answer = await self._answers.signed(
                verdict.status, verdict.body, number=verdict.number or 0, serial=verdict.signer, flaw=flaw
            )
        if flaw == Flaw.TRUNCATED:
            return await _cut_off(request, answer, verdict.body)
        return answer


async def _cut_off(request: web.BaseRequest, whole: web.Response, body: bytes) -> web.StreamResponse:
    """Send the headers of the whole answer and half of its body, then close."""
    answer = web.StreamResponse(status=whole.status, headers=whole.headers)
    answer.content_length = len(body)
    await answer.prepare(request)
    await answer.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return answer
