"""Hands attempts to callers: the least busy one first, a bounded number in flight each, none forgotten.

An attempt whose caller is lost goes first to the next one; whether the merchant has heard it already is
unknown, which is how WeChat comes to call twice.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from engine.simulator.pay.notices import Notice
from engine.simulator.pay.parcels import Flaw, Parcel

PLACES = 64  # How many callbacks a caller may have in flight; WeChat publishes no number.

Send = Callable[[Parcel], Awaitable[int | None]]


class CallerLost(Exception):
    """The caller ended before it could say how an attempt went; the attempt goes to another one."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """`number` counts from 0. An echo is a duplicate: its answer changes nothing. `flaws` go out one by one first."""

    notice: Notice
    number: int = 0
    echo: bool = False
    flaws: tuple[Flaw, ...] = ()

    @property
    def flaw(self) -> Flaw:
        return self.flaws[0] if self.flaws else Flaw.NONE


@dataclass(slots=True, eq=False)
class _Line:
    """One caller and how many attempts it has in flight."""

    send: Send
    busy: int = 0


class Dispatch:
    """`write` makes the parcel of an attempt at the moment it goes, `judge` hears the merchant's status or None."""

    def __init__(self, *, write: Callable[[Attempt], Parcel], judge: Callable[[Attempt, int | None], None]) -> None:
        self.resent = 0
        self._write = write
        self._judge = judge
        self._loop = asyncio.get_running_loop()
        self._due: deque[Attempt] = deque()
        self._lines: list[_Line] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._open = True

    def add_caller(self, send: Send) -> Callable[[], None]:
        """Give this caller its share of the work until the returned function is called."""
        line = _Line(send)
        self._lines.append(line)
        self._pump()
        return lambda: self._forget(line)

    def put(self, attempt: Attempt, *, wait_s: float = 0.0) -> None:
        """Let an attempt go out after a while, as soon as a caller has a free place."""
        if wait_s > 0:
            self._loop.call_later(wait_s, self.put, attempt)
            return
        self._due.append(attempt)
        self._pump()

    def close(self) -> None:
        """Send nothing more and ignore how attempts in flight end."""
        self._open = False
        self._lines.clear()

    async def stop(self) -> None:
        """Drop what is in flight."""
        self.close()
        for sending in list(self._sending):
            sending.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    def _forget(self, line: _Line) -> None:
        if line in self._lines:
            self._lines.remove(line)

    def _pump(self) -> None:
        while self._open and self._due and self._lines:
            line = min(self._lines, key=lambda line: line.busy)
            if line.busy >= PLACES:
                return
            attempt = self._due.popleft()
            line.busy += 1
            sending = self._loop.create_task(self._deliver(line, attempt))
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)

    async def _deliver(self, line: _Line, attempt: Attempt) -> None:
        status: int | None = None
        try:
            status = await line.send(self._write(attempt))
        except CallerLost:
            self.resent += 1
            self._forget(line)
            self._due.appendleft(attempt)
            return
        except Exception as error:  # A defect here must not swallow a notice: it is tried again like any failure.
            self._loop.call_exception_handler({"message": "a callback could not be sent", "exception": error})
        finally:
            line.busy -= 1
            self._loop.call_soon(self._pump)
        if self._open:
            self._judge(attempt, status)
