"""The phones' wire on gevent, against a real server that misbehaves on purpose; no event loop runs here."""

import asyncio
import random
from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent import socket
from gevent.event import Event
from gevent.server import StreamServer
from yarl import URL

from loadtest.wires import greenlets
from loadtest.wires.greenlets import GreenletWire, finish

Answer = Callable[[int, socket.socket], None]


class Misbehaving:
    """Answers the n-th request (from 1) as `answer` says; counts requests and connections."""

    def __init__(self) -> None:
        self.requests = 0
        self.connections = 0
        self.answer: Answer = ok
        self.open: list[socket.socket] = []

    def serve(self, connection: socket.socket, _address: object) -> None:
        self.connections += 1
        self.open.append(connection)
        part = b""
        while piece := connection.recv(65_536):
            part += piece
            if b"\r\n\r\n" in part:
                part = b""
                self.requests += 1
                self.answer(self.requests, connection)


def reply(connection: socket.socket, status: int, body: bytes) -> None:
    connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))


def ok(number: int, connection: socket.socket) -> None:
    reply(connection, 200, b'{"number":%d}' % number)


@pytest.fixture
def server() -> Iterator[tuple[Misbehaving, URL]]:
    behaviour = Misbehaving()
    listening = StreamServer(("127.0.0.1", 0), behaviour.serve)
    listening.start()
    yield behaviour, URL(f"http://127.0.0.1:{listening.server_port}/")
    for connection in behaviour.open:
        connection.close()
    listening.stop()


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def wire(heard: list[str]) -> Iterator[GreenletWire]:
    wire = GreenletWire(dice=random.Random(1), observer=lambda _kind, outcome, _s: heard.append(outcome))
    yield wire
    wire.close()


def test_requests_in_a_row_share_one_connection(wire: GreenletWire, server: tuple[Misbehaving, URL]) -> None:
    behaviour, url = server

    async def visit() -> None:
        for _ in range(5):
            await wire.ask("read", "GET", url)

    finish(visit())

    assert (behaviour.requests, behaviour.connections) == (5, 1)


def test_a_refusal_is_an_answer_and_is_not_repeated(
    wire: GreenletWire, server: tuple[Misbehaving, URL], heard: list[str]
) -> None:
    behaviour, url = server
    behaviour.answer = lambda _, connection: reply(connection, 409, b'{"code":"SOLD_OUT"}')

    answer = finish(wire.ask("order", "POST", url, body=b"{}"))

    assert (answer.status, answer.outcome, heard) == (409, "SOLD_OUT", ["SOLD_OUT"])


def test_a_503_is_repeated(wire: GreenletWire, server: tuple[Misbehaving, URL], heard: list[str]) -> None:
    behaviour, url = server

    def away_once(number: int, connection: socket.socket) -> None:
        if number == 1:
            reply(connection, 503, b'{"code":"UNAVAILABLE","retry_after_ms":10}')
        else:
            ok(number, connection)

    behaviour.answer = away_once

    assert finish(wire.ask("order", "POST", url)).body == {"number": 2}
    assert heard == ["outage:UNAVAILABLE", "200"]


def test_a_connection_broken_before_the_answer_is_repeated_on_another(
    wire: GreenletWire, server: tuple[Misbehaving, URL], heard: list[str]
) -> None:
    behaviour, url = server

    def break_once(number: int, connection: socket.socket) -> None:
        if number == 1:
            connection.shutdown(socket.SHUT_RDWR)
        else:
            ok(number, connection)

    behaviour.answer = break_once

    assert finish(wire.ask("order", "POST", url)).body == {"number": 2}
    assert heard == ["outage:connection", "200"]
    assert behaviour.connections == 2


def test_a_connection_that_ended_while_idle_is_no_outage(
    wire: GreenletWire, server: tuple[Misbehaving, URL], heard: list[str]
) -> None:
    behaviour, url = server
    finish(wire.ask("read", "GET", url))

    behaviour.open[0].shutdown(socket.SHUT_RDWR)
    finish(wire.ask("read", "GET", url))

    assert heard == ["200", "200"]


def test_an_answer_in_pieces_is_put_together(wire: GreenletWire, server: tuple[Misbehaving, URL]) -> None:
    behaviour, url = server

    def in_pieces(_: int, connection: socket.socket) -> None:
        for piece in (b"HTTP/1.1 200 OK\r\nContent-Le", b'ngth: 14\r\n\r\n{"whole', b'":true}'):
            connection.sendall(piece)
            gevent.sleep(0.01)

    behaviour.answer = in_pieces

    assert finish(wire.ask("read", "GET", url)).body == {"whole": True}


def test_an_answer_without_a_length_is_an_outage(
    wire: GreenletWire, server: tuple[Misbehaving, URL], heard: list[str]
) -> None:
    behaviour, url = server

    def chunked_once(number: int, connection: socket.socket) -> None:
        if number == 1:
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
        else:
            ok(number, connection)

    behaviour.answer = chunked_once
    finish(wire.ask("read", "GET", url))

    assert heard == ["outage:connection", "200"]


def test_no_more_connections_are_open_at_once_than_allowed(
    wire: GreenletWire, server: tuple[Misbehaving, URL], monkeypatch: pytest.MonkeyPatch
) -> None:
    behaviour, url = server
    monkeypatch.setattr(greenlets, "CONNECTIONS_MAX", 2)

    def slowly(number: int, connection: socket.socket) -> None:
        gevent.sleep(0.01)
        ok(number, connection)

    behaviour.answer = slowly
    gevent.joinall([gevent.spawn(finish, wire.ask("read", "GET", url)) for _ in range(6)], raise_error=True)

    assert (behaviour.requests, behaviour.connections) == (6, 2)


def test_who_is_stopped_feels_a_cancellation(wire: GreenletWire) -> None:
    felt: list[str] = []

    async def visit() -> None:
        try:
            await wire.sleep(60)
        except asyncio.CancelledError:
            felt.append("sent home")
            raise

    visitor = gevent.spawn(finish, visit())
    gevent.sleep(0)
    visitor.kill()

    assert felt == ["sent home"]
    assert isinstance(visitor.value, gevent.GreenletExit)


def test_the_answer_to_somebody_stopped_reaches_nobody_else(
    wire: GreenletWire, server: tuple[Misbehaving, URL]
) -> None:
    behaviour, url = server
    asked = Event()

    def slowly(number: int, connection: socket.socket) -> None:
        asked.set()
        gevent.sleep(0.02)
        if number > 1:
            ok(number, connection)

    behaviour.answer = slowly
    abandoned = gevent.spawn(finish, wire.ask("read", "GET", url))
    asked.wait()
    abandoned.kill()

    assert finish(wire.ask("read", "GET", url)).body == {"number": 2}


def test_things_done_together_are_done_at_the_same_time(wire: GreenletWire) -> None:
    met = wire.signal()

    async def first() -> str:
        await wire.sleep(60, unless=met)
        return "first"

    async def second() -> str:
        met.set()
        return "second"

    assert finish(wire.together(first(), second())) == ["first", "second"]


def test_trouble_in_one_of_two_things_is_raised_where_both_are_waited_for(wire: GreenletWire) -> None:
    async def works() -> None: ...

    async def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        finish(wire.together(works(), fails()))


def test_who_is_stopped_while_doing_two_things_stops_both(wire: GreenletWire) -> None:
    stopped: list[int] = []

    async def wait(number: int) -> None:
        try:
            await wire.sleep(60)
        except asyncio.CancelledError:
            stopped.append(number)
            raise

    visitor = gevent.spawn(finish, wire.together(wait(1), wait(2)))
    gevent.sleep(0.01)
    visitor.kill()

    assert stopped == [1, 2]


def test_a_visit_that_waits_for_anything_but_the_wire_is_refused() -> None:
    class Foreign:
        def __await__(self) -> Iterator[None]:
            yield

    async def visit() -> None:
        await Foreign()

    with pytest.raises(AssertionError, match="not the wire"):
        finish(visit())


def test_the_observer_can_read_how_the_attempt_was_sent(server: tuple[Misbehaving, URL]) -> None:
    sent: list[tuple[str, int]] = []
    wire = GreenletWire(dice=random.Random(1), observer=lambda *_: sent.append(wire.sent))

    finish(wire.ask("order", "POST", server[1]))
    wire.close()

    assert sent == [("POST", len(b'{"number":1}'))]
