"""Cancelling a session and watching its refunds, for operators."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog

from engine.infra.outage import Outage
from engine.infra.postgres import connection
from engine.payments.cancelling.book import Cancelled, cancel, read_progress
from engine.payments.cancelling.progress import Progress, is_reason
from engine.web.http import Request, Response, answer, read_body, refuse, strict_json
from engine.web.operators import Operators
from engine.web.problems import Code
from engine.web.routes import Route

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

log = structlog.get_logger(__name__)

BODY_BYTES_MAX = 4096


class CancelRoutes:
    """Handlers of cancelled sessions. `carry` brings what the catalog says now to Redis, for all workers at once."""

    def __init__(
        self,
        pool: "Pool",
        operators: Operators,
        *,
        carry: Callable[[], Awaitable[object]],
        body_timeout_s: float,
    ) -> None:
        self._pool = pool
        self._operators = operators
        self._carry = carry
        self._body_timeout_s = body_timeout_s

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/admin/v1/sessions/{id}/cancel", self.post_cancel),
            Route("GET", "/admin/v1/sessions/{id}/refunds", self.get_refunds),
        ]

    async def post_cancel(self, request: Request, session_id: str) -> Response:
        """Cancel for good. Asked again it changes nothing."""
        if not self._operators.know(request):
            return refuse(request, Code.LOGIN_REQUIRED)
        raw = await read_body(request, bytes_max=BODY_BYTES_MAX, timeout_s=self._body_timeout_s)
        try:
            body = strict_json(raw)
        except ValueError:
            return refuse(request, Code.BODY_INVALID)
        if type(body) is not dict or body.keys() != {"reason"} or type(body["reason"]) is not str:
            return refuse(request, Code.BODY_INVALID)
        if not is_reason(body["reason"]):
            return refuse(request, Code.REASON_INVALID)
        async with connection(self._pool) as conn:
            outcome = await cancel(conn, session_id, body["reason"])
        if outcome is Cancelled.UNKNOWN_SESSION:
            return refuse(request, Code.UNKNOWN_SESSION)
        log.warning("session_cancelled", session=session_id, outcome=outcome.value)
        try:
            await self._carry()
        except Outage as outage:
            log.warning("cancelled_session_will_be_carried_later", reason=str(outage))
        progress = await self._read(session_id)
        assert progress is not None
        return answer(progress.document(), status=202)

    async def get_refunds(self, request: Request, session_id: str) -> Response:
        """How far the refunds have come; before the session is cancelled: what cancelling it would mean."""
        if not self._operators.know(request):
            return refuse(request, Code.LOGIN_REQUIRED)
        progress = await self._read(session_id)
        return refuse(request, Code.UNKNOWN_SESSION) if progress is None else answer(progress.document())

    async def _read(self, session_id: str) -> Progress | None:
        async with connection(self._pool) as conn:
            return await read_progress(conn, session_id)
