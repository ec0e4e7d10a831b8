"""After Redis lost everything: every place is honoured, no index is given twice, and what is over is dropped."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.infra.keys import ROSTER_BUCKETS
from engine.line.joining.archiver import Archiver
from engine.line.joining.ledger import JoinLedger
from engine.line.joining.records import LaneRecord
from engine.line.joining.roster import Kept, Roster
from engine.line.joining.scripts import JoinScripts
from engine.line.place import Cohort
from tests.line.joining.conftest import Hall, buyer


async def line_of(hall: Hall) -> dict[str, str]:
    found: Any = await hall.house.store.client.hgetall(hall.house.live.keys.line)
    return {name.decode(): value.decode("latin-1") for name, value in found.items()}


async def test_places_in_the_lobby_come_back_by_themselves(hall: Hall) -> None:
    before = [await hall.join(number, lane=number % 2) for number in range(9)]
    await hall.lose_redis()
    assert [await hall.kept(number) for number in range(9)] == [
        Kept(place.lane, Cohort.LOBBY, place.index) for place in before
    ]


async def test_a_lobby_that_was_restored_counts_on(hall: Hall) -> None:
    for number in range(3):
        await hall.join(number)
    await hall.lose_redis()
    assert (await hall.join(3)).index == 3


async def test_the_draw_comes_back_with_its_numbers(hall: Hall) -> None:
    for number in range(3):
        await hall.join(number)
    await hall.draw()
    before = await line_of(hall)
    await hall.lose_redis()
    after = await line_of(hall)
    names = ("drawn", "lobby:0", "lobby:1", "seed:0", "seed:1", "root:0", "root:1", "enrolled:0")
    assert [after[name] for name in names] == [before[name] for name in names]


async def test_live_indexes_go_on_behind_every_one_given_out(drawn_hall: Hall) -> None:
    before = [await drawn_hall.join(number) for number in range(15)]
    await drawn_hall.lose_redis()
    after = [await drawn_hall.join(number) for number in range(100, 115)]
    assert min(place.index for place in after) > max(place.index for place in before)


async def test_a_live_place_that_is_shown_is_had_back(drawn_hall: Hall) -> None:
    before = await drawn_hall.join(1, lane=1)
    await drawn_hall.join(2, lane=1)
    await drawn_hall.lose_redis()
    after = await drawn_hall.join(1, shown=before)
    assert (after.lane, after.cohort, after.index) == (before.lane, before.cohort, before.index)


async def test_a_place_that_was_had_back_stays_without_being_shown(drawn_hall: Hall) -> None:
    before = await drawn_hall.join(1)
    await drawn_hall.lose_redis()
    await drawn_hall.join(1, shown=before)
    assert (await drawn_hall.join(1)).index == before.index


async def test_of_two_places_of_one_buyer_the_better_stays(drawn_hall: Hall) -> None:
    await drawn_hall.join(9, lane=0)
    before = await drawn_hall.join(1, lane=1)
    await drawn_hall.lose_redis()
    assert (await drawn_hall.join(1, lane=0)).index > before.index
    await drawn_hall.join(1, shown=before)
    assert await drawn_hall.kept(1) == Kept(1, Cohort.LIVE, before.index)


async def test_a_lobby_place_is_better_than_a_live_one_of_a_smaller_index(hall: Hall) -> None:
    await hall.join(0)
    lobby = await hall.join(1)
    await hall.draw()
    live = await hall.join(2)
    assert (live.cohort, live.index) == (Cohort.LIVE, 0)
    assert Kept(0, lobby.cohort, lobby.index).order < Kept(0, live.cohort, live.index).order


async def test_a_buyer_who_has_come_forward_is_not_counted_anew_for_a_better_place(drawn_hall: Hall) -> None:
    before = await drawn_hall.join(1)
    await drawn_hall.lose_redis()
    await drawn_hall.join(1)
    roster = Roster("spring")
    bucket, field = roster.slot_of(buyer(1))
    await drawn_hall.house.store.client.hincrby(roster.keys(drawn_hall.house.live.epoch)[bucket], field, 1)
    await drawn_hall.join(1, shown=before)
    assert await drawn_hall.kept(1) == Kept(0, Cohort.LIVE, before.index, claimed=True)


async def test_the_gap_reaches_from_the_last_known_tail_to_the_ceiling(drawn_hall: Hall) -> None:
    for number in range(12):  # the second block began at a tail of 11
        await drawn_hall.join(number)
    await drawn_hall.lose_redis()
    line = await line_of(drawn_hall)
    ceiling = str(await drawn_hall.house.sql("select ceiling from line_lanes where lane = 0"))
    assert (line["gap_from:0"], line["gap_to:0"], line["tail:0"], line["ceiling:0"]) == (
        "11",
        ceiling,
        ceiling,
        ceiling,
    )


async def test_a_gap_that_the_head_has_not_passed_is_known_after_a_second_loss(drawn_hall: Hall) -> None:
    await drawn_hall.join(1)
    await drawn_hall.lose_redis()
    before = await line_of(drawn_hall)
    await drawn_hall.house.sql("update line_lanes set tail = $1 where lane = 0 returning 1", int(before["tail:0"]))
    await drawn_hall.lose_redis()
    after = await line_of(drawn_hall)
    assert (after["gap_from:0"], after["gap_to:0"]) == (before["gap_from:0"], before["gap_to:0"]) == ("0", "11")


LANES = st.builds(
    LaneRecord,
    lane=st.just(0),
    lobby_count=st.integers(0, 50),
    ceiling=st.integers(50, 90),
    tail=st.integers(0, 50),
    head=st.integers(0, 140),
    gap_from=st.integers(0, 20),
    gap_to=st.integers(0, 50),
)


@given(LANES)
def test_every_index_that_may_have_no_owner_is_in_the_gap_unless_the_head_has_passed_it(lane: LaneRecord) -> None:
    after = lane.after_loss()
    unowned = [*range(lane.gap_from, lane.gap_to), *range(lane.tail, lane.ceiling)]
    ahead = [index for index in unowned if lane.head < lane.lobby_count + max(lane.gap_to, lane.ceiling)]
    in_gap = range(after.gap_from, after.gap_to)
    passed = range(lane.gap_from, lane.gap_to) if lane.head >= lane.lobby_count + lane.gap_to else range(0)
    assert [index for index in ahead if index not in in_gap and index not in passed] == []


@given(LANES)
def test_the_numbering_goes_on_behind_the_gap(lane: LaneRecord) -> None:
    after = lane.after_loss()
    assert after.tail == after.gap_to == after.ceiling == lane.ceiling


async def test_the_head_and_the_serving_clock_go_on_where_they_were_last_written_down(drawn_hall: Hall) -> None:
    await drawn_hall.join(1)
    await drawn_hall.house.sql("update line_lanes set head = 7 where lane = 0 returning 1")
    await drawn_hall.house.sql("update line_sales set serving_ms = 4321 returning 1")
    await drawn_hall.lose_redis()
    line = await line_of(drawn_hall)
    assert (line["head:0"], line["serving_ms"]) == ("7", "4321")


async def test_sold_out_for_good_is_still_so(drawn_hall: Hall) -> None:
    await drawn_hall.set_times(final_round="round")
    await drawn_hall.lose_redis()
    assert (await line_of(drawn_hall))["final"] == "1"


async def test_the_roster_of_the_epoch_before_is_dropped(drawn_hall: Hall) -> None:
    await drawn_hall.join(1)
    before = drawn_hall.house.live.epoch
    await drawn_hall.house.rebuilder.restore(drawn_hall.house.live, even_if_whole=True)
    await drawn_hall.house.line.restorer.settled()
    left = [key async for key in drawn_hall.house.store.client.scan_iter(f"fg:{{spring}}:roster:{before}:*")]
    assert left == []


async def test_a_process_that_slept_through_a_rebuild_drops_nothing(drawn_hall: Hall) -> None:
    place = await drawn_hall.join(1)
    live, scripts = drawn_hall.house.live, JoinScripts(drawn_hall.house.store)
    await scripts.forget(live.keys.control, live.epoch - 1, Roster("spring").keys(live.epoch)[:ROSTER_BUCKETS])
    assert await drawn_hall.kept(1) == Kept(0, Cohort.LIVE, place.index)


def later(days: float) -> int:
    return round((datetime.now(UTC) + timedelta(days=days)).timestamp() * 1000)


async def test_nothing_is_left_of_a_sale_that_has_left_the_board(drawn_hall: Hall) -> None:
    house = drawn_hall.house
    await drawn_hall.join(1)
    await drawn_hall.lose_redis()
    await drawn_hall.join(2)
    archiver = Archiver(JoinScripts(house.store), JoinLedger(house.pool), now_ms=lambda: later(8))
    await archiver.run_once()
    assert [key async for key in house.store.client.scan_iter("fg:{spring}:*")] == []


async def test_a_sale_that_closed_lately_is_left_alone(drawn_hall: Hall) -> None:
    house = drawn_hall.house
    place = await drawn_hall.join(1)
    archiver = Archiver(JoinScripts(house.store), JoinLedger(house.pool), now_ms=lambda: later(6.9))
    await archiver.run_once()
    assert await drawn_hall.kept(1) == Kept(0, Cohort.LIVE, place.index)
