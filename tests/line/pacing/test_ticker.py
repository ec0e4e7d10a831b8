"""Ticks on a real Redis: any number of workers is one ticker, and nothing moves that must stand still."""

import asyncio

import msgpack

from engine.line.codes import TickCode
from engine.line.pacing.scripts import Move, PaceScripts
from tests.line.pacing.conftest import Rig

MOVE = Move(heads=(7,), called=(7,), pace=b"", checkpoint=False, drop_count=0)


async def test_people_who_wait_are_called(rig: Rig) -> None:
    await rig.line(tail_0=50)
    assert (await rig.tick()).lanes[0].head > 0


async def test_the_worker_that_ticked_knows_the_new_head_at_once(rig: Rig) -> None:
    await rig.line(tail_0=50)
    sight = await rig.tick()
    assert sight.lanes[0].head == await rig.number("head:0")


async def test_another_worker_sees_the_same_heads(rig: Rig) -> None:
    await rig.line(tail_0=50)
    first = await rig.tick()
    second = await rig.another_worker().refresh()
    assert second is not None
    assert second.lanes == first.lanes


async def test_who_is_called_is_counted(rig: Rig) -> None:
    await rig.line(tail_0=50)
    sight = await rig.tick()
    assert await rig.number("called:0") == sight.lanes[0].head == sight.lanes[0].called


async def test_nobody_is_called_before_the_draw(rig: Rig) -> None:
    await rig.line(tail_0=50, drawn=0)
    assert (await rig.tick()).lanes[0].head == 0


async def test_workers_that_tick_at_once_move_the_line_as_one_would(rig: Rig) -> None:
    await rig.line(tail_0=500)
    rig.rate(1)
    await rig.tick()
    await rig.pass_ms(1000)
    workers = [rig.another_worker() for _ in range(5)]
    await asyncio.gather(*(worker.refresh() for worker in workers))
    assert await rig.number("tick") == 2
    for worker in workers:
        await worker.keeper.settled()


async def test_a_tick_that_was_computed_from_an_older_one_is_dropped(rig: Rig) -> None:
    await rig.line(tail_0=50, tick=5)
    ticked = await PaceScripts(rig.house.store).tick(rig.house.live, rig.house.live.epoch, 4, MOVE)
    assert (ticked.code, await rig.number("head:0")) == (TickCode.OVERTAKEN, 0)


async def test_a_tick_that_was_sent_twice_counts_once(rig: Rig) -> None:
    await rig.line(tail_0=50)
    for _ in range(2):
        await PaceScripts(rig.house.store).tick(rig.house.live, rig.house.live.epoch, 0, MOVE)
    assert await rig.number("called:0") == 7


async def test_a_tick_of_an_older_epoch_is_refused(rig: Rig) -> None:
    ticked = await PaceScripts(rig.house.store).tick(rig.house.live, rig.house.live.epoch - 1, 0, MOVE)
    assert ticked.code is TickCode.FENCED


async def test_a_tick_that_comes_after_the_pause_moves_nothing(rig: Rig) -> None:
    await rig.line(tail_0=50)
    await rig.control(paused=1)
    ticked = await PaceScripts(rig.house.store).tick(rig.house.live, rig.house.live.epoch, 0, MOVE)
    assert (ticked.code, await rig.number("head:0")) == (TickCode.IDLE, 0)


async def test_a_head_never_goes_back(rig: Rig) -> None:
    await rig.line(tail_0=50, head_0=20)
    await PaceScripts(rig.house.store).tick(rig.house.live, rig.house.live.epoch, 0, MOVE)
    assert await rig.number("head:0") == 20


async def test_a_head_never_goes_beyond_the_last_one_there(rig: Rig) -> None:
    await rig.line(tail_0=3)
    await PaceScripts(rig.house.store).tick(rig.house.live, rig.house.live.epoch, 0, MOVE)
    assert await rig.number("head:0") == 3


async def test_the_head_passes_the_gap_of_a_loss_and_counts_nobody_in_it(rig: Rig) -> None:
    await rig.line(tail_0=1005, head_0=3, gap_from_0=3, gap_to_0=1000)
    await rig.tick()
    assert (await rig.number("head:0"), await rig.number("called:0")) == (1005, 5)


async def test_the_serving_clock_goes_with_the_time_that_is_served(rig: Rig) -> None:
    await rig.tick()
    before = await rig.number("serving_ms")
    await rig.tick(400)
    assert 400 <= await rig.number("serving_ms") - before < 1000


async def test_the_serving_clock_goes_by_a_second_at_most(rig: Rig) -> None:
    await rig.tick()
    before = await rig.number("serving_ms")
    await rig.tick(3_600_000)
    assert await rig.number("serving_ms") - before == 1000


async def test_the_serving_clock_stands_still_while_the_sale_is_paused(rig: Rig) -> None:
    await rig.tick()
    before = await rig.number("serving_ms")
    await rig.control(paused=1)
    await rig.tick(1000)
    assert await rig.number("serving_ms") == before


async def test_the_pause_counts_as_no_time_afterwards(rig: Rig) -> None:
    await rig.tick()
    await rig.control(paused=1)
    await rig.tick(900)
    before = await rig.number("serving_ms")
    await rig.control(paused=0)
    await rig.tick(250)
    assert await rig.number("serving_ms") - before < 900


async def test_a_tick_that_is_not_due_is_not_sent(rig: Rig) -> None:
    await rig.tick()
    await rig.another_worker(tick_ms=3_600_000).refresh()
    assert await rig.number("tick") == 1


async def test_a_pass_that_has_run_out_is_taken_back(rig: Rig) -> None:
    await rig.line(serving_ms=5000)
    await rig.admit(b"early", end_ms=5000)
    await rig.admit(b"late", end_ms=50_000)
    await rig.tick()
    assert await rig.house.store.client.hkeys(rig.house.live.keys.passes) == [b"late"]


async def test_a_pass_that_has_run_out_is_counted_in_its_lane(rig: Rig) -> None:
    await rig.line(serving_ms=5000)
    await rig.admit(b"early", end_ms=5000, lane=3)
    await rig.tick()
    assert await rig.number("lapsed:3") == 1


async def test_passes_do_not_run_out_while_the_sale_is_paused(rig: Rig) -> None:
    await rig.line(serving_ms=4999)
    await rig.admit(b"buyer", end_ms=5000)
    await rig.tick(0)
    await rig.control(paused=1)
    await rig.tick(60_000)
    assert await rig.house.store.client.zcard(rig.house.live.keys.admitted) == 1


async def test_more_passes_than_one_tick_takes_back_go_with_the_next(rig: Rig) -> None:
    await rig.line(serving_ms=5000)
    for number in range(1001):
        await rig.admit(b"%d" % number, end_ms=1)
    left = []
    for _ in range(2):
        await rig.tick()
        left.append(await rig.house.store.client.zcard(rig.house.live.keys.admitted))
    assert left == [1, 0]


async def test_who_waits_for_room_and_asks_no_more_is_forgotten(rig: Rig) -> None:
    await rig.line(serving_ms=20_000)
    await rig.wait_at_the_door(b"gone", rank=1, seen_ms=10_000)
    await rig.wait_at_the_door(b"there", rank=2, seen_ms=10_001)
    await rig.tick(0)
    assert await rig.house.store.client.zrange(rig.house.live.keys.claimers, 0, -1) == [b"there"]


async def test_who_waits_far_behind_and_is_gone_is_forgotten_in_time(rig: Rig) -> None:
    await rig.line(serving_ms=20_000)
    for number in range(300):
        await rig.wait_at_the_door(b"%d" % number, rank=number, seen_ms=20_000 if number < 256 else 0)
    for _ in range(60):
        await rig.tick(0)
        await rig.line(serving_ms=20_000, ticked_ms=1)
    assert await rig.house.store.client.zcard(rig.house.live.keys.claimers) < 300


async def test_a_checkpoint_tells_the_heads_before_they_move(rig: Rig) -> None:
    await rig.line(tail_0=50, head_0=4)
    await rig.tick()
    (packed,) = await rig.house.store.client.lrange(rig.house.live.keys.checkpoints, 0, -1)
    assert msgpack.unpackb(packed) == [0, [4], 0]


async def test_checkpoints_cover_the_window_and_no_more(rig: Rig) -> None:
    for _ in range(60):
        await rig.tick(250)
    assert 12 <= await rig.house.store.client.llen(rig.house.live.keys.checkpoints) <= 20


async def test_no_shows_make_room_for_the_next_in_time(rig: Rig) -> None:
    await rig.line(tail_0=50)
    rig.rate(None, concurrency=4)
    called = [(await rig.tick(1000)).lanes[0].called for _ in range(14)]
    assert called[0] == called[1] < called[-1]


async def test_a_sale_without_a_unit_left_and_no_open_order_is_over_for_good(rig: Rig) -> None:
    await rig.stock(free_floor=0, free_stand=0)
    assert (await rig.tick()).final


async def test_a_free_unit_keeps_the_sale_alive(rig: Rig) -> None:
    await rig.stock(free_floor=0, free_stand=1)
    assert not (await rig.tick()).final


async def test_a_held_unit_keeps_the_sale_alive(rig: Rig) -> None:
    await rig.stock(free_floor=0, free_stand=0, held_stand=1)
    assert not (await rig.tick()).final


async def test_an_open_order_keeps_the_sale_alive(rig: Rig) -> None:
    await rig.stock(free_floor=0, free_stand=0)
    await rig.house.store.client.zadd(rig.house.live.keys.deadlines, {"order": 1 << 45})
    assert not (await rig.tick()).final


async def test_a_paused_sale_does_not_end_for_good(rig: Rig) -> None:
    await rig.stock(free_floor=0, free_stand=0)
    await rig.control(paused=1)
    assert not (await rig.tick()).final


async def test_units_that_come_back_after_the_end_call_nobody(rig: Rig) -> None:
    await rig.line(tail_0=50)
    await rig.stock(free_floor=0, free_stand=0)
    await rig.tick()
    await rig.stock(free_floor=5)
    sight = await rig.tick()
    assert (sight.final, sight.lanes[0].head) == (True, 0)


async def test_a_sale_that_is_over_is_not_ticked_any_more(rig: Rig) -> None:
    await rig.stock(free_floor=0, free_stand=0)
    await rig.tick()
    await rig.tick()
    assert await rig.number("tick") == 1


async def test_a_sight_of_a_fenced_sale_is_none(rig: Rig) -> None:
    await rig.house.store.client.hdel(rig.house.live.keys.control, "run")
    await rig.ticker.refresh()
    assert (rig.ticker.sight, rig.house.live.fenced) == (None, True)


async def test_what_one_worker_learned_the_next_one_goes_on_with(rig: Rig) -> None:
    await rig.line(tail_0=50)
    await rig.tick()
    other = rig.another_worker()
    await other.refresh()
    assert other.memory == rig.ticker.memory


async def test_a_look_and_a_tick_ask_redis_the_same_however_many_wait(rig: Rig) -> None:
    client, asked = rig.house.store.client, []
    rig.rate(50)
    await rig.tick()
    for waiting in (1_000, 1_000_000):
        await rig.line(tail_0=waiting, head_0=0)
        await rig.pass_ms(250)
        await client.config_resetstat()
        await rig.ticker.refresh()
        stats = await client.info("commandstats")
        asked.append({name: of["calls"] for name, of in stats.items() if name != "cmdstat_config|resetstat"})
    assert asked[0] == asked[1]


async def test_a_clock_of_redis_that_was_put_back_an_hour_stops_nobody(rig: Rig) -> None:
    await rig.line(tail_0=100, ceiling_0=100)
    await rig.tick()
    before = await rig.tick()
    await rig.pass_ms(-3_600_000)
    put_back = await rig.tick()
    assert (put_back.tick, put_back.serving_ms) == (before.tick + 1, before.serving_ms)
    assert (await rig.tick()).serving_ms > before.serving_ms


async def test_a_tick_remembers_when_all_that_was_left_of_a_sku_was_held(rig: Rig) -> None:
    await rig.tick()
    assert await rig.number("dry_ms") == 0
    await rig.stock(free_floor=0, held_floor=3)
    sight = await rig.tick()
    assert await rig.number("dry_ms") == sight.serving_ms > 0
    await rig.stock(free_floor=1, held_floor=2)
    await rig.tick()
    assert await rig.number("dry_ms") == sight.serving_ms
