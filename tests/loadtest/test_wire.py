"""The phones' wire against a real server that misbehaves on purpose."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from yarl import URL

from loadtest.wires import loop
from loadtest.wires.loop import Bell, LoopWire

Answer = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


class Misbehaving:
    """Answers the n-th request (from 1) as `answer` says; counts requests and connections."""

    def __init__(self) -> None:
        self.requests = 0
        self.connections = 0
        self.answer: Answer = ok

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                await self.answer(self.requests, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def reply(writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
    writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))


async def ok(number: int, writer: asyncio.StreamWriter) -> None:
    reply(writer, 200, b'{"number":%d}' % number)


@pytest.fixture
async def server() -> AsyncIterator[tuple[Misbehaving, URL]]:
    behaviour = Misbehaving()
    listening = await asyncio.start_server(behaviour.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    yield behaviour, URL(f"http://127.0.0.1:{port}/")
    listening.close()


@pytest.fixture
async def heard() -> list[str]:
    return []


@pytest.fixture
async def wire(heard: list[str]) -> AsyncIterator[LoopWire]:
    async with LoopWire(dice=random.Random(1), observer=lambda _kind, outcome, _s: heard.append(outcome)) as wire:
        yield wire


async def test_requests_in_a_row_share_one_connection(wire: LoopWire, server: tuple[Misbehaving, URL]) -> None:
    behaviour, url = server

    for _ in range(5):
        await wire.ask("read", "GET", url)

    assert (behaviour.requests, behaviour.connections) == (5, 1)


async def test_a_refusal_is_an_answer_and_is_not_repeated(
    wire: LoopWire, server: tuple[Misbehaving, URL], heard: list[str]
) -> None:
    behaviour, url = server

    async def refuse(_: int, writer: asyncio.StreamWriter) -> None:
        reply(writer, 409, b'{"code":"SOLD_OUT"}')

    behaviour.answer = refuse
    answer = await wire.ask("order", "POST", url)

    assert (answer.status, answer.outcome, heard) == (409, "SOLD_OUT", ["SOLD_OUT"])


async def test_a_503_is_repeated_not_before_the_wait_it_names(
    wire: LoopWire, server: tuple[Misbehaving, URL], heard: list[str]
) -> None:
    behaviour, url = server

    async def away_once(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 1:
            reply(writer, 503, b'{"code":"UNAVAILABLE","retry_after_ms":300}')
        else:
            await ok(number, writer)

    behaviour.answer = away_once
    clock = asyncio.get_running_loop().time
    began = clock()
    answer = await wire.ask("order", "POST", url)

    assert answer.body == {"number": 2}
    assert clock() - began >= 0.3
    assert heard == ["outage:UNAVAILABLE", "200"]


async def test_a_connection_broken_before_the_answer_is_repeated_on_another(
    wire: LoopWire, server: tuple[Misbehaving, URL], heard: list[str]
) -> None:
    behaviour, url = server

    async def break_once(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 1:
            writer.transport.abort()
        else:
            await ok(number, writer)

    behaviour.answer = break_once
    answer = await wire.ask("order", "POST", url)

    assert answer.body == {"number": 2}
    assert heard == ["outage:connection", "200"]
    assert behaviour.connections == 2


async def test_an_answer_in_pieces_is_put_together(wire: LoopWire, server: tuple[Misbehaving, URL]) -> None:
    behaviour, url = server

    async def in_pieces(_: int, writer: asyncio.StreamWriter) -> None:
        for piece in (b"HTTP/1.1 200 OK\r\nContent-Le", b'ngth: 14\r\n\r\n{"whole', b'":true}'):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)

    behaviour.answer = in_pieces

    assert (await wire.ask("read", "GET", url)).body == {"whole": True}


async def test_the_answer_of_a_cancelled_request_reaches_nobody_else(
    wire: LoopWire, server: tuple[Misbehaving, URL]
) -> None:
    behaviour, url = server
    asked, gone = asyncio.Event(), asyncio.Event()

    async def once_nobody_waits(number: int, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await gone.wait()
        await ok(number, writer)

    behaviour.answer = once_nobody_waits
    abandoned = asyncio.create_task(wire.ask("read", "GET", url))
    await asked.wait()
    abandoned.cancel()
    gone.set()

    assert (await wire.ask("read", "GET", url)).body == {"number": 2}


async def test_who_waits_for_a_connection_goes_before_newcomers(
    server: tuple[Misbehaving, URL], wire: LoopWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CONNECTIONS_MAX", 1)
    _, url = server
    order: list[str] = []

    async def ask(*names: str) -> None:
        for name in names:
            await wire.ask(name, "GET", url)
            order.append(name)

    await asyncio.gather(ask("first", "newcomer"), ask("second"), ask("third"))
    assert order == ["first", "second", "third", "newcomer"]


async def test_whoever_rests_is_woken_by_the_signal() -> None:
    bell = Bell()
    resting = [asyncio.create_task(bell.wait(60)) for _ in range(3)]
    await asyncio.sleep(0)
    bell.set()
    async with asyncio.timeout(10):
        await asyncio.gather(*resting)


async def test_nobody_rests_while_the_signal_is_set() -> None:
    bell = Bell()
    bell.set()
    async with asyncio.timeout(10):
        await bell.wait(60)


async def test_a_rest_ends_without_the_signal_too() -> None:
    async with asyncio.timeout(10):
        await Bell().wait(0.01)


async def test_a_signal_that_was_cleared_is_waited_for_again() -> None:
    bell = Bell()
    bell.set()
    bell.clear()
    resting = asyncio.create_task(bell.wait(60))
    await asyncio.sleep(0)
    assert not resting.done()
    bell.set()
    await resting


async def test_who_is_sent_home_is_waited_for_no_more() -> None:
    bell = Bell()
    resting = asyncio.create_task(bell.wait(60))
    await asyncio.sleep(0)
    resting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await resting
    bell.set()
    assert resting.cancelled()
