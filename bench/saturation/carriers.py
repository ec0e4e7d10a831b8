"""What carries somebody's business: a connection carries one request, a shopper one whole checkout at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar, cast

from bench.shoppers import Errand, Wire, check_out

PAID = "paid"
BROKEN = "broken"
NOTHING_LEFT = "nothing left to send"
REFUSALS = frozenset({"429", "503"})
UNTOUCHED = b'"OVERLOADED"'  # the code of a refusal before which nothing was begun


Business = TypeVar("Business", bytes, Errand)


class Supply(Generic[Business]):
    """What is there to send. When `repeat`, everything again and again."""

    def __init__(self, prepared: Sequence[Business], *, repeat: bool) -> None:
        self._left: deque[Business] = deque(prepared)
        self._repeat = repeat

    def take(self) -> Business | None:
        """The next one; None when there is nothing left."""
        if not self._left:
            return None
        one = self._left.popleft()
        if self._repeat:
            self._left.append(one)
        return one

    def give_back(self, one: Business) -> None:
        """It was refused before anything happened, so somebody else may have it."""
        if not self._repeat:
            self._left.append(one)


class Carrier(Protocol):
    """Takes one person's business and reports what became of it."""

    def carry(self, came_s: float) -> None: ...


# carrier, when the person came, the answer (a status, or what went wrong in words), whether it was a refusal
Done = Callable[[Carrier, float, str, bool], None]


class Connection(asyncio.Protocol):
    """One keep-alive connection. An answer is read no further than its status, its length and one marker."""

    __slots__ = ("_came_s", "_done", "_marker", "_part", "_request", "_supply", "_transport")

    def __init__(self, supply: Supply[bytes], marker: bytes, done: Done) -> None:
        self._supply = supply
        self._request = b""
        self._marker = marker
        self._done = done
        self._part = b""
        self._came_s: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast and not a check: uvloop's transports are not registered as asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def carry(self, came_s: float) -> None:
        request = self._supply.take()
        if request is None:
            self._done(self, came_s, NOTHING_LEFT, False)
            return
        self._request = request
        self._came_s = came_s
        self._transport.write(request)

    def data_received(self, chunk: bytes) -> None:
        if self._part:
            chunk = self._part + chunk
        head_end = chunk.find(b"\r\n\r\n") + 4
        at = chunk.find(b"Content-Length: ", 0, head_end) + 16
        if head_end < 4 or (at >= 16 and len(chunk) < head_end + int(chunk[at : chunk.find(b"\r", at)])):
            self._part = chunk
            return
        self._part = b""
        if (came_s := self._came_s) is None:
            return
        self._came_s = None
        status = chunk[9:12].decode("latin-1")
        if status in REFUSALS:
            if UNTOUCHED in chunk:
                self._supply.give_back(self._request)
            self._done(self, came_s, status, True)
        elif self._marker in chunk:
            self._done(self, came_s, status, False)
        else:
            self._done(self, came_s, chunk[9 : head_end + 300].decode("utf-8", "replace"), False)

    def connection_lost(self, exc: Exception | None) -> None:
        if (came_s := self._came_s) is not None:
            self._came_s = None
            self._done(self, came_s, BROKEN, False)

    def close(self) -> None:
        self._transport.close()


class Shopper:
    """Order, prepay, pay: over a connection to the engine and one to WeChat."""

    def __init__(self, supply: Supply[Errand], engine: Wire, simulator: Wire, done: Done) -> None:
        self._supply = supply
        self._engine = engine
        self._simulator = simulator
        self._done = done
        self._task: asyncio.Task[None] | None = None

    def carry(self, came_s: float) -> None:
        errand = self._supply.take()
        if errand is None:
            self._done(self, came_s, NOTHING_LEFT, False)
        else:
            self._task = asyncio.get_running_loop().create_task(self._shop(errand, came_s))

    async def _shop(self, errand: Errand, came_s: float) -> None:
        try:
            problem = await check_out(errand, engine=self._engine, simulator=self._simulator)
        except OSError:
            problem = BROKEN
        if problem is None:
            self._done(self, came_s, PAID, False)
            return
        # "order 503", "payment 503 {...}": the step and what it was told.
        self._done(self, came_s, problem, problem.split()[1:2] != [] and problem.split()[1] in REFUSALS)

    def close(self) -> None:
        self._engine.close()
        self._simulator.close()
