"""Who listens to the line, and what they are told, over real connections. The clock is an argument."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from engine.line.front.document import LineDocument
from engine.line.front.streams import EVENT_EVERY_S, HEARTBEAT, HEARTBEAT_EVERY_S, LineStreams
from engine.web.http import Request, Response, refuse
from engine.web.listening import listen
from engine.web.problems import Code
from engine.web.routes import Route, RouteTable
from engine.web.server import Limits, Listener
from tests.web import raw

NOW_S = 1000.0


def document(number: int, *, gist: int | None = None) -> LineDocument:
    return LineDocument(b'{"n":%d}' % number, f'"{number:016x}"', b"%d" % (number if gist is None else gist))


class Station:
    """A listener whose one address is the stream of the sale `spring`, which begins with document 0."""

    def __init__(self, streams_max: int) -> None:
        self.streams = LineStreams(streams_max=streams_max)
        sock = listen("127.0.0.1", 0, shared=False)
        limits = Limits(
            body_bytes_max=1000,
            head_timeout_s=5.0,
            body_timeout_s=1.0,
            request_timeout_s=5.0,
            concurrent_requests_max=100,
        )
        self.listener = Listener(RouteTable([Route("GET", "/", self._get)]), limits, sock)
        self._url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        self._stack = AsyncExitStack()

    async def _get(self, request: Request) -> Response:
        return self.streams.open("spring", document(0)) or refuse(request, Code.OVERLOADED)

    async def listener_of(self) -> asyncio.StreamReader:
        """A client that has sent its request."""
        reader, writer = await self._stack.enter_async_context(raw.connection(self._url))
        writer.write(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
        return reader

    async def tuned_in(self) -> asyncio.StreamReader:
        """A client that has read the head and the first event."""
        reader = await self.listener_of()
        async with asyncio.timeout(raw.PATIENCE_S):
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readuntil(b"\n\n") == b"retry: 3000\n" + event(0)
        return reader

    async def leave(self) -> None:
        """Every client hangs up."""
        await self._stack.aclose()

    def publish(self, found: LineDocument, after_s: float) -> None:
        self.streams.publish("spring", found, NOW_S + after_s)


def event(number: int) -> bytes:
    return b'id: %016x\nevent: line\ndata: {"n":%d}\n\n' % (number, number)


async def piece(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(raw.PATIENCE_S):
        return await reader.readuntil(b"\n\n")


@asynccontextmanager
async def station(*, streams_max: int = 10) -> AsyncIterator[Station]:
    found = Station(streams_max)
    await found.listener.start()
    try:
        yield found
    finally:
        await found.leave()
        await found.listener.drain(notice_s=0.0, timeout_s=5.0)


async def test_everybody_is_told_the_same() -> None:
    async with station() as at:
        readers = [await at.tuned_in() for _ in range(3)]
        at.publish(document(1), 0.0)
        assert {await piece(reader) for reader in readers} == {event(1)}


async def test_there_is_one_event_a_second_at_most() -> None:
    async with station() as at:
        reader = await at.tuned_in()
        for number, after_s in ((1, 0.0), (2, 0.25), (3, 0.5), (4, EVENT_EVERY_S)):
            at.publish(document(number), after_s)
        assert [await piece(reader), await piece(reader)] == [event(1), event(4)]


async def test_time_alone_is_no_event() -> None:
    async with station() as at:
        reader = await at.tuned_in()
        at.publish(document(1, gist=7), 0.0)
        at.publish(document(2, gist=7), 2.0)
        at.publish(document(3, gist=8), 4.0)
        assert [await piece(reader), await piece(reader)] == [event(1), event(3)]


async def test_a_quiet_line_is_still_heard() -> None:
    async with station() as at:
        reader = await at.tuned_in()
        at.publish(document(1, gist=7), 0.0)
        at.publish(document(2, gist=7), HEARTBEAT_EVERY_S - 1)
        at.publish(document(3, gist=7), HEARTBEAT_EVERY_S)
        assert [await piece(reader), await piece(reader)] == [event(1), HEARTBEAT]


async def test_who_comes_when_there_are_too_many_is_sent_back_to_polling() -> None:
    async with station(streams_max=1) as at:
        await at.tuned_in()
        reader = await at.listener_of()
        async with asyncio.timeout(raw.PATIENCE_S):
            head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503")


async def test_who_leaves_makes_room() -> None:
    async with station(streams_max=1) as at:
        await at.tuned_in()
        await at.leave()
        async with asyncio.timeout(raw.PATIENCE_S):
            while len(at.streams):  # noqa: ASYNC110 - the kernel tells the server when it likes
                await asyncio.sleep(0.01)
        await at.tuned_in()
