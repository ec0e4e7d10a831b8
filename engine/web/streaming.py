"""Answers without an end: a head, and pieces as they come (Server-Sent Events).

A stream costs a connection and nothing else: no task of its own turns for it, and whoever publishes writes a piece to
many of them. It is no request any more once its head is out, so it takes no slot and no request timeout cuts it. It
ends when its client leaves, when the server drains, or when the publisher ends it; the end of the connection is the
end of the body. A client that is behind with its reading misses pieces; one that does not read at all loses the
connection like any other.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from engine.web.http import Request, Response

EVENTS_TYPE = "text/event-stream"
# Nobody in between may keep or gather the pieces; the second line is how nginx is told.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Stream(Response):
    """An answer whose body grows. `first` goes out with the head; `ended` is called once, however it ends."""

    __slots__ = ("_end", "_ended", "_protocol")

    def __init__(
        self, first: bytes, *, ended: "Callable[[Stream], None]", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(first, content_type=EVENTS_TYPE, headers={**HEADERS, **(headers or {})})
        self.keep_alive = False
        self._ended = ended
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._protocol: Any = None

    def send(self, piece: bytes) -> bool:
        """Write a piece; False when the client cannot take it now."""
        protocol = self._protocol
        if protocol is None or protocol.transport is None or protocol.writing_paused:
            return False
        protocol.transport.write(piece)
        return True

    def end(self) -> None:
        """Let the connection close. Harmless when it has ended before."""
        if not self._end.done():
            self._end.set_result(None)
            self._ended(self)

    def force_close(self) -> None:
        """The server leaves: end."""
        self.end()

    async def prepare(self, request: Request) -> None:
        """Write the head and the first piece. Raises ConnectionResetError when the client has hung up."""
        if request.method == "HEAD":
            self.end()
        try:
            await super().prepare(request)
        except BaseException:
            self.end()
            raise
        self._protocol = request.protocol
        self._protocol.stream = self

    async def write_eof(self) -> None:
        """Return when the stream has ended."""
        try:
            await self._end
        finally:
            self.end()
            self._protocol.stream = None
            self._protocol = None

    def _first_lines(self) -> bytes:
        return f"HTTP/1.1 200 OK\r\nContent-Type: {EVENTS_TYPE}\r\n".encode()
