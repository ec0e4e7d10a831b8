"""Joining the lobby: dense indexes by the ledger, one place for each buyer, with or without Redis."""

import asyncio

import pytest

from engine.infra.outage import Outage, PostgresAway, RedisAway
from engine.line.joining.ledger import JoinLedger
from engine.line.joining.records import Joining, JoinRefusal
from engine.line.joining.roster import Kept
from engine.line.place import Cohort, Place
from tests.line.joining.conftest import Hall, buyer


async def test_indexes_of_a_lane_follow_the_order_of_joining(hall: Hall) -> None:
    places = [await hall.join(number, lane=number % 2) for number in range(6)]
    assert [(place.lane, place.index) for place in places] == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]


async def test_a_place_in_the_lobby_says_what_it_is(hall: Hall) -> None:
    assert await hall.join(7, lane=1) == Place(buyer(7), "spring", 1, Cohort.LOBBY, hall.house.live.epoch, 0)


async def test_a_buyer_who_joins_again_has_the_same_place_whatever_lane_is_asked_for(hall: Hall) -> None:
    first = await hall.join(7, lane=1)
    await hall.join(8, lane=1)
    assert await hall.join(7, lane=0) == first


async def test_a_place_is_in_the_ledger_when_its_buyer_hears_of_it(hall: Hall) -> None:
    await hall.join(7, lane=1)
    assert await hall.entries() == [(1, 0, buyer(7))]


async def test_many_joins_over_two_workers_leave_no_gap_and_no_double(hall: Hall) -> None:
    hall.worker()
    joinings = [Joining(buyer(number % 400), number % 2) for number in range(1200)]
    await asyncio.gather(*(hall.desks[at % 2].join(joining) for at, joining in enumerate(joinings)))
    entries = await hall.entries()
    assert len({one for _, _, one in entries}) == len(entries) == 400
    for lane in (0, 1):
        indexes = [index for ordinal, index, _ in entries if ordinal == lane]
        assert indexes == list(range(len(indexes)))


async def test_a_buyer_who_joins_two_lanes_over_two_workers_at_once_gets_one_place(hall: Hall) -> None:
    hall.worker()
    for number in range(20):
        places = await asyncio.gather(*(hall.desks[at].join(Joining(buyer(number), at)) for at in (0, 1)))
        assert places[0] == places[1]


async def test_the_count_of_a_lane_is_the_number_of_its_entries(hall: Hall) -> None:
    await asyncio.gather(*(hall.desks[0].join(Joining(buyer(number), 1)) for number in range(30)))
    assert await hall.house.sql("select lobby_count from line_lanes where lane = 1") == 30


async def test_the_roster_knows_who_has_joined(hall: Hall) -> None:
    await hall.join(6, lane=1)
    await hall.join(7, lane=1)
    assert await hall.kept(7) == Kept(1, Cohort.LOBBY, 1)


async def test_who_asks_again_costs_the_ledger_nothing(hall: Hall) -> None:
    first = await hall.join(7)
    await hall.house.pool.close()
    assert await hall.join(7) == first


async def test_a_lobby_goes_on_without_redis(hall: Hall) -> None:
    first = await hall.join(7)
    await hall.house.store.client.flushall()
    assert await hall.join(7) == first
    assert (await hall.join(8)).index == 1


async def test_places_given_while_redis_was_away_are_told_to_it_when_it_is_back(hall: Hall) -> None:
    await hall.house.store.client.flushall()
    await hall.join(7)
    await hall.house.rebuilder.run_once()
    hall.desks[0].refresh()
    await hall.desks[0].enroller.settled()
    assert await hall.kept(7) == Kept(0, Cohort.LOBBY, 0)


async def test_nothing_is_promised_while_the_ledger_is_away(hall: Hall) -> None:
    await hall.house.pool.close()
    with pytest.raises(Outage) as away:
        await hall.join(7)
    assert isinstance(away.value, PostgresAway)


async def test_nobody_joins_before_the_lobby_opens(hall: Hall) -> None:
    await hall.set_times(lobby_opens_at="now() + interval '10 minutes'")
    assert await hall.refusal(7) is JoinRefusal.NOT_OPEN_YET


async def test_the_ledgers_clock_has_the_last_word_on_the_opening(hall: Hall) -> None:
    await hall.house.sql("update sales set lobby_opens_at = now() + interval '10 minutes'")
    assert await hall.refusal(7) is JoinRefusal.NOT_OPEN_YET


async def test_the_ledgers_clock_has_the_last_word_on_the_closing(hall: Hall) -> None:
    await hall.house.sql("update sales set lobby_closes_at = now()")
    assert await hall.refusal(7) is JoinRefusal.SEALING


async def test_who_comes_between_closing_and_draw_is_told_to_ask_again(hall: Hall) -> None:
    await hall.close_lobby()
    assert await hall.refusal(7) is JoinRefusal.SEALING


async def test_who_has_a_place_hears_it_again_between_closing_and_draw(hall: Hall) -> None:
    first = await hall.join(7)
    await hall.close_lobby()
    assert await hall.join(7) == first


async def test_nobody_enters_a_lane_that_was_just_taken_away(hall: Hall) -> None:
    await hall.house.sql("delete from sale_lanes where lane = 1")
    answers = await asyncio.gather(*(hall.desks[0].join(Joining(buyer(number), number)) for number in (0, 1)))
    assert answers[1] is JoinRefusal.LANE_GONE
    assert await hall.entries() == [(0, 0, buyer(0))]


async def test_nobody_joins_a_sale_that_is_over(hall: Hall) -> None:
    await hall.set_times(opens_at="now() - interval '2 hours'", closes_at="now()")
    assert await hall.refusal(7) is JoinRefusal.ENDED


async def test_nobody_who_was_told_a_lobby_place_is_missing_from_the_sealed_lobby(hall: Hall) -> None:
    hall.worker()

    async def come(number: int) -> tuple[int, int, bytes] | None:
        try:
            place = await hall.desks[number % 2].join(Joining(buyer(number), 0))
        except RedisAway:  # the draw came before the roster had heard of everybody
            return None
        if isinstance(place, Place) and place.cohort is Cohort.LOBBY:
            return place.lane, place.index, place.buyer
        return None

    coming = [asyncio.create_task(come(number)) for number in range(600)]
    drawing = asyncio.create_task(hall.draw())
    coming += [asyncio.create_task(come(number)) for number in range(600, 1200)]
    told = {found for found in await asyncio.gather(*coming) if found}
    await drawing
    entries = await hall.entries()
    assert set(entries) == told
    assert await hall.house.sql("select lobby_count from line_lanes where lane = 0") == len(entries)


async def test_entries_are_read_back_page_by_page(hall: Hall) -> None:
    for number in range(7):
        await hall.join(number, lane=number % 2)
    pages = [page async for page in JoinLedger(hall.house.pool).read_entries("spring", page_count=3)]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [found for page in pages for found in page] == [
        (one, Kept(lane, Cohort.LOBBY, index)) for lane, index, one in await hall.entries()
    ]
