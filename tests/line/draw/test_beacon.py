"""Draws with a public beacon: its round is waited for, checked, kept, and published."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from engine.line.draw.beacon import BODY_BYTES_MAX, Beacon, read_record
from engine.line.draw.records import BeaconRecord
from engine.line.draw.rules import randomness_of
from tests.line.draw.conftest import Lobby

# Round 1 of drand's default network, as every relay of it answers.
FIRST = {
    "round": 1,
    "randomness": "101297f1ca7dc44ef6088d94ad5fb7ba03455dc33d53ddb412bbc4564ed986ec",
    "signature": (
        "8d61d9100567de44682506aea1a7a6fa6e5491cd27a0a0ed349ef6910ac5ac20ff7bc3e09d7c046566c9f7f3c6f3b101"
        "04990e7cb424998203d8f7de586fb7fa5f60045417a432684f85093b06ca91c769f0e7ca19268375e659c2a2352b4655"
    ),
    "previous_signature": "176f93498eac9ca337150b46d21dd58673ea4e3581185f869672e59fa4cb390a",
}


@dataclass
class Relay:
    """A server that speaks drand's HTTP format. Rounds that it lacks are 404, as with drand itself."""

    url: str = ""
    rounds: dict[str, bytes] = field(default_factory=dict)
    asked: int = 0
    waiting: int = 0
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def get(self, request: web.Request) -> web.Response:
        self.asked += 1
        self.waiting += 1
        try:
            await self.answers.wait()
        finally:
            self.waiting -= 1
        found = self.rounds.get(request.match_info["round"])
        return web.Response(status=404) if found is None else web.Response(body=found)


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    found = Relay()
    found.answers.set()
    app = web.Application()
    app.router.add_get("/chain/public/{round}", found.get)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    found.url = f"http://{host}:{port}/chain"
    yield found
    await runner.cleanup()


@pytest.fixture
async def closed_lobby(lobby: Lobby, relay: Relay) -> Lobby:
    """Three people, a lobby that has closed, and rules that name round 1 of the relay."""
    await lobby.gather(3)
    await lobby.house.sql("update sales set beacon_url = $1, beacon_round = 1 returning 1", relay.url)
    await lobby.open_until("now() - interval '1 second'")
    return lobby


async def test_a_round_of_drand_is_read(session: aiohttp.ClientSession, relay: Relay) -> None:
    relay.rounds["1"] = orjson.dumps(FIRST)
    expected = BeaconRecord(1, bytes.fromhex(str(FIRST["randomness"])), bytes.fromhex(str(FIRST["signature"])))
    assert await Beacon(session).record(relay.url, 1) == expected
    assert await Beacon(session).record(relay.url + "/", 1) == expected


async def test_a_round_that_is_not_there_yet_is_a_sentence(session: aiohttp.ClientSession, relay: Relay) -> None:
    assert await Beacon(session).record(relay.url, 2) == f"{relay.url}/public/2: status 404"


async def test_a_beacon_that_cannot_be_reached_is_a_sentence(session: aiohttp.ClientSession) -> None:
    assert "ClientConnectorError" in str(await Beacon(session).record("http://127.0.0.1:1", 1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"round": 2}, "lacks the round"),
        ({"round": "1"}, "lacks the round"),
        ({"randomness": "00" * 32}, "not the hash"),
        ({"randomness": None}, "lacks the round"),
        ({"signature": "xyz"}, "lacks the round"),
        ({"signature": ""}, "lacks the round"),
    ],
)
def test_a_record_that_does_not_fit_is_not_taken(change: dict[str, Any], words: str) -> None:
    assert words in str(read_record(orjson.dumps({**FIRST, **change}), 1))


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'"1"', orjson.dumps(FIRST)[:-1]])
def test_what_is_no_record_is_not_taken(body: bytes) -> None:
    assert isinstance(read_record(body, 1), str)


async def test_a_body_without_end_is_cut_off(session: aiohttp.ClientSession, relay: Relay) -> None:
    relay.rounds["1"] = b" " * BODY_BYTES_MAX + orjson.dumps(FIRST)
    assert isinstance(await Beacon(session).record(relay.url, 1), str)


async def heard(lobby: Lobby, relay: Relay) -> None:
    """Turns until the beacon was asked and its answer was looked at."""
    while not relay.asked or lobby.sealer.asking:
        await lobby.sealer.run_once()


async def test_a_sale_waits_sealed_for_its_round(closed_lobby: Lobby, relay: Relay) -> None:
    await heard(closed_lobby, relay)
    drawing = await closed_lobby.drawing()
    assert drawing.sealed
    assert not drawing.drawn
    assert relay.asked == 1


async def test_the_round_goes_into_the_draw_and_its_record_is_kept(closed_lobby: Lobby, relay: Relay) -> None:
    await heard(closed_lobby, relay)
    relay.rounds["1"] = orjson.dumps(FIRST)
    while not (await closed_lobby.drawing()).drawn:
        await closed_lobby.sealer.run_once()
    drawing = await closed_lobby.drawing()
    assert drawing.secret is not None
    assert drawing.beacon is not None
    assert sha256(drawing.beacon.signature).digest() == drawing.beacon.randomness
    assert drawing.randomness == randomness_of(drawing.secret, drawing.beacon.randomness)
    assert (await closed_lobby.sight()).drawn


async def test_a_lying_beacon_draws_nothing(closed_lobby: Lobby, relay: Relay) -> None:
    relay.rounds["1"] = orjson.dumps({**FIRST, "randomness": "00" * 32})
    await heard(closed_lobby, relay)
    assert not (await closed_lobby.drawing()).drawn


async def test_a_beacon_that_takes_its_time_does_not_keep_other_sales_from_their_draw(
    closed_lobby: Lobby, relay: Relay
) -> None:
    relay.rounds["1"] = orjson.dumps(FIRST)
    relay.answers.clear()
    while not relay.waiting:
        await closed_lobby.sealer.run_once()
    await closed_lobby.sealer.run_once()
    assert (relay.asked, relay.waiting) == (1, 1)  # turns are over, and the question is still open
    relay.answers.set()
    while not (await closed_lobby.drawing()).drawn:
        await closed_lobby.sealer.run_once()
    assert relay.asked == 1
