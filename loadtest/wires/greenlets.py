"""Phones on gevent, for Locust: the same visits as on asyncio, with no event loop anywhere.

A visit is a coroutine that never suspends: whatever takes time blocks its greenlet, and gevent runs the others
meanwhile. So `finish` sends it once, and it runs to its end. Who is stopped (Locust kills the greenlet) feels it as
`asyncio.CancelledError` inside the visit, as on the other engine.

Why not the client of FastHttpUser: it costs three times the CPU of this wire for the same request
(docs/locust.md), and the generator shares its machine with what it measures. Connections are bounded per server; a
phone that waits for one is waiting, and the time counts.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import gevent
import orjson
from gevent import GreenletExit, socket
from gevent.event import Event
from gevent.lock import Semaphore
from yarl import URL

from loadtest.wires.network import Network
from loadtest.wires.port import ATTEMPT_TIMEOUT_S, Observer, Reply, Signal, Wire
from loadtest.wires.wording import answer_in, head_for, request_bytes

T = TypeVar("T")

CONNECTIONS_MAX = 384
"""To one server. Fewer than on the other engine: a Locust has a worker for each core, and each worker has so many."""
IDLE_MAX_S = 5.0
"""Shorter than any server keeps a silent connection."""
PIECE_BYTES = 65_536


def finish(visit: Coroutine[Any, Any, T]) -> T:
    """Run a visit over a GreenletWire to its end, blocking this greenlet. Raises GreenletExit when it is stopped."""
    try:
        visit.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    except asyncio.CancelledError:
        raise GreenletExit from None
    finally:
        visit.close()
    raise AssertionError("a visit over a GreenletWire awaited something that is not the wire")


@contextmanager
def _stoppable() -> Iterator[None]:
    try:
        yield
    except GreenletExit:
        raise asyncio.CancelledError from None


class _Server:
    """The connections to one server: the most recently used first, waiters served in their order."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._free = Semaphore(CONNECTIONS_MAX)
        self._idle: deque[tuple[float, socket.socket]] = deque()
        self.head = head_for(host, port)

    def ask(self, request: bytes) -> tuple[int, bytes]:
        with self._free:
            connection = self._reused()
            stays = False
            try:
                # An attempt begins here: the wait for a connection is not the server's silence.
                with gevent.Timeout(ATTEMPT_TIMEOUT_S, TimeoutError):
                    if connection is None:
                        connection = socket.create_connection(self._address)
                        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    connection.sendall(request)
                    status, body, stays = _answer_from(connection)
            finally:
                # Whoever is stopped leaves an answer behind that must not be taken for the next request's.
                if stays and connection is not None:
                    connection.setblocking(False)
                    self._idle.append((time.monotonic(), connection))
                elif connection is not None:
                    connection.close()
        return status, body

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()

    def _reused(self) -> socket.socket | None:
        fresh_since = time.monotonic() - IDLE_MAX_S
        while self._idle:
            since, connection = self._idle.pop()
            if since >= fresh_since and _is_silent(connection):
                connection.setblocking(True)
                return connection
            connection.close()
        return None


def _is_silent(connection: socket.socket) -> bool:
    """Whether an idle connection still stands: nothing may be said on it, not even goodbye."""
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def _answer_from(connection: socket.socket) -> tuple[int, bytes, bool]:
    part = b""
    while True:
        piece = connection.recv(PIECE_BYTES)
        if not piece:
            raise ConnectionResetError("the connection ended before the answer")
        part = part + piece if part else piece
        whole = answer_in(part)
        if whole is not None:
            return whole


class GreenletWire(Wire):
    """Phones on gevent; `close` ends its idle connections."""

    def __init__(self, *, dice: random.Random, observer: Observer, network: Network | None = None) -> None:
        super().__init__(dice=dice, observer=observer, network=network)
        self._servers: dict[tuple[str, int], _Server] = {}
        self.sent: tuple[str, int] = ("", 0)
        """The method of the attempt that ended last and the bytes of its answer. No greenlet runs between the end of
        an attempt and the observer's hearing of it, so that is what the observer hears of."""

    def now(self) -> float:
        return time.monotonic()

    def signal(self) -> Event:
        return Event()

    async def sleep(self, seconds: float, *, unless: Signal | None = None) -> None:
        with _stoppable():
            if unless is None:
                gevent.sleep(seconds)
            else:
                assert isinstance(unless, Event)
                unless.wait(seconds)

    async def together(self, *works: Coroutine[Any, Any, T]) -> list[T]:
        greenlets = [gevent.spawn(_outcome_of, work) for work in works]
        try:
            with _stoppable():
                gevent.joinall(greenlets)
        finally:
            gevent.killall(greenlets)
        ends = [greenlet.value for greenlet in greenlets]
        for _, trouble in ends:
            if trouble is not None:
                raise trouble
        return [result for result, _ in ends]

    async def once(
        self, method: str, url: URL, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        place = (str(url.host), int(url.port or 80))
        server = self._servers.get(place)
        if server is None:
            server = self._servers[place] = _Server(*place)
        raw = b""
        try:
            with _stoppable():
                status, raw = server.ask(request_bytes(method, url, server.head, headers=headers, body=body))
        finally:
            self.sent = (method, len(raw))
        return Reply(status, orjson.loads(raw) if raw else {})

    def close(self) -> None:
        for server in self._servers.values():
            server.close()


def _outcome_of(work: Coroutine[Any, Any, T]) -> tuple[T | None, BaseException | None]:
    """What a greenlet beside another came to; its trouble is raised where it is waited for, not printed here."""
    try:
        return finish(work), None
    except (Exception, GreenletExit) as trouble:
        return None, trouble
