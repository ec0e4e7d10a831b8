"""Joining once the draw is made: first come first served, below a committed ceiling, behind everybody in the lobby."""

import asyncio
from dataclasses import replace

import pytest

from engine.infra.outage import Outage, RedisAway
from engine.line.joining.ledger import JoinLedger
from engine.line.joining.records import Joining
from engine.line.joining.roster import Kept
from engine.line.place import Cohort, Place
from tests.line.joining.conftest import Hall, buyer


async def test_places_are_given_in_the_order_of_joining(drawn_hall: Hall) -> None:
    places = [await drawn_hall.join(number) for number in range(25)]
    assert [(place.cohort, place.index) for place in places] == [(Cohort.LIVE, index) for index in range(25)]


async def test_each_lane_counts_for_itself(drawn_hall: Hall) -> None:
    places = [await drawn_hall.join(number, lane=number % 2) for number in range(4)]
    assert [(place.lane, place.index) for place in places] == [(0, 0), (1, 0), (0, 1), (1, 1)]


async def test_a_buyer_who_joins_again_has_the_same_place_whatever_lane_is_asked_for(drawn_hall: Hall) -> None:
    first = await drawn_hall.join(7)
    await drawn_hall.join(8)
    assert await drawn_hall.join(7, lane=1) == first


async def test_one_buyer_many_times_in_one_batch_gets_one_place(drawn_hall: Hall) -> None:
    places = await asyncio.gather(*(drawn_hall.desks[0].join(Joining(buyer(7), 0)) for _ in range(30)))
    assert len(set(places)) == 1


async def test_a_thousand_joins_over_two_workers_get_a_thousand_places(drawn_hall: Hall) -> None:
    drawn_hall.worker()
    joins = [drawn_hall.desks[number % 2].join(Joining(buyer(number), 0)) for number in range(1000)]
    places = await asyncio.gather(*joins)
    assert len({place.index for place in places if isinstance(place, Place)}) == 1000


async def test_an_index_is_given_out_only_after_the_ledger_wrote_down_a_ceiling_above_it(drawn_hall: Hall) -> None:
    joins = [drawn_hall.desks[0].join(Joining(buyer(number), 1)) for number in range(123)]
    places = await asyncio.gather(*joins)
    ceiling = await drawn_hall.house.sql("select ceiling from line_lanes where lane = 1")
    assert max(place.index for place in places if isinstance(place, Place)) < ceiling


async def test_who_finds_the_block_used_up_while_the_ledger_is_away_asks_again(drawn_hall: Hall) -> None:
    await drawn_hall.join(0)
    await drawn_hall.house.pool.close()
    joins = [drawn_hall.desks[0].join(Joining(buyer(number), 0)) for number in range(20)]
    answers = await asyncio.gather(*joins, return_exceptions=True)
    assert [isinstance(answer, Outage) for answer in answers] == [False] * 11 + [True] * 9


async def test_who_was_in_the_lobby_keeps_that_place_after_the_draw(hall: Hall) -> None:
    first = await hall.join(7, lane=1)
    await hall.draw()
    assert await hall.join(7, lane=0) == first


async def test_nobody_joins_live_before_the_whole_lobby_is_in_the_roster(hall: Hall) -> None:
    await hall.join(1)
    await JoinLedger(hall.house.pool).enter(hall.house.live.sale, {buyer(7): Joining(buyer(7), 0)})
    await hall.draw()
    with pytest.raises(RedisAway):
        await hall.join(8)
    await hall.desks[0].enroller.settled()
    assert (await hall.join(8)).cohort is Cohort.LIVE


async def test_a_lobby_place_that_the_roster_was_never_told_of_is_found_before_a_live_one_is_given(hall: Hall) -> None:
    await JoinLedger(hall.house.pool).enter(hall.house.live.sale, {buyer(7): Joining(buyer(7), 1)})
    await hall.draw()
    with pytest.raises(RedisAway):
        await hall.join(7)
    await hall.desks[0].enroller.settled()
    assert await hall.kept(7) == Kept(1, Cohort.LOBBY, 0)


async def test_a_shown_lobby_place_does_not_keep_others_from_joining(hall: Hall) -> None:
    await JoinLedger(hall.house.pool).enter(hall.house.live.sale, {buyer(7): Joining(buyer(7), 0)})
    await hall.draw()
    shown = Place(buyer(7), "spring", 0, Cohort.LOBBY, hall.house.live.epoch, 0)
    assert await hall.join(7, shown=shown) == shown
    with pytest.raises(RedisAway):
        await hall.join(8)
    await hall.desks[0].enroller.settled()
    assert (await hall.join(8)).index == 0


async def test_a_worse_place_that_is_shown_changes_nothing(drawn_hall: Hall) -> None:
    await drawn_hall.join(1)
    second, third = await drawn_hall.join(2), await drawn_hall.join(3)
    assert await drawn_hall.join(2, shown=replace(third, buyer=buyer(2))) == second


async def test_a_place_beyond_the_tail_is_not_had_back(drawn_hall: Hall) -> None:
    """Only a ledger that was put back to an older state can meet one: its index will be given to somebody else."""
    shown = Place(buyer(2), "spring", 0, Cohort.LIVE, 1, 5)
    assert (await drawn_hall.join(2, shown=shown)).index == 0


async def test_a_fenced_sale_gives_no_live_place(drawn_hall: Hall) -> None:
    await drawn_hall.house.store.client.flushall()
    with pytest.raises(RedisAway):
        await drawn_hall.join(7)
