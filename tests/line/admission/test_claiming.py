"""Who is called and comes forward gets one pass, as far as there is room, and nobody before those ahead."""

import asyncio
import time

import msgpack
import pytest

from engine.infra.outage import PostgresAway
from engine.infra.postgres import open_pool, transaction
from engine.line.admission.desk import Admitted, ClaimRefusal
from engine.line.admission.ledger import AdmissionLedger
from engine.line.codes import ClaimCode
from engine.line.joining.roster import Roster, unpack_kept
from engine.line.place import Cohort
from tests.line.admission.conftest import PASS_MS, Till, till_of
from tests.support.house import Rooms

HOUR_MS = 3_600_000


async def kept_of(till: Till, buyer: str) -> tuple[int, int, bool] | None:
    """Lane, index and claimed bit of a buyer as the roster has them."""
    live = till.house.live
    bucket, field = Roster("spring").slot_of(buyer.ljust(16, "-").encode())
    value = await till.house.store.client.hget(Roster("spring").keys(live.epoch)[bucket], field)
    if value is None:
        return None
    kept = unpack_kept(int(value))
    return kept.lane, kept.index, kept.claimed


async def test_whoever_is_called_gets_a_pass_of_their_lane_and_epoch(till: Till) -> None:
    admission = await till.admit("ann", 99)
    assert (admission.buyer, admission.lane, admission.epoch) == (b"ann-------------", 0, till.house.live.epoch)


async def test_whoever_is_not_called_yet_is_told_so(till: Till) -> None:
    assert await till.refuse("ann", 100) == "NOT_YOUR_TURN"


async def test_a_pass_is_in_the_ledger_before_its_buyer_hears_of_it(till: Till) -> None:
    await till.call(tick=7)
    admission = await till.admit("ann", 42)
    row = await till.house.sql(
        "select (epoch, tick, lane, position) from admissions where sale_id = 'spring' and nonce = $1", admission.nonce
    )
    assert tuple(row) == (till.house.live.epoch, 7, 0, 42)


async def test_asking_again_gives_the_same_pass_and_the_same_end(till: Till) -> None:
    first = await till.admit("ann", 3)
    assert await till.admit("ann", 3) == first
    assert await till.house.sql("select count(*) from admissions") == 1


async def test_two_phones_at_once_get_one_pass(till: Till) -> None:
    passes = await asyncio.gather(*(till.admit("ann", 3) for _ in range(20)))
    assert len({admission.nonce for admission in passes}) == 1
    assert await till.house.store.client.zcard(till.house.live.keys.admitted) == 1


async def test_another_worker_gives_the_same_pass(till: Till) -> None:
    elsewhere = till_of(till.house, AdmissionLedger(till.house.pool))
    assert await till.admit("ann", 3) == await elsewhere.admit("ann", 3)


async def test_the_end_that_is_told_is_what_is_left_of_the_serving_clock(till: Till) -> None:
    await till.call(serving_ms=1000)
    first = await till.claim("ann", 3)
    await till.call(serving_ms=61_000)
    again = await till.claim("ann", 3)
    assert isinstance(first, Admitted)
    assert isinstance(again, Admitted)
    assert PASS_MS - 5000 < first.ends_ms - time.time() * 1000 <= PASS_MS + 5000
    assert abs(first.ends_ms - again.ends_ms - 60_000) < 10_000


async def test_a_pass_that_has_run_out_gives_way_to_a_new_one_and_is_counted_as_lapsed(till: Till) -> None:
    first = await till.admit("ann", 3)
    await till.call(serving_ms=PASS_MS)
    second = await till.admit("ann", 3)
    assert second.nonce != first.nonce
    assert await till.line("lapsed:0") == 1
    assert await till.house.store.client.zcard(till.house.live.keys.admitted) == 1


async def test_nothing_is_given_while_the_sale_is_paused(till: Till) -> None:
    await till.change(paused=True)
    assert await till.refuse("ann", 3) == "PAUSED"


async def test_nothing_is_given_before_the_opening_and_the_wait_is_told(till: Till) -> None:
    await till.change(opens_ms=till.house.live.sale.opens_ms + 2 * HOUR_MS)
    refused = await till.claim("ann", 3)
    assert isinstance(refused, ClaimRefusal)
    assert refused.code is ClaimCode.NOT_OPEN
    assert refused.retry_after_ms is not None
    assert HOUR_MS - 60_000 < refused.retry_after_ms <= HOUR_MS


async def test_nothing_is_given_after_the_end(till: Till) -> None:
    await till.change(closes_ms=till.house.live.sale.opens_ms + 1)
    assert await till.refuse("ann", 3) == "ENDED"


async def test_nothing_is_given_once_the_sale_is_sold_out_for_good(till: Till) -> None:
    await till.call(final=1)
    assert await till.refuse("ann", 3) == "SOLD_OUT"


async def test_a_pass_stays_the_buyers_own_over_a_pause(till: Till) -> None:
    first = await till.admit("ann", 3)
    await till.change(paused=True)
    await till.refuse("ann", 3)
    await till.change(paused=False)
    assert await till.admit("ann", 3) == first


async def test_a_fenced_sale_gives_nothing_and_is_restored(till: Till) -> None:
    await till.house.store.client.flushall()
    assert await till.refuse("ann", 3) == "FENCED"
    assert till.house.live.fenced


async def test_room_is_what_the_limit_leaves_beside_passes_and_open_orders(till: Till) -> None:
    till.limit = 2
    await till.order(await till.admit("ann", 0))
    await till.admit("bob", 1)
    assert await till.refuse("cid", 2) == "NO_ROOM"


async def test_one_batch_admits_as_many_as_there_is_room_for_the_first_ones(till: Till) -> None:
    till.limit = 5
    claimed = await asyncio.gather(*(till.claim(f"b{index}", index) for index in reversed(range(20))))
    assert [isinstance(one, Admitted) for one in reversed(claimed)] == [True] * 5 + [False] * 15


async def test_room_is_kept_for_the_claimer_who_is_ahead(till: Till) -> None:
    till.limit = 1
    order = await till.order(await till.admit("ann", 0))
    assert [await till.refuse("bob", 1), await till.refuse("cid", 2)] == ["NO_ROOM", "NO_ROOM"]
    await till.house.stock.confirm(till.house.live.keys, till.house.live.epoch, [order.order_no])
    assert await till.refuse("cid", 2) == "NO_ROOM"
    await till.admit("bob", 1)


async def test_who_never_claimed_keeps_nobody_waiting(till: Till) -> None:
    till.limit = 1
    await till.admit("zoe", 50)


async def test_a_claimer_who_is_admitted_is_remembered_no_longer(till: Till) -> None:
    till.limit = 0
    await till.refuse("ann", 0)
    till.limit = 1
    await till.admit("ann", 0)
    client, keys = till.house.store.client, till.house.live.keys
    assert (await client.zcard(keys.claimers), await client.hlen(keys.seen)) == (0, 0)


async def test_the_wait_for_room_is_longer_for_those_behind_and_shorter_than_being_forgotten(till: Till) -> None:
    till.limit = 25
    claimed = await asyncio.gather(*(till.claim(f"b{index}", index) for index in range(100)))
    waits = [one.retry_after_ms for one in claimed if isinstance(one, ClaimRefusal)]
    assert waits == sorted(waits, key=int)  # type: ignore[arg-type]
    assert all(wait is not None and 1000 <= wait < 10_000 for wait in waits)


async def test_four_claimers_for_each_of_the_limit_are_remembered_and_the_last_go_first(
    till: Till,
) -> None:
    till.limit = 3
    await asyncio.gather(*(till.claim(f"b{index}", index) for index in range(40)))
    client, keys = till.house.store.client, till.house.live.keys
    remembered = [buyer.decode().rstrip("-") for buyer in await client.zrange(keys.claimers, 0, -1)]
    assert remembered == [f"b{index}" for index in range(3, 15)]
    assert await client.hlen(keys.seen) == 12


async def test_lanes_share_the_room_by_their_weight(till: Till) -> None:
    await till.lanes(("public", 1, None), ("members", 3, None))
    await till.call(head=100, **{"head:1": 100})
    till.limit = 0
    both = [(lane, index) for lane in (0, 1) for index in range(8)]
    await asyncio.gather(*(till.claim(f"b{lane}{index}", index, lane=lane) for lane, index in both))
    till.limit = 8
    claimed = await asyncio.gather(*(till.claim(f"b{lane}{index}", index, lane=lane) for lane, index in both))
    admitted = [who[0] for who, one in zip(both, claimed, strict=True) if isinstance(one, Admitted)]
    assert (admitted.count(0), admitted.count(1)) == (2, 6)


async def test_the_head_of_another_lane_calls_nobody(till: Till) -> None:
    await till.lanes(("public", 1, None), ("members", 1, None))
    assert await till.refuse("ann", 5, lane=1) == "NOT_YOUR_TURN"


async def test_a_signed_place_that_the_roster_does_not_know_is_written_there(till: Till) -> None:
    await till.admit("ann", 7)
    assert await kept_of(till, "ann") == (0, 7, True)


async def test_a_place_is_void_once_its_buyer_has_a_better_one(till: Till) -> None:
    await till.admit("ann", 7)
    await till.call(serving_ms=PASS_MS)
    assert await till.refuse("ann", 8) == "PLACE_VOID"
    assert await kept_of(till, "ann") == (0, 7, True)


async def test_a_better_place_takes_the_place_of_the_one_that_the_roster_has(till: Till) -> None:
    await till.admit("ann", 7)
    await till.call(serving_ms=PASS_MS)
    await till.admit("ann", 6)
    assert await kept_of(till, "ann") == (0, 6, True)


async def test_a_place_of_the_lobby_is_better_than_any_live_one(till: Till) -> None:
    await till.admit("ann", 7)
    await till.call(serving_ms=PASS_MS)
    claimed = await till.desk.claim(till.place_of("ann", 50, cohort=Cohort.LOBBY), 50)
    assert isinstance(claimed, Admitted)
    assert await kept_of(till, "ann") == (0, 50, True)


async def test_coming_forward_is_counted_once_whatever_comes_of_it(till: Till) -> None:
    till.limit = 0
    await till.refuse("ann", 7)
    till.limit = 1
    await till.admit("ann", 7)
    await till.call(serving_ms=PASS_MS)
    await till.admit("ann", 7)
    assert await till.line("shown:0") == 1


async def test_a_first_claim_is_counted_in_the_window_that_called_it(till: Till) -> None:
    client, keys = till.house.store.client, till.house.live.keys
    for serving_ms, head in ((1000, 10), (2000, 20), (3000, 30)):
        await client.rpush(keys.checkpoints, msgpack.packb([serving_ms, [head], 0]))
    for number, index in enumerate((5, 10, 19, 20, 40)):
        await till.admit(f"b{number}", index)
    entries = [msgpack.unpackb(entry) for entry in await client.lrange(keys.checkpoints, 0, -1)]
    assert entries == [[1000, [10], 2], [2000, [20], 1], [3000, [30], 1]]


async def test_without_the_ledger_nobody_hears_of_a_pass_and_the_same_one_is_there_afterwards(
    till: Till, database_url: str
) -> None:
    hasty = await open_pool(
        database_url, connections_max=1, statement_timeout_s=0.1, connect_timeout_s=5, application="tests"
    )
    elsewhere = till_of(till.house, AdmissionLedger(hasty))
    async with transaction(till.house.pool) as conn:
        await conn.execute("lock table admissions")
        with pytest.raises(PostgresAway):
            await elsewhere.admit("ann", 7)
    (kept,) = await till.house.store.client.hvals(till.house.live.keys.passes)
    admission = await elsewhere.admit("ann", 7)
    await hasty.close()
    assert admission.nonce == kept[:8]
    assert await till.house.sql("select count(*) from admissions") == 1


async def test_a_refusal_does_not_wait_for_the_ledger(till: Till, house: Rooms) -> None:
    async with transaction(house.pool) as conn:
        await conn.execute("lock table admissions")
        assert await till.refuse("ann", 100) == "NOT_YOUR_TURN"


async def test_a_key_of_the_wrong_kind_stops_a_claim_before_it_writes(till: Till) -> None:
    client, keys = till.house.store.client, till.house.live.keys
    till.limit = 0
    await client.set(keys.seen, "planted")
    with pytest.raises(Exception, match="WRONGTYPE"):
        await till.claim("ann", 7)
    assert await kept_of(till, "ann") is None
