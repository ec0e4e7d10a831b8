"""The line on real servers: one place per buyer, first come first served, called at its rate, kept through a loss."""

import asyncio

import orjson
import pytest

from engine.line.desk import LineDesk
from engine.line.document import Band, Phase, band_of, phase_of, write_document
from engine.line.line import Joining, LineHead
from tests.support.house import Rooms


def desk_of(house: Rooms, *, block_count: int = 10) -> LineDesk:
    return LineDesk(
        house.live, house.line, block_count=block_count, burst_count=5, batch_count_max=50, queue_count_max=5000
    )


def buyer(number: int) -> bytes:
    return b"%016d" % number


async def test_places_are_given_in_the_order_of_joining(house: Rooms) -> None:
    desk = desk_of(house)
    assert [await desk.join(Joining(buyer(n))) for n in range(5)] == [0, 1, 2, 3, 4]


async def test_a_buyer_who_joins_again_has_the_same_place(house: Rooms) -> None:
    desk = desk_of(house)
    first = await desk.join(Joining(buyer(7)))
    await desk.join(Joining(buyer(8)))
    assert await desk.join(Joining(buyer(7))) == first


async def test_a_thousand_joins_at_once_get_a_thousand_places(house: Rooms) -> None:
    desk = desk_of(house)
    indexes = await asyncio.gather(*(desk.join(Joining(buyer(n))) for n in range(1000)))
    assert len(set(indexes)) == 1000


async def test_a_number_is_given_out_only_after_the_ledger_wrote_down_a_ceiling_above_it(house: Rooms) -> None:
    desk = desk_of(house)
    indexes = await asyncio.gather(*(desk.join(Joining(buyer(n))) for n in range(123)))
    assert max(indexes) < await house.sql("select ceiling from line_lanes")


async def test_the_head_moves_at_the_rate_of_the_sale(house: Rooms) -> None:
    desk = desk_of(house, block_count=1000)
    await asyncio.gather(*(desk.join(Joining(buyer(n))) for n in range(500)))
    await desk.refresh()
    before = desk.head.head
    await asyncio.sleep(0.5)
    await desk.refresh()
    assert 40 <= desk.head.head - before <= 100  # 100 a second, on a machine that may be slow


async def test_the_head_runs_ahead_of_the_last_place_by_no_more_than_the_burst(house: Rooms) -> None:
    desk = desk_of(house)
    await desk.join(Joining(buyer(1)))
    await desk.refresh()
    await asyncio.sleep(0.3)
    await desk.refresh()
    assert desk.head.head <= desk.head.tail + 5


async def test_nobody_is_called_while_no_unit_is_free(house: Rooms) -> None:
    desk = desk_of(house)
    await asyncio.gather(*(desk.join(Joining(buyer(n))) for n in range(50)))
    for sku in ("floor", "stand"):
        await house.store.client.hset(house.live.keys.stock, f"free:{sku}", 0)
    await desk.refresh()
    before = desk.head.head
    await asyncio.sleep(0.2)
    await desk.refresh()
    assert desk.head.head == before


async def test_nobody_is_called_while_the_sale_is_paused(house: Rooms) -> None:
    desk = desk_of(house)
    await asyncio.gather(*(desk.join(Joining(buyer(n))) for n in range(50)))
    await house.store.client.hset(house.live.keys.control, "paused", 1)
    await desk.refresh()
    before = desk.head.head
    await asyncio.sleep(0.2)
    await desk.refresh()
    assert desk.head.head == before


async def test_two_workers_that_tick_move_the_head_no_faster_than_one(house: Rooms) -> None:
    desks = [desk_of(house, block_count=1000), desk_of(house)]
    await asyncio.gather(*(desks[0].join(Joining(buyer(n))) for n in range(500)))
    await desks[0].refresh()
    before, began_s = desks[0].head.head, asyncio.get_running_loop().time()
    for _ in range(20):
        await asyncio.gather(*(desk.refresh() for desk in desks))
        await asyncio.sleep(0.02)
    took_s = asyncio.get_running_loop().time() - began_s
    assert desks[1].head.head - before <= took_s * 100 + 1


async def test_after_a_loss_the_numbering_goes_on_behind_every_number_given_out(house: Rooms) -> None:
    desk = desk_of(house)
    before = await asyncio.gather(*(desk.join(Joining(buyer(n))) for n in range(30)))
    await house.store.client.flushall()
    house.live.fence()
    await house.rebuilder.run_once()
    after = await asyncio.gather(*(desk.join(Joining(buyer(n))) for n in range(100, 130)))
    assert min(after) > max(before)


async def test_a_place_that_is_shown_after_a_loss_is_had_back(house: Rooms) -> None:
    desk = desk_of(house)
    index = await desk.join(Joining(buyer(1)))
    await desk.join(Joining(buyer(2)))
    await house.store.client.flushall()
    house.live.fence()
    await house.rebuilder.run_once()
    assert await desk.join(Joining(buyer(1), shown_index=index)) == index
    assert await desk.join(Joining(buyer(1))) == index


async def test_a_shown_place_does_not_move_a_buyer_who_has_one(house: Rooms) -> None:
    desk = desk_of(house)
    await desk.join(Joining(buyer(1)))
    second = await desk.join(Joining(buyer(2)))
    assert await desk.join(Joining(buyer(2), shown_index=0)) == second


@pytest.mark.parametrize(
    ("now_ms", "paused", "phase"),
    [(5, False, Phase.WAITING), (10, False, Phase.OPEN), (15, True, Phase.PAUSED), (20, True, Phase.ENDED)],
)
def test_the_phase_of_a_sale(now_ms: int, paused: bool, phase: Phase) -> None:
    assert phase_of(now_ms=now_ms, opens_ms=10, closes_ms=20, paused=paused) is phase


@pytest.mark.parametrize(
    ("free", "held", "band"),
    [(50, 0, Band.PLENTY), (9, 0, Band.LOW), (0, 1, Band.HELD), (-2, 2, Band.HELD), (0, 0, Band.NONE)],
)
def test_the_band_of_a_sku(free: int, held: int, band: Band) -> None:
    assert band_of(capacity=100, free=free, held=held) is band


def test_the_document_is_small_and_says_nothing_about_a_person() -> None:
    document = write_document(
        sale_id="spring",
        now_ms=1,
        phase=Phase.OPEN,
        line=LineHead(10, 20, 30),
        rate_per_s=100,
        bands={"floor": Band.LOW},
    )
    assert orjson.loads(document.body) == {
        "sale": "spring",
        "now_ms": 1,
        "phase": "open",
        "head": 10,
        "tail": 20,
        "rate_per_s": 100,
        "stock": [{"sku": "floor", "band": "low"}],
        "poll": {"floor_ms": 2000, "ceiling_ms": 60000, "divisor": 10, "jitter": 0.3},
    }
