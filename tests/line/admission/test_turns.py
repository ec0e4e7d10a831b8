"""Who had a pass and made nothing of it gives way to the others: no few people can keep the till to themselves."""

from dataclasses import replace

from engine.line.admission.desk import Admitted
from engine.line.pacing.health import Pulse
from engine.line.pacing.ledger import PaceLedger
from engine.line.pacing.scripts import PaceScripts
from engine.line.pacing.ticker import Beat, Ticker
from tests.line.admission.conftest import PASS_MS, Till


async def let_it_run_out(till: Till, buyer: str, index: int) -> None:
    """Get a pass and do nothing with it until its time is over."""
    await till.admit(buyer, index)
    await till.call(serving_ms=await till.line("serving_ms") + PASS_MS)


async def claimers(till: Till) -> int:
    return int(await till.house.store.client.zcard(till.house.live.keys.claimers))


async def test_whoever_let_a_pass_run_out_stands_behind_those_who_had_none(till: Till) -> None:
    till.limit = 1
    await till.admit("ann", 0)
    assert await till.refuse("bob", 50) == "NO_ROOM"
    await till.call(serving_ms=PASS_MS)
    assert await till.refuse("ann", 0) == "NO_ROOM"
    await till.admit("bob", 50)


async def test_whoever_kept_no_order_stands_behind_those_who_had_none(till: Till) -> None:
    till.limit = 1
    order = await till.order(await till.admit("ann", 0))
    assert await till.refuse("bob", 50) == "NO_ROOM"
    await till.house.stock.release(till.house.live.keys, till.house.live.epoch, [order.order_no])
    assert await till.refuse("ann", 0) == "NO_ROOM"
    await till.admit("bob", 50)


async def test_whoever_found_everything_held_by_others_has_the_next_turn_by_the_place(till: Till) -> None:
    till.limit = 1
    await till.admit("ann", 0)
    assert await till.refuse("bob", 50) == "NO_ROOM"
    await till.call(serving_ms=PASS_MS, dry_ms=PASS_MS - 1)
    await till.admit("ann", 0)


async def test_whoever_kept_no_order_is_not_excused_because_everything_was_held(till: Till) -> None:
    till.limit = 1
    order = await till.order(await till.admit("ann", 0))
    await till.call(dry_ms=1)
    assert await till.refuse("bob", 50) == "NO_ROOM"
    await till.house.stock.release(till.house.live.keys, till.house.live.epoch, [order.order_no])
    assert await till.refuse("ann", 0) == "NO_ROOM"
    await till.admit("bob", 50)


async def test_whoever_keeps_an_order_has_the_next_turn_by_the_place(till: Till) -> None:
    till.limit = 1
    order = await till.order(await till.admit("ann", 0))
    assert await till.refuse("bob", 50) == "NO_ROOM"
    await till.house.stock.confirm(till.house.live.keys, till.house.live.epoch, [order.order_no])
    await till.admit("ann", 0)


async def test_an_order_that_is_not_paid_yet_makes_good_for_nothing(till: Till) -> None:
    till.limit = 1
    await let_it_run_out(till, "ann", 0)
    await till.order(await till.admit("ann", 0))
    assert await till.refuse("bob", 50) == "NO_ROOM"
    till.limit = 2
    assert await till.refuse("ann", 0) == "NO_ROOM"
    await till.admit("bob", 50)


async def test_after_two_passes_that_came_to_nothing_those_who_are_not_called_yet_have_their_turn(till: Till) -> None:
    await till.call(**{"tail:0": 500})
    await let_it_run_out(till, "ann", 0)
    await let_it_run_out(till, "ann", 0)
    assert await till.refuse("ann", 0) == "NO_ROOM"
    assert await claimers(till) == 0
    await till.call(serving_ms=3 * PASS_MS)
    await till.admit("ann", 0)


async def test_giving_way_takes_twice_as_long_each_time(till: Till) -> None:
    await till.call(**{"tail:0": 500})
    for after_ms in (0, 0, PASS_MS):
        await till.call(serving_ms=await till.line("serving_ms") + after_ms)
        await let_it_run_out(till, "ann", 0)
    ended_ms = await till.line("serving_ms")
    await till.call(serving_ms=ended_ms + 3 * PASS_MS - 1)
    assert await till.refuse("ann", 0) == "NO_ROOM"
    await till.call(serving_ms=ended_ms + 3 * PASS_MS)
    await till.admit("ann", 0)


async def test_nobody_gives_way_where_nobody_waits(till: Till) -> None:
    for _ in range(6):
        await let_it_run_out(till, "ann", 0)
    await till.admit("ann", 0)


async def test_as_many_people_as_the_till_takes_cannot_keep_it_by_never_ordering(till: Till) -> None:
    house, live = till.house, till.house.live
    live.renew(replace(live.sale, line_rate=None, line_concurrency=2))
    ticker = Ticker(live, PaceScripts(house.store), PaceLedger(house.pool), Pulse(), Beat())
    await till.call(head=0, drawn=1, **{"tail:0": 50})
    served = 0
    for second in range(300):  # of serving, each made by putting the last tick back
        if second:
            await house.store.client.hincrby(live.keys.line, "ticked_ms", -1000)
        sight = await ticker.refresh()
        assert sight is not None
        till.limit = ticker.limit
        await till.claim("idler-0", 0)
        await till.claim("idler-1", 1)
        for position in range(2 + served, sight.lanes[0].head):
            claimed = await till.claim(f"p{position}", position)
            if isinstance(claimed, Admitted):
                order = await till.order(claimed.admission, f"key-{position:05d}")
                await house.stock.confirm(live.keys, live.epoch, [order.order_no])
                served += 1
        if served >= 5:
            break
    await ticker.keeper.settled()
    assert served >= 5
