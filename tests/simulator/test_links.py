"""Calls between processes: each answer finds its question, and a broken link leaves nobody waiting."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import pytest

from engine.simulator.processes.links import Link, LinkLost, RemoteError
from engine.simulator.processes.reach import Reach


class Office:
    """Answers twice what it is asked; waits, breaks or fails on demand."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.links: list[Link] = []
        self.gate = asyncio.Event()
        self.server: asyncio.Server | None = None

    async def open(self) -> None:
        self.socket.unlink(missing_ok=True)
        self.server = await asyncio.get_running_loop().create_unix_server(self._link, str(self.socket))

    def close(self) -> None:
        assert self.server is not None
        self.server.close()
        for link in self.links:
            link.close()
        self.links.clear()

    def _link(self) -> Link:
        self.links.append(Link(self._serve, lambda _: None))
        return self.links[-1]

    def _serve(self, _: Link, question: Any) -> object | Awaitable[object]:
        if question == "wait":
            return self._wait()
        if question == "fail":
            raise ValueError("no")
        return question * 2

    async def _wait(self) -> str:
        await self.gate.wait()
        return "at last"


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    office = Office(tmp_path / "o.sock")
    await office.open()
    yield office
    office.close()


@pytest.fixture
async def reach(office: Office) -> AsyncIterator[Reach]:
    reach = Reach(office.socket, hello="hello", serve=lambda _link, question: question + 1)
    await reach.ready()
    yield reach
    await reach.stop()


async def test_a_thousand_questions_at_once_find_their_answers(reach: Reach) -> None:
    told = await asyncio.gather(*(reach.ask(number) for number in range(1000)))
    assert told == [number * 2 for number in range(1000)]


async def test_a_slow_answer_does_not_hold_up_the_others(office: Office, reach: Reach) -> None:
    slow = asyncio.create_task(reach.ask("wait"))
    assert await reach.ask(21) == 42
    office.gate.set()
    assert await slow == "at last"


async def test_both_ends_may_ask(office: Office, reach: Reach) -> None:
    assert await reach.ask(1) == 2
    assert await office.links[0].ask(1) == 2


async def test_bytes_and_texts_stay_what_they_are(reach: Reach) -> None:
    assert await reach.ask(b"\xff") == b"\xff\xff"
    assert await reach.ask("票") == "票票"


async def test_a_large_answer_crosses_in_one_piece(reach: Reach) -> None:
    assert len(await reach.ask(b"x" * 4_000_000)) == 8_000_000


async def test_a_defect_at_the_other_end_is_told_and_the_link_lives(reach: Reach) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    with pytest.raises(RemoteError, match="ValueError: no"):
        await reach.ask("fail")
    assert await reach.ask(1) == 2


async def test_a_question_on_its_way_through_a_broken_link_is_lost_and_not_asked_again(
    office: Office, reach: Reach
) -> None:
    waiting = asyncio.create_task(reach.ask("wait"))
    await reach.ask(1)
    office.close()
    with pytest.raises(LinkLost):
        await waiting


async def test_a_question_waits_for_an_office_that_is_starting(office: Office, reach: Reach) -> None:
    waiting = asyncio.create_task(reach.ask("wait"))
    await reach.ask(1)
    office.close()
    with pytest.raises(LinkLost):
        await waiting
    asked = asyncio.create_task(reach.ask(4))
    await office.open()
    assert await asked == 8
