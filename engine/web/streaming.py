"""Answers without an end: a head, and pieces as they come (Server-Sent Events).

A stream costs a connection and nothing else: no task of its own turns for it, and whoever publishes writes a piece to
many of them. It is no request any more once its head is out, so it takes no slot and no request timeout cuts it. It
ends when its client leaves, when the server drains, or when the publisher ends it; the end of the connection is the
end of the body. A client that is behind with its reading misses pieces; one that does not read at all loses the
connection like any other.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from engine.web.http import Request, Response

if TYPE_CHECKING:
    from engine.web.connection import Connection

EVENTS_TYPE = "text/event-stream"
# Nobody in between may keep or gather the pieces; the second line is how nginx is told.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Stream(Response):
    """An answer whose body grows. `first` goes out with the head; `ended` is called once, however it ends."""

    __slots__ = ("_connection", "_ended", "_over")

    def __init__(
        self, first: bytes, *, ended: "Callable[[Stream], None]", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(first, content_type=EVENTS_TYPE, headers={**HEADERS, **(headers or {})})
        self.keep_alive = False
        self._ended = ended
        self._over = False
        self._connection: Connection | None = None

    def send(self, piece: bytes) -> bool:
        """Write a piece; False when the client cannot take it now."""
        connection = self._connection
        if connection is None or connection.transport is None or connection.writing_paused:
            return False
        connection.transport.write(piece)
        return True

    def end(self) -> None:
        """Let the connection close. Harmless when it has ended before."""
        if self._over:
            return
        self._over = True
        if self._connection is not None:
            self._connection.stream = None
            self._connection.close()
            self._connection = None
        self._ended(self)

    def force_close(self) -> None:
        """The server leaves: end."""
        self.end()

    def write_to(self, request: Request) -> None:
        """Write the head and the first piece, and belong to the connection from now on."""
        super().write_to(request)
        connection = request.connection
        if request.method == "HEAD" or connection.transport is None:
            self.end()
        if not self._over:
            self._connection = connection
            connection.stream = self

    def _first_lines(self) -> bytes:
        return f"HTTP/1.1 200 OK\r\nContent-Type: {EVENTS_TYPE}\r\n".encode()
