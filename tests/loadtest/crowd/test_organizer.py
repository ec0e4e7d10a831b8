"""The organizer's person against a running engine."""

import random

from loadtest.crowd.organizer import Desk, May, Organizer
from tests.loadtest.crowd.conftest import SALE, Evening, evening, story
from tests.support.engine import Engine


def at_work(engine: Engine, here: Evening, *, key: str | None = None, may: May = "looks") -> Organizer:
    desk = Desk(engine.admin_url, engine.admin_key if key is None else key, SALE)
    return Organizer(here.wire, desk, journal=here.journal, dice=random.Random(1), may=may)


async def test_the_organizer_reads_the_numbers(engine: Engine) -> None:
    async with evening(engine) as here:
        organizer = at_work(engine, here)

        stock, line = (await organizer.numbers())["stock"], await organizer.line()

    assert sum(row["capacity"] for row in stock) == story().tickets
    assert (line["line_rate"], line["paused"]) == (400, False)


async def test_a_change_of_pace_ends_with_the_pace_that_was_found(engine: Engine) -> None:
    async with evening(engine) as here:
        organizer = at_work(engine, here)

        await organizer.steer_for(0.0, await organizer.line())

        assert (await organizer.line())["line_rate"] == 400
        assert here.journal.outcomes["admin_steer", "200"] == 2


async def test_a_pause_ends(engine: Engine) -> None:
    async with evening(engine) as here:
        organizer = at_work(engine, here)

        await organizer.pause()
        paused = (await organizer.line())["paused"]
        await organizer.resume()

        assert (paused, (await organizer.line())["paused"]) == (True, False)


async def test_who_may_only_look_changes_nothing(engine: Engine) -> None:
    async with evening(engine) as here:
        organizer = at_work(engine, here)

        for _ in range(20):
            await organizer.attend()

        assert {kind for kind, _ in here.journal.outcomes} - {"sale", "line"} == {"admin_sale", "admin_line"}


async def test_a_wrong_key_is_a_complaint(engine: Engine) -> None:
    async with evening(engine) as here:
        await at_work(engine, here, key="no-key").numbers()

        assert list(here.journal.complaints) == ["the organizer was refused the sale's numbers: 401 LOGIN_REQUIRED"]
