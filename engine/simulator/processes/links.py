"""Calls between the simulator's processes: msgpack over one unix socket each, many in flight, batched.

Either end may ask; answers come back in any order. What is said within one turn of the event loop leaves in
one write. A link that breaks fails what was waiting for it with LinkLost: whether the other end had acted by
then is unknown.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgpack

FRAME_MAX_BYTES = 512 * 1024 * 1024  # A bill of a great many orders crosses in one piece.
_ASK, _REPLY, _FAILURE = 0, 1, 2

Serve = Callable[["Link", Any], object | Awaitable[object]]


class LinkLost(ConnectionError):
    """The other process ended, or broke off, before it answered."""


class RemoteError(Exception):
    """The other process met a defect while it served; its own log tells more."""


class Link(asyncio.Protocol):
    """One end. `serve` answers what the other end asks, `lost` hears once that the link is over."""

    def __init__(self, serve: Serve, lost: Callable[["Link"], None]) -> None:
        self._serve = serve
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._unpacker = msgpack.Unpacker(max_buffer_size=FRAME_MAX_BYTES, strict_map_key=False)
        self._transport: asyncio.WriteTransport | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._out: list[bytes] = []
        self._answering: set[asyncio.Task[None]] = set()

    def ask(self, question: object) -> asyncio.Future[Any]:
        """A future of the answer; fails with LinkLost or RemoteError."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._transport is None:
            future.set_exception(LinkLost())
            return future
        self._number += 1
        self._waiting[self._number] = future
        self._say(self._number, _ASK, question)
        return future

    @property
    def is_up(self) -> bool:
        return self._transport is not None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(LinkLost())
        self._lost(self)

    def data_received(self, data: bytes) -> None:
        self._unpacker.feed(data)
        for number, kind, content in self._unpacker:
            if kind == _ASK:
                self._answer(number, content)
                continue
            future = self._waiting.pop(number, None)
            if future is None or future.done():
                continue
            if kind == _REPLY:
                future.set_result(content)
            else:
                future.set_exception(RemoteError(content))

    def _answer(self, number: int, question: Any) -> None:
        try:
            answer = self._serve(self, question)
        except Exception as error:
            self._fail(number, error)
            return
        if inspect.isawaitable(answer):
            answering = self._loop.create_task(self._answer_later(number, answer))
            self._answering.add(answering)
            answering.add_done_callback(self._answering.discard)
        else:
            self._say(number, _REPLY, answer)

    async def _answer_later(self, number: int, answer: Awaitable[object]) -> None:
        try:
            self._say(number, _REPLY, await answer)
        except Exception as error:
            self._fail(number, error)

    def _fail(self, number: int, error: Exception) -> None:
        self._say(number, _FAILURE, f"{type(error).__name__}: {error}")
        self._loop.call_exception_handler({"message": "a question could not be answered", "exception": error})

    def _say(self, number: int, kind: int, content: object) -> None:
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(msgpack.packb((number, kind, content)))

    def _flush(self) -> None:
        out, self._out = self._out, []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(out))
