"""What is written down behind the ticks, and what happens while PostgreSQL is away."""

import pytest

from tests.line.pacing.conftest import Rig


@pytest.fixture
def wall() -> list[float]:
    return [1000.0]


def watched(rig: Rig, wall: list[float]) -> None:
    """The ticker goes by this clock, which the test moves."""
    rig.ticker._monotonic_s = lambda: wall[0]
    rig.ticker.keeper._monotonic_s = lambda: wall[0]
    rig.ticker.keeper._began_s = 0.0


async def ticked(rig: Rig, wall: list[float]) -> None:
    """A second passes, a worker ticks, and what it writes is written."""
    wall[0] += 1
    await rig.tick(1000)
    await rig.ticker.keeper.settled()


async def test_heads_and_tails_are_written_down(rig: Rig, wall: list[float]) -> None:
    watched(rig, wall)
    await rig.line(tail_0=50)
    await ticked(rig, wall)
    head = await rig.number("head:0")
    assert await rig.house.sql("select (head, tail) from line_lanes where sale_id = $1", "spring") == (head, 50)


async def test_the_serving_clock_is_written_down(rig: Rig, wall: list[float]) -> None:
    watched(rig, wall)
    await ticked(rig, wall)
    await ticked(rig, wall)
    kept = await rig.house.sql("select serving_ms from line_sales where sale_id = $1", "spring")
    assert kept == await rig.number("serving_ms") > 0


async def test_a_tick_that_moved_is_in_the_log(rig: Rig, wall: list[float]) -> None:
    watched(rig, wall)
    await rig.line(tail_0=50)
    await ticked(rig, wall)
    heads = await rig.house.sql("select heads from line_ticks where sale_id = $1 and tick = 1", "spring")
    assert heads == [await rig.number("head:0")]


async def test_a_worker_writes_down_the_ticks_of_one_that_died(rig: Rig, wall: list[float]) -> None:
    await rig.line(tail_0=50)
    rig.ticker.keeper._began_s = float("inf")  # this one will never write
    await rig.tick()
    other = rig.another_worker()
    await other.refresh()
    await other.keeper.settled()
    assert await rig.house.sql("select count(*) from line_ticks where sale_id = $1", "spring") == 1


async def test_the_end_for_good_is_written_down_at_once(rig: Rig, wall: list[float]) -> None:
    watched(rig, wall)
    await ticked(rig, wall)
    await rig.stock(free_floor=0, free_stand=0)
    await rig.tick()
    await rig.ticker.keeper.settled()
    assert await rig.house.sql("select final_round from sales where sale_id = $1", "spring") == 1


async def test_the_end_of_an_earlier_round_ends_no_later_one(rig: Rig, wall: list[float]) -> None:
    watched(rig, wall)
    await rig.control(round=1)
    await rig.house.sql("update sales set round = 2 where sale_id = $1 returning 1", "spring")
    await rig.stock(free_floor=0, free_stand=0)
    await rig.tick()
    await rig.ticker.keeper.settled()
    assert await rig.house.sql("select final_round from sales where sale_id = $1", "spring") == 0


async def test_without_postgresql_the_line_stands_still(rig: Rig, wall: list[float]) -> None:
    watched(rig, wall)
    await rig.house.pool.close()
    await ticked(rig, wall)
    before = await rig.number("serving_ms")
    await ticked(rig, wall)
    assert await rig.number("serving_ms") == before


async def test_without_postgresql_the_line_is_still_seen(rig: Rig, wall: list[float]) -> None:
    watched(rig, wall)
    await rig.house.pool.close()
    await ticked(rig, wall)
    await rig.line(tail_0=77)
    assert (await rig.tick()).lanes[0].tail == 77
