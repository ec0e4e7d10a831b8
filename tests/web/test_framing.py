"""Where one request ends and the next begins: no byte becomes a part of another request, and none is forgotten."""

import asyncio
import gc
import ipaddress
import itertools
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.web.addresses import Addresses
from engine.web.connection import Connection
from engine.web.http import Later, Outcome, Request, Response, answer, take_body
from engine.web.listening import listen
from engine.web.routes import Route, RouteTable
from engine.web.server import Limits, Listener
from tests.web import raw

PATIENCE_S = 10.0
MANY = 40  # more than may wait on one connection
LARGE = b"x" * 32_768
BEHIND_A_PROXY = Addresses([ipaddress.ip_network("127.0.0.0/8")])


def get(path: str, *fields: str) -> bytes:
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: t", *fields, "", "")).encode()


def post_head(*fields: str) -> bytes:
    return "\r\n".join(("POST /body HTTP/1.1", "Host: t", *fields, "", "")).encode()


def post(body: bytes) -> bytes:
    return post_head(f"Content-Length: {len(body)}") + body


class Echo:
    """A listener that tells what it understood: at once, from a future or from a task."""

    def __init__(self) -> None:
        sock = listen("127.0.0.1", 0, shared=False)
        limits = Limits(
            body_bytes_max=1000,
            head_timeout_s=0.5,
            body_timeout_s=5.0,
            request_timeout_s=6.0,
            concurrent_requests_max=100,
        )
        routes = [
            Route("GET", "/now/{text}", lambda _request, text: answer(text)),
            Route("GET", "/later/{text}", self._later),
            Route("GET", "/task/{text}", self._task),
            Route("GET", "/fields", lambda request: answer(sorted(request.headers))),
            Route("GET", "/address", lambda request: answer(BEHIND_A_PROXY.of(request))),
            Route("GET", "/large", lambda _request: Response(LARGE)),
            Route("POST", "/body", self._body),
        ]
        self.listener = Listener(RouteTable(routes), limits, sock)
        self.address = sock.getsockname()
        self.url = f"http://127.0.0.1:{self.address[1]}"

    def _later(self, _request: Request, text: str) -> Outcome:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, text)
        return Later(future, answer)

    async def _task(self, _request: Request, text: str) -> Response:
        await asyncio.sleep(0)
        return answer(text)

    def _body(self, request: Request) -> Outcome:
        return take_body(request, lambda body: answer(body.hex()), bytes_max=1000, timeout_s=5.0)


@asynccontextmanager
async def echoing() -> AsyncIterator[Echo]:
    echo = Echo()
    await echo.listener.start()
    try:
        yield echo
    finally:
        await echo.listener.drain(notice_s=0.0, timeout_s=0.0)


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    async with echoing() as found:
        yield found


async def read_answers(reader: asyncio.StreamReader, count: int) -> list[str]:
    """The JSON bodies of so many answers; TimeoutError when they do not come."""
    bodies = []
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(count):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split()[0])
            bodies.append((await reader.readexactly(length)).decode())
    return bodies


texts = st.text("abcdefgh", min_size=1, max_size=8)
# Bodies that look like HTTP are the ones to get wrong.
bodies = st.one_of(st.binary(max_size=300), texts.map(lambda text: get(f"/now/{text}")), st.just(b"\r\n\r\n"))
requests = st.one_of(
    st.tuples(st.sampled_from(["now", "later", "task"]), texts).map(
        lambda one: (get(f"/{one[0]}/{one[1]}"), f'"{one[1]}"')
    ),
    bodies.map(lambda body: (post(body), f'"{body.hex()}"')),
)


def cut(sent: bytes, places: list[int]) -> Iterator[bytes]:
    edges = sorted({place % len(sent) for place in places} | {0, len(sent)})
    for start, end in itertools.pairwise(edges):
        yield sent[start:end]


@given(st.lists(requests, min_size=1, max_size=60), st.lists(st.integers(0, 1 << 16), max_size=20))
def test_however_the_bytes_are_cut_every_request_is_answered_in_order(
    asked: list[tuple[bytes, str]], places: list[int]
) -> None:
    async def ask() -> list[str]:
        async with echoing() as echo, raw.connection(echo.url) as (reader, writer):
            for piece in cut(b"".join(sent for sent, _ in asked), places):
                writer.write(piece)
                await asyncio.sleep(0)
            return await read_answers(reader, len(asked))

    assert asyncio.run(ask()) == [expected for _, expected in asked]


async def test_many_requests_behind_a_body_that_came_late_are_all_answered(echo: Echo) -> None:
    async with raw.connection(echo.url) as (reader, writer):
        writer.write(post_head("Content-Length: 2", "Expect: 100-continue"))
        await reader.readuntil(b"100 Continue\r\n\r\n")  # it is being served, and its body is not there
        writer.write(b"ok")
        assert await read_answers(reader, 1) == ['"6f6b"']
        writer.write(get("/now/x") * MANY)
        assert await read_answers(reader, MANY) == ['"x"'] * MANY


@pytest.mark.parametrize("pieces", [1, 2])
async def test_a_trailer_of_one_request_is_no_header_of_the_next(echo: Echo, pieces: int) -> None:
    chunked = post_head("Transfer-Encoding: chunked") + b"2\r\nok\r\n0\r\nAuthorization: Bearer mine\r\n\r\n"
    following = get("/fields", "Connection: close")
    found = await raw.send(echo.url, *([chunked + following] if pieces == 1 else [chunked, following]))
    assert (found.status, b"Authorization" in found.sent) == (200, False)


async def test_the_line_that_a_proxy_writes_below_that_of_the_client_is_the_one_that_counts(echo: Echo) -> None:
    lines = ("X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 192.0.2.2")
    assert (await raw.send(echo.url, get("/address", *lines, "Connection: close"))).body == b'"192.0.2.2"'


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
async def test_an_offer_of_another_protocol_is_answered_in_http_and_ends_the_connection(
    echo: Echo, protocol: str
) -> None:
    offer = get("/now/x", "Connection: Upgrade", f"Upgrade: {protocol}")
    found = await raw.send(echo.url, offer + get("/now/y"))
    assert (found.status, found.body, b"Connection: close" in found.head) == (200, b'"x"', True)


async def test_what_is_not_the_rest_of_a_body_is_400_at_once(echo: Echo) -> None:
    async with raw.connection(echo.url) as (reader, writer):
        writer.write(post_head("Transfer-Encoding: chunked", "Expect: 100-continue"))
        await reader.readuntil(b"100 Continue\r\n\r\n")
        writer.write(b"zz\r\n")
        assert (await raw.read_to_end(reader)).code == "BODY_INVALID"


async def test_a_client_that_takes_nothing_is_gone_after_a_while_however_little_is_left(echo: Echo) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await loop.sock_connect(sock, echo.address)
        await loop.sock_sendall(sock, get("/now/x"))
        await loop.sock_recv(sock, 1)
        (connection,) = echo.listener._connections
        transport = connection.transport
        assert transport is not None
        while not transport.get_write_buffer_size():  # one more than the two kernels keep
            await loop.sock_sendall(sock, get("/large"))
            await asyncio.sleep(0.001)
        assert not connection.writing_paused
        async with asyncio.timeout(PATIENCE_S):
            await echo.listener._left.wait()


def connections_in_memory() -> int:
    return sum(type(one) is Connection for one in gc.get_objects())


@pytest.mark.parametrize(
    "sent",
    [get("/later/x"), get("/now/x", "Connection: close"), get("/fields")[:-2], b"\0"],
    ids=["kept", "closed", "half a head", "not HTTP"],
)
async def test_a_connection_that_is_gone_is_forgotten_without_the_collector(echo: Echo, sent: bytes) -> None:
    gc.collect()
    before = connections_in_memory()
    gc.disable()
    try:
        async with raw.connection(echo.url) as (reader, writer):
            writer.write(get("/now/x") + sent)
            await reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(PATIENCE_S):
            await echo.listener._left.wait()
        assert connections_in_memory() == before
    finally:
        gc.enable()
