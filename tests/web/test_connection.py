"""One connection, seen from its socket: order kept, nothing lost, and ended only when it is quiet."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from engine.web.http import Later, Request, Response, answer
from engine.web.listening import listen
from engine.web.routes import Route, RouteTable
from engine.web.server import Limits, Listener
from tests.web import raw

PATIENCE_S = 10.0
MANY = 200  # more than one connection may have waiting


class Counter:
    """A listener that answers every request with its number, at once, from a future or from a task."""

    def __init__(self) -> None:
        sock = listen("127.0.0.1", 0, shared=False)
        limits = Limits(
            body_bytes_max=1000,
            head_timeout_s=1.0,
            body_timeout_s=5.0,
            request_timeout_s=1.0,
            concurrent_requests_max=100,
        )
        routes = [
            Route("GET", "/{way}/now", lambda _request, way: self._answer()),
            Route("GET", "/{way}/later", lambda _request, way: Later(self._future(), answer)),
            Route("GET", "/{way}/task", self._task),
            Route("GET", "/{way}/never", lambda _request, way: Later(asyncio.Future(), answer)),
            Route("GET", "/{way}/mistake", self._mistake),
            Route("GET", "/{way}/broken", self._broken),
        ]
        self.listener = Listener(RouteTable(routes), limits, sock)
        self.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        self._count = 0

    def _number(self) -> int:
        self._count += 1
        return self._count

    def _answer(self) -> Response:
        return answer(self._number())

    def _future(self) -> "asyncio.Future[int]":
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(lambda: future.set_result(self._number()))
        return future

    def _mistake(self, _request: Request, _way: str) -> Response:
        raise ValueError("a mistake")

    async def _broken(self, _request: Request, _way: str) -> Response:
        raise ConnectionResetError("some other connection")

    async def _task(self, _request: Request, _way: str) -> Response:
        await asyncio.sleep(0)
        return answer(self._number())


@pytest.fixture
async def counter() -> AsyncIterator[Counter]:
    found = Counter()
    await found.listener.start()
    yield found
    await found.listener.drain(notice_s=0.0, timeout_s=2.0)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode()


async def read_bodies(reader: asyncio.StreamReader, count: int) -> list[bytes]:
    bodies = []
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(count):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split()[0])
            bodies.append(await reader.readexactly(length))
    return bodies


@pytest.mark.parametrize("ways", [["now"], ["later"], ["task"], ["now", "later", "task"]], ids="-".join)
async def test_many_requests_in_one_piece_are_answered_in_order(counter: Counter, ways: list[str]) -> None:
    async with raw.connection(counter.url) as (reader, writer):
        writer.write(b"".join(get(f"/x/{ways[number % len(ways)]}") for number in range(MANY)))
        assert await read_bodies(reader, MANY) == [b"%d" % number for number in range(1, MANY + 1)]


async def test_a_request_that_comes_byte_by_byte_is_one_request(counter: Counter) -> None:
    async with raw.connection(counter.url) as (reader, writer):
        for byte in get("/x/now") + get("/x/later"):
            writer.write(bytes([byte]))
            await writer.drain()
        assert await read_bodies(reader, 2) == [b"1", b"2"]


async def test_a_future_that_is_never_done_is_answered_when_its_time_is_over(counter: Counter) -> None:
    async with raw.connection(counter.url) as (reader, writer):
        writer.write(get("/x/never") + get("/x/now"))
        overdue, following = await read_bodies(reader, 2)
        assert (b"UNAVAILABLE" in overdue, following) == (True, b"1")


@pytest.mark.parametrize("mistake", ["mistake", "broken"])
async def test_a_mistake_of_a_handler_is_500_and_the_connection_serves_on(counter: Counter, mistake: str) -> None:
    async with raw.connection(counter.url) as (reader, writer):
        writer.write(get(f"/x/{mistake}") + get("/x/now"))
        mistaken, following = await read_bodies(reader, 2)
        assert (b"INTERNAL" in mistaken, following) == (True, b"1")


async def test_a_client_that_leaves_early_disturbs_nobody(counter: Counter) -> None:
    async with raw.connection(counter.url) as (_, writer):
        writer.write(get("/x/never"))
        await writer.drain()
    async with raw.connection(counter.url) as (reader, writer):
        writer.write(get("/x/later"))
        assert await read_bodies(reader, 1) == [b"1"]
