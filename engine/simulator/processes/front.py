"""A front: HTTP on the port, the caller's signature checked, the office asked, the answer signed and sent.

It is one low-level aiohttp server without an application, because WeChat's 404 and 405 are empty and every
microsecond here is taken from the merchant under test. A front remembers nothing: any number of them share
one port, and one that is killed loses only the calls it was serving.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from aiohttp import web

from engine.simulator.keys.costs import Costs
from engine.simulator.keys.keyring import Keyring
from engine.simulator.keys.signer import Signer
from engine.simulator.office.counter import Verdict
from engine.simulator.processes import answers
from engine.simulator.processes.answers import KEEPALIVE_S, Answers
from engine.simulator.processes.calls import Call, Page, Visit
from engine.simulator.processes.gateway import Gateway

STOP_S = 5.0  # How long calls in progress may take to end when the simulator stops.
BACKLOG = 1024


class OfficeAway(Exception):
    """The ledger process has ended before it answered: what it did is unknown until one asks again."""


class Front:
    """`call` and `visit` bring a request to the office; both may raise OfficeAway."""

    def __init__(
        self,
        *,
        keyring: Keyring,
        signer: Signer,
        call: Callable[[Call], Awaitable[Verdict]],
        visit: Callable[[Visit], Awaitable[Page]],
        now_ms: Callable[[], int],
        entropy: Callable[[int], bytes],
        costs: Costs,
    ) -> None:
        self._visit = visit
        self._gateway = Gateway(
            merchants=keyring.merchants,
            answers=Answers(signer=signer, private=keyring.private, now_ms=now_ms, entropy=entropy),
            ask=call,
            now_ms=now_ms,
            costs=costs,
        )
        self._runner = web.ServerRunner(
            web.Server(self._serve, access_log=None, keepalive_timeout=KEEPALIVE_S), shutdown_timeout=STOP_S
        )
        self.port = 0

    async def start(self, *, host: str, port: int, shared: bool = False) -> None:
        """Listen; `shared` lets other fronts listen on the same port."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, backlog=BACKLOG, reuse_port=shared or None).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Answer what was asked and listen no longer."""
        await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        try:
            if path.startswith("/v3/"):
                return await self._gateway.serve(request, path, query)
            visit = Visit(request.method, path, dict(parse_qsl(query)) if query else {}, await request.read())
            page = await self._visit(visit)
            if page.lost and request.transport is not None:
                request.transport.abort()
            return answers.page(page)
        except OfficeAway:
            # What a proxy answers whose upstream broke off: unsigned, and the outcome is anybody's guess.
            return answers.empty(502)
