"""A line's numbers and controls over HTTP, for operators, on the admin listener."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import structlog

from engine.catalog.controls import KEEP, Steered, Steering, set_paused, steer
from engine.catalog.records import Challenge
from engine.console.line.reading import LineReader
from engine.infra.outage import Outage
from engine.infra.postgres import connection
from engine.web.http import Request, Response, answer, read_body, refuse, strict_json
from engine.web.operators import Operators
from engine.web.problems import Code
from engine.web.routes import Route

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

log = structlog.get_logger(__name__)

BODY_BYTES_MAX = 4096

CODES = {Steered.UNKNOWN_SALE: Code.UNKNOWN_SALE, Steered.NO_PACE: Code.PACE_INVALID}


class LineAdminRoutes:
    """Handlers of the line. `carry` tells Redis at once what the catalog says of a sale; False: it is restored."""

    def __init__(
        self,
        pool: "Pool",
        reader: LineReader,
        operators: Operators,
        *,
        carry: Callable[[str], Awaitable[bool]],
        body_timeout_s: float,
    ) -> None:
        self._pool = pool
        self._reader = reader
        self._operators = operators
        self._carry = carry
        self._body_timeout_s = body_timeout_s

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/admin/v1/sales/{sale}/line", self.get_line),
            Route("PATCH", "/admin/v1/sales/{sale}/line", self.patch_line),
            Route("POST", "/admin/v1/sales/{sale}/pause", self.post_pause),
            Route("POST", "/admin/v1/sales/{sale}/resume", self.post_resume),
        ]

    async def get_line(self, request: Request, sale_id: str) -> Response:
        """The line in numbers, as Redis and the ledger have it now."""
        if not self._operators.know(request):
            return refuse(request, Code.LOGIN_REQUIRED)
        return await self._numbers(request, sale_id)

    async def patch_line(self, request: Request, sale_id: str) -> Response:
        """Change pace and challenge; what is not named stays. Workers follow within a second."""
        if not self._operators.know(request):
            return refuse(request, Code.LOGIN_REQUIRED)
        raw = await read_body(request, bytes_max=BODY_BYTES_MAX, timeout_s=self._body_timeout_s)
        try:
            steering = read_steering(strict_json(raw))
        except ValueError:
            steering = None
        if steering is None:
            return refuse(request, Code.BODY_INVALID)
        if not steering.within_bounds:
            return refuse(request, Code.PACE_INVALID)
        async with connection(self._pool) as conn:
            steered = await steer(conn, sale_id, steering)
        if steered is not Steered.DONE:
            return refuse(request, CODES[steered])
        log.warning("line_steered", sale=sale_id, **_named(steering))
        return await self._numbers(request, sale_id)

    async def post_pause(self, request: Request, sale_id: str) -> Response:
        """Stop selling for now, in all workers, with one call. Repeating it is harmless."""
        return await self._set_paused(request, sale_id, paused=True)

    async def post_resume(self, request: Request, sale_id: str) -> Response:
        """Go on selling."""
        return await self._set_paused(request, sale_id, paused=False)

    async def _set_paused(self, request: Request, sale_id: str, *, paused: bool) -> Response:
        if not self._operators.know(request):
            return refuse(request, Code.LOGIN_REQUIRED)
        async with connection(self._pool) as conn:
            known = await set_paused(conn, sale_id, paused)
        if not known:
            return refuse(request, Code.UNKNOWN_SALE)
        log.warning("sale_paused" if paused else "sale_resumed", sale=sale_id)
        try:
            carried = await self._carry(sale_id)
        except Outage as outage:
            log.warning("pause_will_be_carried_later", sale=sale_id, reason=str(outage))
            carried = False
        return answer({"sale": sale_id, "paused": paused, "carried": carried})

    async def _numbers(self, request: Request, sale_id: str) -> Response:
        numbers = await self._reader.read(sale_id)
        return refuse(request, Code.UNKNOWN_SALE) if numbers is None else answer(numbers.document())


def read_steering(body: Any) -> Steering | None:
    """What an operator wants changed, or None for another shape. A number may still be out of bounds."""
    if type(body) is not dict or not body or body.keys() - {"rate", "concurrency", "challenge"}:
        return None
    for key in ("rate", "concurrency"):
        if type(body.get(key)) not in (int, type(None)):
            return None
    if "challenge" in body and body["challenge"] not in list(Challenge):
        return None
    return Steering(
        rate=body.get("rate", KEEP),
        concurrency=body.get("concurrency", KEEP),
        challenge=Challenge(body["challenge"]) if "challenge" in body else KEEP,
    )


def _named(steering: Steering) -> dict[str, Any]:
    named = {"rate": steering.rate, "concurrency": steering.concurrency, "challenge": steering.challenge}
    return {key: value for key, value in named.items() if value is not KEEP}
