"""Streams: a head, pieces as they come, and every way to end."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from engine.web.http import Request, Response, answer
from engine.web.listening import listen
from engine.web.routes import Route, RouteTable
from engine.web.server import Limits, Listener
from engine.web.streaming import Stream
from tests.web import raw

GET = b"GET /events HTTP/1.1\r\nHost: t\r\n\r\n"
PATIENCE_S = 10.0


class Studio:
    """A listener with one stream address, and the streams that it has opened."""

    def __init__(self, *, concurrent_requests_max: int, request_timeout_s: float) -> None:
        sock = listen("127.0.0.1", 0, shared=False)
        limits = Limits(
            body_bytes_max=1000,
            head_timeout_s=5.0,
            body_timeout_s=1.0,
            request_timeout_s=request_timeout_s,
            concurrent_requests_max=concurrent_requests_max,
        )
        routes = [Route("GET", "/events", self.get_events), Route("GET", "/", self.get_plain)]
        self.listener = Listener(RouteTable(routes), limits, sock)
        self.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        self.open: list[Stream] = []
        self._changed = asyncio.Event()

    async def get_plain(self, _request: Request) -> Response:
        return answer({})

    async def get_events(self, _request: Request) -> Response:
        stream = Stream(b"data: first\n\n", ended=self._ended)
        self.open.append(stream)
        self._changed.set()
        return stream

    def _ended(self, stream: Stream) -> None:
        self.open.remove(stream)
        self._changed.set()

    async def until_open(self, count: int) -> None:
        """Wait until so many streams are open."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.open) != count:
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def studio(*, request_timeout_s: float = 5.0, concurrent_requests_max: int = 100) -> AsyncIterator[Studio]:
    found = Studio(request_timeout_s=request_timeout_s, concurrent_requests_max=concurrent_requests_max)
    await found.listener.start()
    try:
        yield found
    finally:
        if not found.listener.draining:
            await found.listener.drain(notice_s=0.0, timeout_s=5.0)


async def read_piece(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        return await reader.readuntil(b"\n\n")


async def read_head(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        return await reader.readuntil(b"\r\n\r\n")


async def test_pieces_arrive_as_they_are_sent() -> None:
    async with studio() as at, raw.connection(at.url) as (reader, writer):
        writer.write(GET)
        head = await read_head(reader)
        assert b"Content-Type: text/event-stream\r\n" in head
        assert b"Content-Length" not in head
        assert await read_piece(reader) == b"data: first\n\n"
        at.open[0].send(b"data: second\n\n")
        assert await read_piece(reader) == b"data: second\n\n"


async def test_the_end_of_a_stream_closes_its_connection() -> None:
    async with studio() as at, raw.connection(at.url) as (reader, writer):
        writer.write(GET)
        await read_head(reader)
        at.open[0].end()
        assert (await raw.read_to_end(reader)).sent == b"data: first\n\n"


async def test_a_client_that_leaves_ends_its_stream() -> None:
    async with studio() as at:
        async with raw.connection(at.url) as (reader, writer):
            writer.write(GET)
            await read_head(reader)
        await at.until_open(0)


async def test_a_drain_ends_every_stream() -> None:
    async with studio() as at, raw.connection(at.url) as (reader, writer):
        writer.write(GET)
        await read_head(reader)
        draining = asyncio.create_task(at.listener.drain(notice_s=0.0, timeout_s=5.0))
        assert (await raw.read_to_end(reader)).sent == b"data: first\n\n"
        await draining
        assert at.open == []


async def test_no_request_timeout_can_cut_a_stream_for_it_is_no_running_request() -> None:
    async with studio() as at, raw.connection(at.url) as (reader, writer):
        writer.write(GET)
        await read_head(reader)
        assert len(at.open) == 1
        assert not at.listener._running


async def test_streams_take_no_request_slot() -> None:
    async with studio(concurrent_requests_max=1) as at, raw.connection(at.url) as (reader, writer):
        writer.write(GET)
        await read_head(reader)
        async with raw.connection(at.url) as (other, plain):
            plain.write(b"GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
            assert (await raw.read_to_end(other)).status == 200


async def test_head_of_a_stream_is_a_head_only() -> None:
    async with studio() as at, raw.connection(at.url) as (reader, writer):
        writer.write(GET.replace(b"GET", b"HEAD"))
        found = await raw.read_to_end(reader)
        assert found.status == 200
        assert found.body == b""
        assert at.open == []


async def test_a_client_that_does_not_read_misses_pieces_and_loses_its_connection() -> None:
    async with studio(request_timeout_s=0.3) as at:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, at.listener.sock.getsockname())
            await loop.sock_sendall(sock, GET)
            await at.until_open(1)
            stream = at.open[0]
            async with asyncio.timeout(PATIENCE_S):
                while stream in at.open:  # until the connection is cut off
                    stream.send(b"data: " + b"x" * 100_000 + b"\n\n")
                    await asyncio.sleep(0.01)
            assert not stream.send(b"data: late\n\n")
