"""One listener: aiohttp's low-level server with limits on everything and a drain that fails no request.

Limits: bytes of head and body, seconds for each of them, seconds for a whole request, requests at a time. A
connection that has not sent a complete head within the head timeout is closed; that is the keep-alive timeout of
aiohttp, which also ends idle connections. A client that does not take its answers within the time of a request loses
its connection.

Drain, on SIGTERM: readiness fails first, and every answer from then on closes its connection, so that keep-alive
clients leave by themselves. After the notice the listener takes in what has begun and closes. Connections that are
still there finish their request or send one more, until the time is over: to close an idle one would fail the request
that may be on its way. Streams have no end of their own, so they are ended at once.
"""

import asyncio
import socket
import time
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from engine import telemetry
from engine.infra.outage import Outage, Overloaded
from engine.web.http import BodyLate, BodyTooLarge, Request, Response, refuse
from engine.web.listening import BACKLOG_COUNT, refuse_newcomers
from engine.web.problems import Code
from engine.web.routes import RouteTable
from engine.web.streaming import Stream

log = structlog.get_logger(__name__)

HEAD_LINE_BYTES_MAX = 4096
HEAD_FIELD_BYTES_MAX = 4096
HEAD_FIELDS_MAX = 64
WATCH_EVERY_S = 0.5
LEAVE_EVERY_S = 0.05
# Long enough for a handshake that has begun; shorter than the second after which a client repeats a dropped SYN,
# which must not meet this socket again.
HANDSHAKE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one listener takes."""

    body_bytes_max: int
    head_timeout_s: float
    body_timeout_s: float
    request_timeout_s: float
    concurrent_requests_max: int


class _Connection(RequestHandler):
    """One client's connection.

    What is not HTTP gets a problem document. aiohttp's own `message` repeats what was sent: it goes nowhere, not
    even into the log.
    """

    __slots__ = ("_patience", "_reader_timeout_s", "stream")

    def __init__(self, server: web.Server, *, reader_timeout_s: float, **settings: Any) -> None:
        super().__init__(server, **settings)
        self._reader_timeout_s = reader_timeout_s
        self._patience: asyncio.TimerHandle | None = None
        self.stream: Stream | None = None

    def pause_writing(self) -> None:
        """The client does not read: what we wrote fills its window and our buffer."""
        super().pause_writing()
        if self.transport is not None:
            self._patience = self._loop.call_later(self._reader_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._calm()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._calm()
        if self.stream is not None:
            self.stream.end()
        super().connection_lost(exc)

    def _calm(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def handle_error(  # type: ignore[override]  # our Response is all that the server asks of one
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> Response:
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was already begun")
        if status >= 500:
            log.error("connection_failed", exc_info=exc)
        response = refuse(request, Code.REQUEST_INVALID if status < 500 else Code.INTERNAL)
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


@dataclass(slots=True)
class Listener:
    """Serves a route table on one socket."""

    table: RouteTable
    limits: Limits
    sock: socket.socket
    draining: bool = False
    _running: "dict[asyncio.Task[object], float]" = field(default_factory=dict)  # when each began
    _overdue: "set[asyncio.Task[object]]" = field(default_factory=set)
    _server: _Server | None = None
    _runner: web.ServerRunner | None = None
    _site: web.SockSite | None = None
    _watch: "asyncio.Task[None] | None" = None

    async def start(self) -> None:
        """Begin to accept."""
        loop = asyncio.get_running_loop()
        limits = self.limits

        def request_factory(message, payload, protocol, writer, task):  # type: ignore[no-untyped-def]
            return web.BaseRequest(
                message, payload, protocol, writer, task, loop, client_max_size=limits.body_bytes_max
            )

        self._server = _Server(
            self._handle,  # type: ignore[arg-type]
            request_factory=request_factory,
            keepalive_timeout=limits.head_timeout_s,
            tcp_keepalive=False,
            access_log=None,
            max_line_size=HEAD_LINE_BYTES_MAX,
            max_field_size=HEAD_FIELD_BYTES_MAX,
            max_headers=HEAD_FIELDS_MAX,
            lingering_time=1.0,
            auto_decompress=False,
            reader_timeout_s=limits.request_timeout_s,
        )
        self._runner = web.ServerRunner(self._server, shutdown_timeout=1.0)
        await self._runner.setup()
        self._site = web.SockSite(self._runner, self.sock, backlog=BACKLOG_COUNT)
        await self._site.start()
        self._watch = loop.create_task(self._end_overdue())

    async def _handle(self, request: Request) -> Response:
        found = self.table.find(request.method, request.path)
        if found is None:
            return self._leave(self._no_route(request))
        route, taken = found
        running = self._running
        if len(running) >= self.limits.concurrent_requests_max:
            return self._leave(refuse(request, Code.OVERLOADED))
        task = asyncio.current_task()
        assert task is not None
        began_s = time.monotonic()
        running[task] = began_s
        try:
            response = await route.handler(request, *taken)
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            task.uncancel()
            response = refuse(request, Code.UNAVAILABLE)
        except Overloaded:
            response = refuse(request, Code.OVERLOADED)
        except Outage as outage:
            log.warning("unavailable", route=route.name, reason=str(outage))
            response = refuse(request, Code.UNAVAILABLE)
        except BodyTooLarge:
            response = refuse(request, Code.BODY_TOO_LARGE)
            response.force_close()
        except BodyLate:
            response = refuse(request, Code.REQUEST_TIMEOUT)
            response.force_close()
        except (web.RequestPayloadError, HttpProcessingError, ConnectionError):
            response = refuse(request, Code.BODY_INVALID)
            response.force_close()
        except Exception:
            log.exception("request_failed", route=route.name)
            response = refuse(request, Code.INTERNAL)
        finally:
            del running[task]
            if self._overdue:
                self._overdue.discard(task)
        telemetry.answered(route.name, response.status, time.monotonic() - began_s)
        return self._leave(response)

    def _leave(self, response: Response) -> Response:
        if self.draining:
            response.force_close()
        return response

    def _no_route(self, request: Request) -> Response:
        methods = self.table.methods(request.path)
        if not methods:
            return refuse(request, Code.UNKNOWN_ROUTE)
        asks = request.method == "OPTIONS"
        response = Response(status=204) if asks else refuse(request, Code.METHOD_NOT_ALLOWED)
        response.headers["Allow"] = ", ".join(methods)
        return response

    async def _end_overdue(self) -> None:
        """One look at all running requests every half second costs less than a timer in each of them."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            telemetry.REQUESTS_RUNNING.set(len(self._running))
            oldest_s = time.monotonic() - self.limits.request_timeout_s
            for task, began_s in list(self._running.items()):
                if began_s < oldest_s and task not in self._overdue:
                    self._overdue.add(task)
                    task.cancel()

    async def drain(self, *, notice_s: float, timeout_s: float) -> None:
        """Leave without failing a request, then close. The notice is a part of the time."""
        assert self._server is not None
        assert self._site is not None
        assert self._runner is not None
        assert self._watch is not None
        deadline_s = time.monotonic() + timeout_s
        self.draining = True
        for connection in self._server.connections:
            assert isinstance(connection, _Connection)
            if connection.stream is not None:
                connection.stream.end()
        await asyncio.sleep(notice_s)
        if refuse_newcomers(self.sock):
            await asyncio.sleep(HANDSHAKE_S)
        await self._site.stop()
        while self._server.connections and time.monotonic() < deadline_s:  # noqa: ASYNC110
            await asyncio.sleep(LEAVE_EVERY_S)  # aiohttp tells nobody when a connection ends
        self._watch.cancel()
        await self._runner.cleanup()
