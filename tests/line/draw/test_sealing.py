"""Sealing on real servers: once, complete, and from wherever a process died."""

import asyncio

import aiohttp
import pytest

from engine.line.draw.draws import DrawsDiffer
from engine.line.draw.merkle import CHUNK, NO_ENTRIES, leaves, root_of
from engine.line.draw.rules import commitment_of, randomness_of, seed_of, tags_of
from tests.line.draw.conftest import Lobby, parts_of

CLOSED = "now() - interval '1 second'"


async def buyers_of(lobby: Lobby, lane: int) -> list[bytes]:
    rows = await lobby.house.pool.fetch("select buyer from lobby_entries where lane = $1 order by index", lane)
    return [row["buyer"] for row in rows]


async def test_an_open_lobby_is_not_sealed(lobby: Lobby) -> None:
    await lobby.gather(3)
    assert await lobby.sealer.settle(lobby.live) is False
    assert not (await lobby.drawing()).sealed


async def test_a_closed_lobby_is_sealed_drawn_and_published_in_one_turn(lobby: Lobby) -> None:
    await lobby.gather(3)
    await lobby.open_until(CLOSED)
    await lobby.sealer.run_once()
    drawing, sight = await lobby.drawing(), await lobby.sight()
    assert sight.drawn
    assert [(one.count, one.seed, one.root) for one in drawing.lanes] == [
        (one.lobby, one.seed, one.root) for one in sight.lanes
    ]


async def test_counts_roots_and_seeds_are_those_of_the_rules(lobby: Lobby) -> None:
    await lobby.gather(CHUNK + 5, lane=0)
    await lobby.gather(2, lane=1)
    await lobby.open_until(CLOSED)
    await lobby.sealer.run_once()
    drawing = await lobby.drawing()
    assert drawing.secret is not None
    assert commitment_of(drawing.secret) == drawing.commitment
    assert drawing.randomness == randomness_of(drawing.secret, None)
    for lane, count in ((0, CHUNK + 5), (1, 2)):
        root = root_of(leaves(lane, 0, tags_of("spring", await buyers_of(lobby, lane))))
        seed = seed_of(sale_id="spring", lane=lane, root=root, count=count, randomness=drawing.randomness)
        found = drawing.lane(lane)
        assert found is not None
        assert (found.count, found.root, found.seed) == (count, root, seed)


async def test_a_lobby_that_nobody_joined_is_drawn_all_the_same(lobby: Lobby) -> None:
    await lobby.open_until(CLOSED)
    await lobby.sealer.run_once()
    assert [(one.lobby, one.root, len(one.seed)) for one in (await lobby.sight()).lanes] == [(0, NO_ENTRIES, 32)] * 2


async def test_the_secret_is_not_told_before_the_draw(lobby: Lobby) -> None:
    assert (await lobby.drawing()).secret is None
    await lobby.open_until(CLOSED)
    await lobby.draws.ledger.seal("spring")
    assert (await lobby.drawing()).secret is None


async def test_chunks_that_were_built_while_the_lobby_was_open_give_the_same_root(lobby: Lobby) -> None:
    await lobby.gather(CHUNK - 1)
    await lobby.builder.run_once()
    await lobby.gather(CHUNK + 10)
    await lobby.builder.run_once()
    assert await lobby.house.sql("select count(*) from lobby_chunks") == 2
    await lobby.open_until(CLOSED)
    await lobby.sealer.run_once()
    buyers = await buyers_of(lobby, 0)
    assert (await lobby.sight()).lanes[0].root == root_of(leaves(0, 0, tags_of("spring", buyers)))


async def test_a_process_that_died_behind_the_seal_is_followed_by_another(
    lobby: Lobby, session: aiohttp.ClientSession
) -> None:
    await lobby.gather(3)
    await lobby.open_until(CLOSED)
    await lobby.draws.ledger.seal("spring")
    await parts_of(lobby.house, session).sealer.run_once()
    assert (await lobby.sight()).drawn


async def test_a_process_that_died_behind_the_draw_is_followed_by_another(
    lobby: Lobby, session: aiohttp.ClientSession
) -> None:
    await lobby.gather(3)
    await lobby.open_until(CLOSED)
    await lobby.draws.ledger.seal("spring")
    await lobby.draws.ledger.draw("spring", None)
    made = await lobby.drawing()
    await parts_of(lobby.house, session).sealer.run_once()
    assert [one.seed for one in (await lobby.sight()).lanes] == [one.seed for one in made.lanes]


async def test_steps_that_are_repeated_change_nothing(lobby: Lobby) -> None:
    await lobby.gather(3)
    await lobby.open_until(CLOSED)
    await lobby.sealer.run_once()
    first = await lobby.drawing()
    await lobby.draws.ledger.seal("spring")
    await lobby.draws.ledger.draw("spring", None)
    assert await lobby.draws.ledger.read("spring") == first
    assert await lobby.draws.publish(lobby.live)


async def test_two_sealers_at_once_make_one_draw(lobby: Lobby, session: aiohttp.ClientSession) -> None:
    await lobby.gather(CHUNK + 1)
    await lobby.open_until(CLOSED)
    others = [parts_of(lobby.house, session) for _ in range(4)]
    assert await asyncio.gather(*(one.sealer.settle(lobby.live) for one in others)) == [True] * 4
    assert len({await one.drawing() for one in others}) == 1


async def test_after_a_loss_the_same_draw_is_published_again(lobby: Lobby) -> None:
    await lobby.gather(3)
    await lobby.open_until(CLOSED)
    await lobby.sealer.run_once()
    before = await lobby.sight()
    await lobby.house.store.client.flushall()
    lobby.live.fence()
    await lobby.house.rebuilder.run_once()
    await lobby.sealer.run_once()
    after = await lobby.sight()
    assert after.epoch > before.epoch
    assert [(one.lobby, one.seed, one.root) for one in after.lanes] == [
        (one.lobby, one.seed, one.root) for one in before.lanes
    ]


async def test_a_draw_is_published_while_its_sale_is_being_rebuilt(lobby: Lobby) -> None:
    await lobby.open_until(CLOSED)
    await lobby.sealer.run_once()
    epoch = lobby.live.epoch + 1
    await lobby.house.stock.clear(lobby.live.keys, epoch)
    assert await lobby.draws.publish(lobby.live, epoch)
    assert await lobby.house.store.client.hget(lobby.live.keys.line, "drawn") == b"1"


async def test_another_epoch_publishes_nothing(lobby: Lobby) -> None:
    await lobby.open_until(CLOSED)
    await lobby.sealer.run_once()
    assert not await lobby.draws.publish(lobby.live, lobby.live.epoch - 1)


async def test_another_draw_under_the_same_epoch_is_refused(lobby: Lobby) -> None:
    await lobby.open_until(CLOSED)
    await lobby.sealer.run_once()
    await lobby.house.store.client.hset(lobby.live.keys.line, "seed:1", bytes(32))
    with pytest.raises(DrawsDiffer):
        await lobby.draws.publish(lobby.live)


async def test_a_published_draw_costs_no_turn_a_question(lobby: Lobby) -> None:
    await lobby.open_until(CLOSED)
    await lobby.sealer.run_once()
    await lobby.house.sql("drop table line_lanes cascade")
    assert await lobby.sealer.run_once() is False


async def test_entries_that_somebody_took_away_stop_the_seal(lobby: Lobby) -> None:
    await lobby.gather(5)
    await lobby.house.sql("delete from lobby_entries where index = 3")
    await lobby.open_until(CLOSED)
    with pytest.raises(Exception, match="lacks entries"):
        await lobby.sealer.run_once()
    assert not (await lobby.drawing()).sealed
