"""People stand in the line while Redis or a worker dies: nobody loses a place, and no two people have the same."""

import asyncio
import secrets

import aiohttp
import pytest

from engine.app.house import seal_keys
from engine.infra.seals import Opened, Purpose
from engine.line.place import Cohort
from tests.faults.rig import Rig, sha_of
from tests.faults.test_redis_forgets import emptied
from tests.support.buyer import Buyer, Crowd
from tests.support.engine import sale_text
from tests.support.proxy import Hold

ENROLL = sha_of("line", "enroll")
PATIENCE_S = 30.0

Spot = tuple[int, Cohort, int]  # lane, cohort, index


@pytest.fixture
async def lobby(rig: Rig, crowd: Crowd) -> str:
    """A sale that opens in an hour; both workers take people into its lobby."""
    sale_id = f"sale-{secrets.token_hex(4)}"
    await rig.apply(sale_text(sale_id=sale_id, capacities={"floor": 10}), opens_in_s=3600)
    first = crowd.buyer()
    await first.login()
    for _ in range(2):  # two workers take turns
        await joined(rig, first, sale_id)
    return sale_id


def spot(rig: Rig, sealed: str) -> Spot:
    """What a sealed place says."""
    opened = seal_keys(rig.engine.config).open(Purpose.PLACE, sealed, now_s=0)
    assert isinstance(opened, Opened)
    payload = opened.payload
    return payload[16], Cohort(payload[17]), int.from_bytes(payload[24:32], "big")


async def joined(rig: Rig, buyer: Buyer, sale_id: str, *, shown: str | None = None) -> Spot:
    """Join, and again after an outage or while the draw is made, until there is a place."""
    found: list[Spot] = []

    async def once() -> bool:
        answer = await buyer.ask("POST", f"/v1/sales/{sale_id}/places", body={"place": shown} if shown else None)
        if answer.status == 201:
            buyer.places[sale_id] = answer.json["place"]
            found.append(spot(rig, answer.json["place"]))
            return True
        assert answer.status in (404, 409, 429, 503), answer
        await asyncio.sleep(answer.json.get("retry_after_ms", 0) / 1000)
        return False

    async def patiently() -> bool:
        try:
            return await once()
        except (OSError, aiohttp.ClientError):  # the worker died under the request
            return False

    await rig.until(patiently, patience_s=PATIENCE_S, what="a place")
    return found[-1]


async def people(crowd: Crowd, count: int) -> list[Buyer]:
    found = [crowd.buyer() for _ in range(count)]
    await asyncio.gather(*(buyer.login() for buyer in found))
    return found


async def close_lobby(rig: Rig, sale_id: str) -> None:
    await rig.rows("update sales set opens_at = now(), lobby_closes_at = now() where sale_id = $1", sale_id)


async def test_redis_dies_in_the_middle_of_a_lobby_and_everybody_keeps_the_place(
    rig: Rig, crowd: Crowd, lobby: str
) -> None:
    buyers = await people(crowd, 12)
    before = [await joined(rig, buyer, lobby) for buyer in buyers[:4]]
    await asyncio.to_thread(emptied, rig)
    before += [await joined(rig, buyer, lobby) for buyer in buyers[4:8]]
    await asyncio.to_thread(rig.redis.start)
    before += [await joined(rig, buyer, lobby) for buyer in buyers[8:]]
    await close_lobby(rig, lobby)
    late = crowd.buyer()
    await late.login()
    assert (await joined(rig, late, lobby))[1] is Cohort.LIVE
    assert [await joined(rig, buyer, lobby) for buyer in buyers] == before
    assert {cohort for _, cohort, _ in before} == {Cohort.LOBBY}
    assert len(set(before)) == len(before)


async def test_a_worker_that_dies_before_the_roster_heard_of_a_place_takes_it_from_nobody(
    rig: Rig, crowd: Crowd, lobby: str
) -> None:
    (buyer,) = await people(crowd, 1)
    with rig.trap_redis(ENROLL, hold=Hold.MESSAGE) as trap:
        joining = asyncio.create_task(joined(rig, buyer, lobby))
        (await rig.caught(trap)).kill()
    before = await joining
    await close_lobby(rig, lobby)
    late = crowd.buyer()
    await late.login()
    assert (await joined(rig, late, lobby))[1] is Cohort.LIVE
    assert await joined(rig, buyer, lobby) == before


async def test_live_places_are_had_back_by_showing_them_after_redis_lost_everything(
    rig: Rig, crowd: Crowd, lobby: str
) -> None:
    await close_lobby(rig, lobby)
    buyers = await people(crowd, 10)
    before = [await joined(rig, buyer, lobby) for buyer in buyers[:5]]
    await asyncio.to_thread(emptied, rig)
    await asyncio.to_thread(rig.redis.start)
    others = [await joined(rig, buyer, lobby) for buyer in buyers[5:]]
    back = [await joined(rig, buyer, lobby, shown=buyer.places[lobby]) for buyer in buyers[:5]]
    assert back == before
    assert not set(others) & set(before)
