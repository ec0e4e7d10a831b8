"""A full route: who waits, who goes in, who is refused, and that other routes never notice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hypothesis import given
from hypothesis import strategies as st

from engine.web.http import Outcome, Request, Response, answer, take_body
from engine.web.listening import listen
from engine.web.room import REFUSALS_PER_S, REFUSE_EVERY_S, WAIT_S, Room
from engine.web.routes import Route, RouteTable
from engine.web.server import Limits, Listener
from tests.web import raw

AT_ONCE = int(REFUSALS_PER_S * REFUSE_EVERY_S)


def crowded(count: int, *, waiting_count_max: int = 1000) -> Room[int]:
    """A full room of one, and so many who wait, one a millisecond."""
    room: Room[int] = Room(count_max=1, waiting_count_max=waiting_count_max)
    room.count = 1
    for number in range(count):
        room.wait(number, number / 1000)
    return room


def test_in_a_burst_the_oldest_goes_in_first() -> None:
    room = crowded(3)
    room.count = 0
    assert room.next(0.01) == 0


def test_once_the_oldest_has_waited_for_long_the_newest_goes_in_first() -> None:
    room = crowded(3)
    room.count = 0
    assert room.next(WAIT_S) == 2


def test_nobody_goes_in_while_it_is_full() -> None:
    assert crowded(3).next(0.01) is None


def test_nobody_is_refused_before_the_wait_is_over() -> None:
    assert crowded(3).refused(WAIT_S - 0.001) == []


def test_the_oldest_are_refused_first_and_not_more_than_the_pace_allows() -> None:
    room = crowded(3 * AT_ONCE)
    assert [number for _, number in room.refused(60.0)] == list(range(AT_ONCE))


def test_the_pace_is_kept_by_a_worker_that_asks_late() -> None:
    room = crowded(5 * AT_ONCE)
    first, later = room.refused(60.0), room.refused(60.0 + 3 * REFUSE_EVERY_S)
    assert (len(first), len(later)) == (AT_ONCE, 3 * AT_ONCE)


def test_who_has_left_costs_no_refusal() -> None:
    room: Room[int] = Room(count_max=0, waiting_count_max=1000, has_left=lambda number: number < 3 * AT_ONCE)
    for number in range(5 * AT_ONCE):
        room.wait(number, 0.0)
    assert [number for _, number in room.refused(60.0)] == list(range(3 * AT_ONCE, 4 * AT_ONCE))


def test_beyond_the_bound_nobody_waits() -> None:
    assert not crowded(2, waiting_count_max=2).wait(3, 1.0)


@given(st.lists(st.sampled_from(["come", "leave", "refuse"]), max_size=200))
def test_everybody_who_came_is_in_or_waits_or_was_refused_or_has_left(moves: list[str]) -> None:
    room: Room[int] = Room(count_max=3, waiting_count_max=5)
    came = left = refused = 0
    for at, move in enumerate(moves):
        if move == "come":
            came += 1
            if not room.full:
                room.count += 1
            elif not room.wait(came, float(at)):
                refused += 1
        elif move == "leave" and room.count:
            room.count -= 1
            left += 1
            while room.next(float(at)) is not None:
                room.count += 1
        elif move == "refuse":
            refused += len(room.refused(float(at)))
        assert room.count <= 3
    assert came == left + refused + room.count + len(room.clear())


class Shop:
    """A listener with one place at the slow counter, which serves when it is told to, and a fast one."""

    def __init__(self, *, room_wait_s: float, listener_takes: int = 1, counter_takes: int | None = None) -> None:
        sock = listen("127.0.0.1", 0, shared=False)
        limits = Limits(
            body_bytes_max=1000,
            head_timeout_s=5.0,
            body_timeout_s=1.0,
            request_timeout_s=10.0,
            concurrent_requests_max=listener_takes,
            room_wait_s=room_wait_s,
        )
        routes = [
            Route("GET", "/slow", self.get_slow, counter_takes, self.count_turned_away),
            Route("GET", "/fast", self.get_fast),
            Route("POST", "/body", self.post_body),
        ]
        self.listener = Listener(RouteTable(routes), limits, sock)
        self.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        self.turned_away = 0
        self.begun = asyncio.Event()
        self.serve = asyncio.Event()

    async def get_slow(self, _request: Request) -> Response:
        self.begun.set()
        await self.serve.wait()
        return answer({})

    def count_turned_away(self, _request: Request) -> None:
        self.turned_away += 1

    async def get_fast(self, _request: Request) -> Response:
        return answer({})

    def post_body(self, request: Request) -> Outcome:
        return take_body(request, lambda body: answer(len(body)), bytes_max=1000, timeout_s=raw.PATIENCE_S)

    async def get(self, path: str) -> raw.Raw:
        async with raw.connection(self.url) as (reader, writer):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n".encode())
            return await raw.read_to_end(reader)


@asynccontextmanager
async def full_shop(
    *, room_wait_s: float, listener_takes: int = 1, counter_takes: int | None = None
) -> AsyncIterator[tuple[Shop, "asyncio.Task[raw.Raw]"]]:
    """The shop with somebody at the slow counter, whose answer is on its way as soon as `serve` is set."""
    shop = Shop(room_wait_s=room_wait_s, listener_takes=listener_takes, counter_takes=counter_takes)
    await shop.listener.start()
    first = asyncio.create_task(shop.get("/slow"))
    try:
        await shop.begun.wait()
        yield shop, first
    finally:
        shop.serve.set()
        await first
        if not shop.listener.draining:
            await shop.listener.drain(notice_s=0.0, timeout_s=5.0)


async def test_who_finds_no_room_for_long_is_told_to_come_again() -> None:
    async with full_shop(room_wait_s=0.0) as (shop, _):
        told = await shop.get("/slow")
        assert told.status == 503
        assert told.code == "OVERLOADED"
        assert b"Retry-After: 1" in told.head


async def test_a_route_hears_of_each_one_who_was_turned_away() -> None:
    async with full_shop(room_wait_s=0.0) as (shop, first):
        await shop.get("/slow")
        await shop.get("/slow")
        shop.serve.set()
        await first
        assert shop.turned_away == 2


async def test_a_route_may_have_less_room_than_its_listener() -> None:
    async with full_shop(room_wait_s=0.0, listener_takes=100, counter_takes=1) as (shop, _):
        assert (await shop.get("/slow")).code == "OVERLOADED"


async def test_who_waits_goes_in_when_there_is_room() -> None:
    async with full_shop(room_wait_s=60.0) as (shop, first):
        second = asyncio.create_task(shop.get("/slow"))
        await shop.get("/fast")  # it came after the second, which therefore waits by now
        shop.serve.set()
        assert ((await first).status, (await second).status) == (200, 200)


async def test_a_full_route_keeps_no_other_route_out() -> None:
    async with full_shop(room_wait_s=60.0) as (shop, _):
        assert (await shop.get("/fast")).status == 200


async def test_a_drain_answers_whoever_still_waits() -> None:
    async with full_shop(room_wait_s=60.0) as (shop, _):
        waiting = asyncio.create_task(shop.get("/slow"))
        await shop.get("/fast")
        await shop.listener.drain(notice_s=0.0, timeout_s=0.0)
        assert (await waiting).code == "OVERLOADED"


async def test_a_body_that_does_not_come_keeps_nobody_out_whose_body_is_there() -> None:
    async with full_shop(room_wait_s=0.0) as (shop, _), raw.connection(shop.url) as (reader, writer):
        start = raw.head("POST", "/body", "Content-Length: 2", "Expect: 100-continue")
        writer.write(start)
        await reader.readuntil(b"100 Continue\r\n\r\n")
        assert (await raw.send(shop.url, start + b"ok")).body == b"2"
