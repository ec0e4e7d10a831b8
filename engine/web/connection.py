"""One client's connection: bytes in, requests out in order, answers in the same order.

aiohttp parses (its C parser, with its limits on heads), and its base protocol tells the parser when to pause. What
stands between parser and handler is ours: aiohttp's own handler needs a task for each connection, another one for each
request, and three turns of the loop from the bytes to the handler. Here a request that came whole is served in the turn
in which it came, and an answer that is known at once needs no task at all.

One request at a time is served; those behind it wait here, a few of them, and then no more is read. A connection is
quiet when nothing is being served on it: its server ends those that are quiet for too long, which bounds both idle
connections and heads that never end. A client that does not take its answers loses the connection.
"""

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from aiohttp.web import RequestPayloadError

from engine.web.http import Request, Response

if TYPE_CHECKING:
    from engine.web.streaming import Stream

HEAD_LINE_BYTES_MAX = 4096
HEAD_FIELD_BYTES_MAX = 4096
HEAD_FIELDS_MAX = 64
BODY_BUFFER_BYTES = 65_536  # of a body that nobody reads yet; then reading pauses
WAITING_COUNT_MAX = 16  # requests of one connection that wait behind the one being served
LINGER_S = 1.0  # for the rest of a body that nobody asked for: closing on it would take the answer away with it


class Server(Protocol):
    """What a connection asks of who listens."""

    def serve(self, request: Request) -> None:
        """Answer it, now or later, with `request.connection.answer`."""

    def serve_broken(self, request: Request) -> None:
        """The same for what is not HTTP."""

    def opened(self, connection: "Connection") -> None:
        """The connection is there."""

    def gone(self, connection: "Connection") -> None:
        """The connection has ended."""


class Connection(BaseProtocol):
    """What one client sends and is told. `since_s`: when it was made, gave its last answer, or was told to close."""

    __slots__ = (
        "_closing",
        "_deaf",
        "_patience",
        "_peer",
        "_reader_timeout_s",
        "_serving",
        "_turning",
        "_waiting",
        "server",
        "since_s",
        "stream",
    )

    _parser: Any

    def __init__(self, server: Server, *, loop: asyncio.AbstractEventLoop, reader_timeout_s: float) -> None:
        parser = HttpRequestParser(
            self,
            loop,
            BODY_BUFFER_BYTES,
            max_line_size=HEAD_LINE_BYTES_MAX,
            max_field_size=HEAD_FIELD_BYTES_MAX,
            max_headers=HEAD_FIELDS_MAX,
            payload_exception=RequestPayloadError,
            auto_decompress=False,
            # One more than we let wait. It counts a request when the last byte of it is there, maybe long after we took
            # it out, so it may count one too many; were it to stop before we do, nobody would tell it to go on.
            max_msg_queue_size=WAITING_COUNT_MAX + 1,
        )
        super().__init__(loop, parser)
        self.server = server
        self.since_s = time.monotonic()
        self.stream: Stream | None = None
        self._reader_timeout_s = reader_timeout_s
        self._patience: asyncio.TimerHandle | None = None
        self._peer: str | None = None
        self._waiting: deque[Request | None] = deque()  # None: what is not HTTP
        self._serving: Request | None = None
        self._turning = False
        self._deaf = False
        self._closing = False

    @property
    def peer(self) -> str | None:
        """The address of the other side."""
        if self._peer is None and self.transport is not None:
            found = self.transport.get_extra_info("peername")
            self._peer = found[0] if found else None
        return self._peer

    def quiet_s(self, now_s: float) -> float:
        """For how long nothing has been served here and no answer was on its way; or since when it should be gone."""
        is_busy = (self._serving is not None or self._paused) and not self._closing
        return 0.0 if is_busy else now_s - self.since_s

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.server.opened(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._calm()
        self._closing = True
        self._waiting.clear()
        super().connection_lost(exc)
        serving = self._serving
        if serving is not None and not serving.content.is_eof():
            serving.content.set_exception(ConnectionResetError("the connection is gone"))
        if self.stream is not None:
            self.stream.end()
        # Both know us: memory is given back now, and not when the collector comes by, which it seldom does here.
        self._parser = self._serving = None
        self.server.gone(self)

    def eof_received(self) -> None:
        """The client says no more: the transport closes."""

    def data_received(self, data: bytes) -> None:
        """Take in what came; serve it if nothing is being served."""
        if self._deaf or self._closing:
            return
        parser = self._parser
        waiting = self._waiting
        try:
            arrived, switches, _ = parser.feed_data(data)
        except HttpProcessingError:
            self._deaf = True
            for request in (self._serving, *waiting):
                if request is not None and not request.content.is_eof():
                    request.content.set_exception(RequestPayloadError("its body goes on with what is not HTTP"))
            waiting.append(None)
        else:
            for message, content in arrived:
                waiting.append(Request(self, message, content))
            self._deaf = switches  # to another protocol, which nobody speaks here: the answer ends the connection
        if len(waiting) >= WAITING_COUNT_MAX and not self._buffer_paused:
            self._pause_reading_for_buffer()
        if self._serving is None:
            self._serve_waiting()

    def _resume_transport_reading(self) -> None:
        """The parser asks for this after every body; most of the time nothing was paused."""
        if self.transport is not None and not self.transport.is_reading():
            super()._resume_transport_reading()

    def _serve_waiting(self) -> None:
        """Serve what waits, one after the other. A loop, because an answer may be there at once."""
        if self._turning:
            return
        self._turning = True
        waiting = self._waiting
        while waiting and self._serving is None and not (self._paused or self._closing):
            request = waiting.popleft()
            if request is None:
                self._serving = Request.of_nothing(self)
                self.server.serve_broken(self._serving)
                continue
            self._serving = request
            self._parser.message_consumed()
            if self._buffer_paused and len(waiting) < WAITING_COUNT_MAX // 2:
                self._read_on()
            self.server.serve(request)
        self._turning = False

    def _read_on(self) -> None:
        self.data_received(b"")  # what the parser has kept back may fill the queue again
        if len(self._waiting) < WAITING_COUNT_MAX:
            self._resume_reading_for_buffer()

    def answer(self, request: Request, response: Response) -> None:
        """Write the answer to the request being served; then the next one, or the end."""
        response.write_to(request)
        if self.stream is not None or self._closing:
            return
        if not request.content.is_eof():
            self._loop.create_task(self._linger(request, response))
        else:
            self._conclude(response)

    def _conclude(self, response: Response) -> None:
        if not response.keep_alive:
            self.close()
            return
        self._serving = None
        self.since_s = time.monotonic()
        if self._waiting:
            self._serve_waiting()

    async def _linger(self, request: Request, response: Response) -> None:
        """Take in the rest of a body for a moment, so that the client gets to read its answer."""
        content = request.content
        try:
            async with asyncio.timeout(LINGER_S):
                while not content.is_eof():
                    await content.readany()
        except (TimeoutError, RequestPayloadError, ConnectionError):
            response.force_close()
        self._conclude(response)

    def close(self) -> None:
        """Send what is written and end."""
        if not self._closing:
            self._closing = True
            self.since_s = time.monotonic()
        if self.transport is not None:
            self.transport.close()

    def end(self) -> None:
        """Close; at once where that was asked for before, because the client does not take what is left."""
        if self._closing and self.transport is not None:
            self.transport.abort()
        else:
            self.close()

    def pause_writing(self) -> None:
        """The client does not read: what we wrote fills its window and our buffer."""
        super().pause_writing()
        if self.transport is not None:
            self._patience = self._loop.call_later(self._reader_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._calm()
        self.since_s = time.monotonic()
        if self._serving is None:
            self._serve_waiting()

    def _calm(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
