"""One listener: a route table on a socket, with limits on everything and a drain that fails no request.

Limits: bytes of head and body, seconds for each of them, seconds for a whole request, requests at a time. The last one
is counted for each route, so that one that waits for WeChat or for the ledger keeps no other one out. A connection that
has not sent a complete head within the head timeout is closed, idle ones included. A client that does not take its
answers within the time of a request loses its connection.

Drain, on SIGTERM: readiness fails first, and every answer from then on closes its connection, so that keep-alive
clients leave by themselves. After the notice the listener takes in what has begun and closes. Connections that are
still there finish their request or send one more, until the time is over: to close an idle one would fail the request
that may be on its way. Streams have no end of their own, so they are ended at once.
"""

import asyncio
import contextlib
import itertools
import math
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from engine import telemetry
from engine.infra.outage import Outage, Overloaded
from engine.web.connection import Connection
from engine.web.http import BodyLate, BodyTooLarge, Later, Request, Response, refuse
from engine.web.listening import BACKLOG_COUNT, refuse_newcomers
from engine.web.problems import Code
from engine.web.room import REFUSALS_PER_S, REFUSE_EVERY_S, WAIT_S, Room
from engine.web.routes import Route, RouteTable

log = structlog.get_logger(__name__)

WATCH_EVERY_S = 0.5
# Long enough for a handshake that has begun; shorter than the second after which a client repeats a dropped SYN,
# which must not meet this socket again.
HANDSHAKE_S = 0.5
FAREWELL_S = 1.0  # for the answers of requests that the end of a drain cuts off

BODY_BROKEN = (web.RequestPayloadError, HttpProcessingError, ConnectionError)

# A request that waits for room, and where it goes then.
Entrant: TypeAlias = tuple[Request, Route, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one listener takes. `concurrent_requests_max`: of each route; the others wait `room_wait_s` at least."""

    body_bytes_max: int
    head_timeout_s: float
    body_timeout_s: float
    request_timeout_s: float
    concurrent_requests_max: int
    room_wait_s: float = WAIT_S


@dataclass(slots=True)
class Listener:
    """Serves a route table on one socket."""

    table: RouteTable
    limits: Limits
    sock: socket.socket
    draining: bool = False
    _connections: set[Connection] = field(default_factory=set)
    _left: asyncio.Event = field(default_factory=asyncio.Event)  # no connection is there
    _running: "dict[asyncio.Future[Any], float]" = field(default_factory=dict)  # when each began
    _rooms: "dict[str, Room[Entrant]]" = field(default_factory=dict)  # by the name of the route
    # The same for requests whose body is on its way. It may never come, and must keep nobody out whose body is there.
    _late_rooms: "dict[str, Room[Entrant]]" = field(default_factory=dict)
    _server: asyncio.Server | None = None
    _watch: "asyncio.Task[None] | None" = None
    _refuser: "asyncio.Task[None] | None" = None

    def __post_init__(self) -> None:
        for route in self.table.routes:
            self._rooms[route.name] = self._room_of(route)
            self._late_rooms[route.name] = self._room_of(route)

    def _room_of(self, route: Route) -> Room[Entrant]:
        limits = self.limits
        return Room(
            count_max=min(limits.concurrent_requests_max, route.at_once_max or limits.concurrent_requests_max),
            # More would wait longer than a request may take.
            waiting_count_max=int(REFUSALS_PER_S * limits.request_timeout_s),
            wait_s=limits.room_wait_s,
            has_left=_has_left,
        )

    def _all_rooms(self) -> Iterator[Room[Entrant]]:
        return itertools.chain(self._rooms.values(), self._late_rooms.values())

    async def start(self) -> None:
        """Begin to accept."""
        loop = asyncio.get_running_loop()
        connect = partial(Connection, self, loop=loop, reader_timeout_s=self.limits.request_timeout_s)
        self._server = await loop.create_server(connect, sock=self.sock, backlog=BACKLOG_COUNT)
        self._watch = loop.create_task(self._end_overdue())
        self._refuser = loop.create_task(self._refuse_waiting())

    def opened(self, connection: Connection) -> None:
        """Somebody has come."""
        self._connections.add(connection)
        self._left.clear()

    def gone(self, connection: Connection) -> None:
        """Somebody has left."""
        self._connections.discard(connection)
        if not self._connections:
            self._left.set()

    def serve(self, request: Request) -> None:
        """Answer a request: at once where the handler can, else when its future is done."""
        found = self.table.find(request.method, request.path)
        if found is None:
            self._answer(request, self._no_route(request))
            return
        route, taken = found
        room = (self._rooms if request.content.is_eof() else self._late_rooms)[route.name]
        if not room.full:
            self._begin((request, route, taken), room)
        elif not room.wait((request, route, taken), now_s := time.monotonic()):
            self._turn_away(request, route, now_s)

    def _begin(self, entrant: Entrant, room: Room[Entrant]) -> None:
        request, route, taken = entrant
        began_s = time.monotonic()
        try:
            outcome = route.handler(request, *taken)
        except Exception as error:
            outcome = _failed(request, route, error)
        if isinstance(outcome, Response):
            self._conclude(request, route, began_s, outcome)
            return
        if isinstance(outcome, Later):
            waiting, tell = outcome.future, outcome.tell
        else:
            waiting, tell = asyncio.ensure_future(outcome), _as_it_is
        self._running[waiting] = began_s
        room.count += 1
        waiting.add_done_callback(partial(self._finish, request, route, began_s, room, tell))

    def serve_broken(self, request: Request) -> None:
        """What is not HTTP gets a problem document. What was sent is not repeated, not even in the log."""
        response = refuse(request, Code.REQUEST_INVALID)
        response.force_close()
        self._answer(request, response)

    def _finish(
        self,
        request: Request,
        route: Route,
        began_s: float,
        room: Room[Entrant],
        tell: Callable[[Any], Response],
        done: "asyncio.Future[Any]",
    ) -> None:
        del self._running[done]
        room.count -= 1
        try:
            response = tell(done.result())
        except asyncio.CancelledError:  # it took too long, or the process ends
            response = refuse(request, Code.UNAVAILABLE)
        except Exception as error:
            response = _failed(request, route, error)
        self._conclude(request, route, began_s, response)
        while (entrant := room.next(time.monotonic())) is not None:
            if not _has_left(entrant):
                self._begin(entrant, room)

    async def _refuse_waiting(self) -> None:
        """At a pace that leaves the time to those who are in."""
        while True:
            await asyncio.sleep(REFUSE_EVERY_S)
            now_s = time.monotonic()
            for room in self._all_rooms():
                self._refuse(room.refused(now_s))

    def _refuse(self, waiting: list[tuple[float, Entrant]]) -> None:
        for since_s, (request, route, _) in waiting:
            self._turn_away(request, route, since_s)

    def _turn_away(self, request: Request, route: Route, since_s: float) -> None:
        route.turned_away(request)
        self._conclude(request, route, since_s, refuse(request, Code.OVERLOADED))

    def _conclude(self, request: Request, route: Route, began_s: float, response: Response) -> None:
        telemetry.answered(route.name, response.status, time.monotonic() - began_s)
        self._answer(request, response)

    def _answer(self, request: Request, response: Response) -> None:
        if self.draining:
            response.force_close()
        request.connection.answer(request, response)

    def _no_route(self, request: Request) -> Response:
        methods = self.table.methods(request.path)
        if not methods:
            return refuse(request, Code.UNKNOWN_ROUTE)
        asks = request.method == "OPTIONS"
        response = Response(status=204) if asks else refuse(request, Code.METHOD_NOT_ALLOWED)
        response.headers = {"Allow": ", ".join(methods)}
        return response

    async def _end_overdue(self) -> None:
        """One look at all requests and connections every half second costs less than a timer for each of them."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            telemetry.REQUESTS_RUNNING.set(len(self._running))
            now_s = time.monotonic()
            oldest_s = now_s - self.limits.request_timeout_s
            for waiting in [one for one, began_s in self._running.items() if began_s < oldest_s]:
                waiting.cancel()
                self._running[waiting] = math.inf  # once is enough, it may need a moment to give up
            quiet_s_max = self.limits.head_timeout_s
            for connection in [one for one in self._connections if one.quiet_s(now_s) > quiet_s_max]:
                connection.end()

    async def drain(self, *, notice_s: float, timeout_s: float) -> None:
        """Leave without failing a request, then close. The notice is a part of the time."""
        assert self._server is not None
        assert self._watch is not None
        assert self._refuser is not None
        deadline_s = time.monotonic() + timeout_s
        self.draining = True
        for connection in list(self._connections):
            if connection.stream is not None:
                connection.stream.end()
        await asyncio.sleep(notice_s)
        if refuse_newcomers(self.sock):
            await asyncio.sleep(HANDSHAKE_S)
        self._server.close()
        if self._connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._left.wait(), max(0.0, deadline_s - time.monotonic()))
        self._watch.cancel()
        self._refuser.cancel()
        for room in self._all_rooms():
            self._refuse(room.clear())
        if self._running:
            for waiting in list(self._running):
                waiting.cancel()
            await asyncio.wait(list(self._running), timeout=FAREWELL_S)
        for connection in list(self._connections):
            connection.close()


def _has_left(entrant: Entrant) -> bool:
    """Whether the buyer has hung up."""
    return entrant[0].connection.transport is None


def _as_it_is(response: Response) -> Response:
    return response


def _failed(request: Request, route: Route, error: Exception) -> Response:
    """What is told when a handler raised."""
    if isinstance(error, Overloaded):
        return refuse(request, Code.OVERLOADED)
    if isinstance(error, Outage):
        log.warning("unavailable", route=route.name, reason=str(error))
        return refuse(request, Code.UNAVAILABLE)
    if isinstance(error, BodyTooLarge):
        response = refuse(request, Code.BODY_TOO_LARGE)
    elif isinstance(error, BodyLate):
        response = refuse(request, Code.REQUEST_TIMEOUT)
    elif (
        isinstance(error, BODY_BROKEN) and not request.content.is_eof()
    ):  # else the broken connection is not the client's
        response = refuse(request, Code.BODY_INVALID)
    else:
        log.error("request_failed", route=route.name, exc_info=error)
        return refuse(request, Code.INTERNAL)
    response.force_close()
    return response
