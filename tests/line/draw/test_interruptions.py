"""Sealing under fire: joins that race it, and processes that die in the middle of any of its steps."""

import asyncio
import contextlib

import aiohttp

from engine.line.draw.merkle import CHUNK, leaves, root_of
from engine.line.draw.rules import tag_of
from engine.line.joining.ledger import JoinLedger
from engine.line.joining.records import Joining, JoinRefusal
from engine.line.joining.roster import Kept
from tests.line.draw.conftest import Lobby, parts_of

WORKERS = 3
BATCH = 20
LOBBY_MS = 250


async def test_nobody_who_was_given_a_place_is_missing_from_the_entries(
    lobby: Lobby, session: aiohttp.ClientSession
) -> None:
    """Workers take joins until they are refused, while two sealers try again and again."""
    told: dict[bytes, Kept] = {}
    await lobby.open_until(f"now() + interval '{LOBBY_MS} milliseconds'")

    async def take_joins(worker: int) -> None:
        ledger, number = JoinLedger(lobby.house.pool), 0
        while True:
            batch = [b"%08d%08d" % (worker, number + each) for each in range(BATCH)]
            answers = await ledger.enter(
                lobby.live.sale, {one: Joining(one, n % 2, None) for n, one in enumerate(batch)}
            )
            told.update({one: kept for one, kept in answers.items() if isinstance(kept, Kept)})
            if JoinRefusal.SEALING in answers.values():
                return
            number += BATCH

    async def seal() -> None:
        sealer = parts_of(lobby.house, session).sealer
        while not await sealer.settle(lobby.live):
            pass

    await asyncio.gather(*(take_joins(worker) for worker in range(WORKERS)), seal(), seal())
    drawing = await lobby.drawing()
    assert told
    assert sum(one.count for one in drawing.lanes) == len(told)
    for lane in drawing.lanes:
        tags = await lobby.draws.ledger.tags("spring", lane.lane, 0, lane.count)
        assert lane.root == root_of(leaves(lane.lane, 0, tags))
        given = {kept.index: tag_of("spring", buyer) for buyer, kept in told.items() if kept.lane == lane.lane}
        assert given == dict(enumerate(tags))


async def test_a_draw_is_the_same_whenever_its_processes_died(lobby: Lobby, session: aiohttp.ClientSession) -> None:
    """Processes are stopped after so many turns of their loops, wherever they are; another one finishes the work."""
    await lobby.gather(CHUNK + 2)
    await lobby.gather(2, lane=1)
    await lobby.open_until("now() - interval '1 second'")
    await lobby.sealer.run_once()
    expected = [(one.lane, one.count, one.root, one.seed) for one in (await lobby.drawing()).lanes]

    async def begin_again() -> None:
        await lobby.house.sql("update line_sales set sealed_at = null, randomness = null")
        await lobby.house.sql("update line_lanes set root = null, seed = null")
        await lobby.house.sql("delete from lobby_chunks")
        await lobby.house.store.client.delete(lobby.live.keys.line)

    async def die_after(turns: int) -> None:
        work = asyncio.create_task(parts_of(lobby.house, session).sealer.settle(lobby.live))
        for _ in range(turns):
            await asyncio.sleep(0.001)
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work

    async def lives(deaths: list[int]) -> None:
        await begin_again()
        for turns in deaths:
            await die_after(turns)
        assert await parts_of(lobby.house, session).sealer.settle(lobby.live)
        assert [
            (one.lane, one.count, one.root, one.seed) for one in (await parts_of(lobby.house, session).drawing()).lanes
        ] == expected
        assert [one.seed for one in (await lobby.sight()).lanes] == [one[3] for one in expected]

    for deaths in _every_few_turns():
        await lives(deaths)


def _every_few_turns() -> list[list[int]]:
    """One death after a growing number of turns, and some with several."""
    return [*([turns] for turns in range(0, 36, 3)), [2, 9, 17], [4, 4, 4, 30], [12, 6, 1]]


async def test_a_closing_time_that_moved_while_the_sealer_waited_is_kept(lobby: Lobby) -> None:
    """Somebody holds the lanes and gives the lobby another half hour, after the sealer saw that its time had come."""
    await lobby.gather(1)
    await lobby.open_until("now() - interval '1 second'")
    async with lobby.house.pool.acquire() as conn, conn.transaction():
        await conn.execute("select from line_lanes for update")
        sealing = asyncio.create_task(lobby.draws.ledger.seal("spring"))
        waiting = "select exists (select from pg_locks where not granted)"
        while not await lobby.house.sql(waiting):
            pass
        await conn.execute("update sales set lobby_closes_at = now() + interval '30 minutes'")
    assert await sealing is False
    assert not (await lobby.drawing()).sealed
