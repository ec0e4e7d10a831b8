"""Thousands of phones in one process on asyncio: HTTP over keep-alive connections.

Why not a client library: on two cores the generator shares the machine with what it measures, and with aiohttp's
client (about 300 microseconds of CPU per request) the phones queued for the generator itself at the opening, for
seconds. This reads only what an honest JSON API sends, HTTP/1.1 with a Content-Length; anything else counts as a
broken connection. Connections are bounded per server, and a phone that waits for one is waiting: the time counts.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Coroutine, Mapping
from typing import Any, Self, cast

import orjson
from yarl import URL

from loadtest.wires.network import Network
from loadtest.wires.port import ATTEMPT_TIMEOUT_S, Observer, Reply, Signal, T, Wire
from loadtest.wires.wording import answer_in, head_for, request_bytes

CONNECTIONS_MAX = 1000
"""To one server. Phones of a real drop have one each, and with too few of them those who are served would wait here
behind those who are not, which no server could help. So many, from a few processes, fit a server's open files."""
IDLE_MAX_S = 5.0
"""Shorter than any server keeps a silent connection; WeChat's front end closes it after eight seconds."""


class Bell:
    """A Signal that ten thousand phones wait for at a time, each for a while of its own.

    To wait, and to wait no longer, costs the same however many others do; an asyncio.Event looks through all of them
    for the one who leaves.
    """

    __slots__ = ("_is_set", "_waiting")

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: set[asyncio.Future[None]] = set()

    def set(self) -> None:
        self._is_set = True
        for waiting in self._waiting:
            _ring(waiting)

    def clear(self) -> None:
        self._is_set = False

    async def wait(self, seconds: float) -> None:
        """Until it rings, and no longer than so many seconds."""
        if self._is_set:
            return
        loop = asyncio.get_running_loop()
        waiting = loop.create_future()
        self._waiting.add(waiting)
        timer = loop.call_later(seconds, _ring, waiting)
        try:
            await waiting
        finally:
            timer.cancel()
            self._waiting.discard(waiting)


def _ring(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    __slots__ = ("_answer", "_part", "_transport", "idle_since")

    def __init__(self) -> None:
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._part = b""
        self._transport: asyncio.Transport | None = None
        self.idle_since = 0.0

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast and not a check: uvloop's transports are not registered as asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes, answer: asyncio.Future[tuple[int, bytes]]) -> None:
        assert self._transport is not None
        self._answer = answer
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        part = self._part = self._part + data if self._part else data
        try:
            whole = answer_in(part)
        except ConnectionError as broken:
            self.abort(broken)
            return
        if whole is None:
            return
        self._part = b""
        status, body, stays = whole
        if not stays:
            self._close()
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result((status, body))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(ConnectionResetError("the connection ended before the answer"))

    def abort(self, why: Exception) -> None:
        """End the connection; whoever waits for an answer gets `why`."""
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(why)
        self._close()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class _Server:
    """The connections to one server: the most recently used first, waiters served in their order."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._idle: deque[_Connection] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._used_count = 0
        self.head = head_for(host, port)

    async def take(self) -> _Connection:
        if self._used_count < CONNECTIONS_MAX:
            self._used_count += 1
        else:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._leave()
                raise
        loop = asyncio.get_running_loop()
        fresh_since = loop.time() - IDLE_MAX_S
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and connection.idle_since >= fresh_since:
                return connection
            connection.abort(ConnectionError("idle for too long"))
        try:
            async with asyncio.timeout(ATTEMPT_TIMEOUT_S):
                _, connection = await loop.create_connection(_Connection, self._host, self._port)
        except BaseException:
            self._leave()
            raise
        return connection

    def give_back(self, connection: _Connection) -> None:
        if connection.is_open:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        self._leave()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().abort(ConnectionError("closed"))

    def _leave(self) -> None:
        """Hand the room to whoever waits longest; if it were freed first, a newcomer would take it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._used_count -= 1


class LoopWire(Wire):
    """Phones on asyncio; use as a context."""

    def __init__(self, *, dice: random.Random, observer: Observer, network: Network | None = None) -> None:
        super().__init__(dice=dice, observer=observer, network=network)
        self._servers: dict[tuple[str, int], _Server] = {}

    def now(self) -> float:
        # The loop's own clock would do, were it not for uvloop: its time stands still within a turn and counts
        # whole milliseconds, which is more than a quick answer takes.
        return time.monotonic()

    def signal(self) -> Bell:
        return Bell()

    async def sleep(self, seconds: float, *, unless: Signal | None = None) -> None:
        if unless is None:
            await asyncio.sleep(seconds)
            return
        assert isinstance(unless, Bell)
        await unless.wait(seconds)

    async def together(self, *works: Coroutine[Any, Any, T]) -> list[T]:
        return list(await asyncio.gather(*works))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers.values():
            server.close()

    async def once(
        self, method: str, url: URL, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        place = (str(url.host), int(url.port or 80))
        server = self._servers.get(place)
        if server is None:
            server = self._servers[place] = _Server(*place)
        request = request_bytes(method, url, server.head, headers=headers, body=body)
        connection = await server.take()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[int, bytes]] = loop.create_future()
        silence = loop.call_later(ATTEMPT_TIMEOUT_S, connection.abort, TimeoutError("no answer"))
        try:
            connection.send(request, answer)
            status, raw = await answer
        except asyncio.CancelledError:
            # Its answer may still come and must not be taken for the next request's.
            connection.abort(ConnectionError("nobody waits for the answer"))
            raise
        finally:
            silence.cancel()
            server.give_back(connection)
        return Reply(status, orjson.loads(raw) if raw else {})
