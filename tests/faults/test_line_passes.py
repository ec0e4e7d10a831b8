"""Passes and the draw on real processes while stores and workers die: nobody gets two, nobody loses one, nothing moves
while it may not."""

import asyncio
import secrets
from typing import Any

import pytest

from engine.app.house import seal_keys
from engine.infra.keys import SaleKeys
from engine.infra.seals import Opened, Purpose
from engine.line.place import Cohort
from tests.faults.rig import WEB, Rig, sha_of
from tests.faults.test_line_places import close_lobby, joined, people
from tests.faults.test_redis_forgets import cut_back
from tests.support.buyer import Answer, Buyer, Crowd
from tests.support.engine import OnSale, sale_text
from tests.support.proxy import Hold

DRAW = sha_of("line", "draw")
CLAIM = sha_of("line", "claim")


@pytest.fixture
async def sale(rig: Rig) -> OnSale:
    return await rig.sell({"floor": 40}, per_buyer_max=2)


@pytest.fixture
async def lobby(rig: Rig) -> str:
    """A sale that opens in an hour."""
    sale_id = f"sale-{secrets.token_hex(4)}"
    await rig.apply(sale_text(sale_id=sale_id, capacities={"floor": 10}), opens_in_s=3600)
    return sale_id


def pseudonym(rig: Rig, sealed: str) -> bytes:
    """The buyer of a sealed place."""
    opened = seal_keys(rig.engine.config).open(Purpose.PLACE, sealed, now_s=0)
    assert isinstance(opened, Opened)
    return opened.payload[:16]


async def claim(buyer: Buyer, sale_id: str) -> Answer:
    """One claim with the place that the buyer has."""
    return await buyer.ask("POST", f"/v1/sales/{sale_id}/pass", headers={"Floodgate-Place": buyer.places[sale_id]})


def in_redis(rig: Rig, *command: str | int) -> Any:
    """The answer of Redis in bytes."""
    with rig.redis.client() as client:
        return client.execute_command(*command, NEVER_DECODE=[])


async def drawn(rig: Rig, sale_id: str) -> bool:
    with rig.redis.client() as client:
        return bool(client.hget(SaleKeys.of(sale_id).line, "drawn") == "1")


async def serving_ms(rig: Rig, sale_id: str) -> int:
    with rig.redis.client() as client:
        return int(client.hget(SaleKeys.of(sale_id).line, "serving_ms") or 0)


async def control(rig: Rig, crowd: Crowd, sale_id: str, verb: str) -> None:
    """Pause or resume as the organizer does."""
    url = f"{rig.engine.admin_url}/admin/v1/sales/{sale_id}/{verb}"
    answer = await crowd.ask("POST", url, headers={"Authorization": f"Bearer {rig.engine.admin_key}"})
    assert answer.status == 200, answer


async def passes_of(rig: Rig, sale_id: str) -> list[Any]:
    return await rig.rows("select buyer, nonce from admissions where sale_id = $1", sale_id)


async def entries_of(rig: Rig, sale_id: str) -> list[dict[str, Any]]:
    return await rig.rows("select lane, index, buyer from lobby_entries where sale_id = $1 order by index", sale_id)


async def test_a_worker_that_dies_with_a_pass_not_yet_written_down_leaves_it_for_the_next_try(
    rig: Rig, sale: OnSale, crowd: Crowd
) -> None:
    (buyer,) = await people(crowd, 1)
    await buyer.join(sale.sale_id)
    buyer_bytes = pseudonym(rig, buyer.places[sale.sale_id])
    with rig.trap_postgres(buyer_bytes, hold=Hold.MESSAGE) as trap:
        claiming = asyncio.create_task(buyer.take_pass(sale.sale_id))
        (await rig.caught(trap)).kill()
        await asyncio.gather(claiming, return_exceptions=True)
    (kept,) = in_redis(rig, "HVALS", SaleKeys.of(sale.sale_id).passes)
    await buyer.take_pass(sale.sale_id)
    (written,) = await passes_of(rig, sale.sale_id)
    assert written["nonce"] == kept[:8]
    assert (await buyer.order(sale.sale_id, {sale.skus[0]: 1})).status == 201


async def test_a_claim_whose_answer_was_lost_with_redis_is_one_pass_afterwards(
    rig: Rig, sale: OnSale, crowd: Crowd
) -> None:
    (buyer,) = await people(crowd, 1)
    await buyer.join(sale.sale_id)
    with rig.trap_redis(CLAIM, hold=Hold.REPLY) as trap:
        claiming = asyncio.create_task(buyer.take_pass(sale.sale_id, patience_s=30))
        await rig.caught(trap)
        await asyncio.to_thread(rig.redis.kill)
        await asyncio.to_thread(rig.redis.start)
        trap.cut()
    await claiming
    with rig.redis.client() as client:
        assert client.zcard(SaleKeys.of(sale.sale_id).admitted) == 1

    admission, wish = buyer.passes[sale.sale_id], {"items": [{"sku": sale.skus[0], "quantity": 1}]}

    async def tried() -> int:
        """What one try with the pass is told in the end; the other worker may still be restoring the sale."""
        headers = {"Floodgate-Pass": admission, "Idempotency-Key": secrets.token_hex(8)}
        while True:
            answer = await buyer.ask("POST", f"/v1/sales/{sale.sale_id}/orders", body=wish, headers=headers)
            if answer.status != 503:
                return answer.status
            await asyncio.sleep(answer.json["retry_after_ms"] / 1000)

    assert sorted(await asyncio.gather(*(tried() for _ in range(6)))) == [201, 409, 409, 409, 409, 409]


async def test_a_pass_is_good_for_one_order_whatever_becomes_of_that_order(
    rig: Rig, sale: OnSale, crowd: Crowd
) -> None:
    buyer, other = await people(crowd, 2)
    admission = await buyer.take_pass(sale.sale_id)
    body = {"items": [{"sku": sale.skus[0], "quantity": 1}]}

    async def order(who: Buyer, key: str) -> tuple[int, str | None]:
        answer = await who.ask(
            "POST",
            f"/v1/sales/{sale.sale_id}/orders",
            body=body,
            headers={"Floodgate-Pass": admission, "Idempotency-Key": key},
        )
        return answer.status, answer.code

    assert (await order(other, "forwarded"))[1] == "PASS_INVALID"
    both = await asyncio.gather(*(order(buyer, f"in-parallel-{turn}") for turn in range(8)))
    assert sorted(status for status, _ in both) == [201] + [409] * 7
    (placed,) = await rig.orders_of(sale)
    assert (await buyer.ask("DELETE", f"/v1/orders/{placed['order_no']}")).status in (200, 204)
    await rig.until(lambda: rig.shelves(sale)[sale.skus[0]]["free"] == 40, what="the units are back")
    assert (await order(buyer, "replayed-after-release"))[1] == "PASS_SPENT"


async def test_a_pass_of_a_former_epoch_orders_nothing_and_the_place_gets_another(
    rig: Rig, sale: OnSale, crowd: Crowd
) -> None:
    (buyer,) = await people(crowd, 1)
    old = await buyer.take_pass(sale.sale_id)
    with rig.redis.client() as client:
        client.flushall()
    again = await buyer.take_pass(sale.sale_id, patience_s=30)
    assert again != old
    buyer.passes[sale.sale_id] = old
    assert (await buyer.order(sale.sale_id, {sale.skus[0]: 1})).code == "PASS_SPENT"
    buyer.passes[sale.sale_id] = again
    assert (await buyer.order(sale.sale_id, {sale.skus[0]: 1})).status == 201


async def test_a_pause_stops_passes_orders_and_their_clock_and_leaves_the_passes_good(
    rig: Rig, sale: OnSale, crowd: Crowd
) -> None:
    admitted, late = await people(crowd, 2)
    await admitted.take_pass(sale.sale_id)
    await late.join(sale.sale_id)
    ends = ("ZRANGE", SaleKeys.of(sale.sale_id).admitted, 0, -1, "WITHSCORES")
    before = in_redis(rig, *ends)
    await control(rig, crowd, sale.sale_id, "pause")
    stood_ms = await serving_ms(rig, sale.sale_id)
    orders = set()
    for _ in range(6):  # new connections: both workers are asked
        async with rig.engine.crowd() as fresh:
            admitted.crowd = late.crowd = fresh
            assert (await claim(late, sale.sale_id)).status != 200
            orders.add((await admitted.order(sale.sale_id, {sale.skus[0]: 1})).code)
    admitted.crowd = late.crowd = crowd
    assert orders == {"PAUSED"}
    assert len(await passes_of(rig, sale.sale_id)) == 1
    assert await serving_ms(rig, sale.sale_id) == stood_ms
    await control(rig, crowd, sale.sale_id, "resume")
    assert in_redis(rig, *ends) == before
    assert (await admitted.order(sale.sale_id, {sale.skus[0]: 1})).status == 201


async def test_one_buyer_with_two_hundred_taps_in_three_lanes_has_one_place(rig: Rig, crowd: Crowd) -> None:
    sale_id = f"sale-{secrets.token_hex(4)}"
    await rig.apply(sale_text(sale_id=sale_id, capacities={"floor": 10}), opens_in_s=3600)
    await rig.rows(
        "insert into sale_lanes (sale_id, lane, lane_id, weight) select $1, lane, 'lane' || lane, 1"
        " from generate_series(0, 2) as lane",
        sale_id,
    )
    first, taps = (await people(crowd, 2))[0], 200
    await joined(rig, first, sale_id)

    async def tap(turn: int) -> str | None:
        lane = {"lane": f"lane{turn % 3}"}
        answer = await first.ask("POST", f"/v1/sales/{sale_id}/places", body=lane)
        return answer.json["place"] if answer.status == 201 else None

    old = first.places[sale_id]
    in_lobby = [sealed for sealed in await asyncio.gather(*map(tap, range(taps))) if sealed]
    await close_lobby(rig, sale_id)
    await rig.until(lambda: drawn(rig, sale_id), what="the draw")
    live = [sealed for sealed in await asyncio.gather(*map(tap, range(taps))) if sealed]
    shown = [await joined(rig, first, sale_id, shown=sealed) for sealed in (old, *in_lobby[-1:], *live[-1:])]
    assert len(set(shown)) == 1
    assert shown[0][1] is Cohort.LOBBY
    assert len(await entries_of(rig, sale_id)) == 1
    with rig.redis.client() as client:
        tails = client.hmget(SaleKeys.of(sale_id).line, "tail:0", "tail:1", "tail:2")
    assert {int(tail or 0) for tail in tails} == {0}


async def test_redis_dies_between_the_seal_and_the_publishing_and_the_draw_stands(
    rig: Rig, crowd: Crowd, lobby: str
) -> None:
    buyers = await people(crowd, 6)
    before = [await joined(rig, buyer, lobby) for buyer in buyers]
    with rig.trap_redis(DRAW, hold=Hold.MESSAGE, processes=(*WEB, "jobs")) as trap:
        await close_lobby(rig, lobby)
        await rig.caught(trap)
        seeds = await rig.rows("select lane, root, seed from line_lanes where sale_id = $1", lobby)
        await asyncio.to_thread(rig.redis.kill)
        await asyncio.to_thread(rig.redis.start)
    await rig.until(lambda: drawn(rig, lobby), patience_s=30, what="the draw")
    assert await rig.rows("select lane, root, seed from line_lanes where sale_id = $1", lobby) == seeds
    assert [await joined(rig, buyer, lobby) for buyer in buyers] == before
    assert len(await entries_of(rig, lobby)) == len({place[2] for place in before})


async def test_postgres_is_away_at_the_closing_of_the_lobby_and_everybody_who_was_told_is_in_the_draw(
    rig: Rig, crowd: Crowd, lobby: str
) -> None:
    buyers = await people(crowd, 9)
    told = {await joined(rig, buyer, lobby) for buyer in buyers[:6]}
    late = [asyncio.create_task(joined(rig, buyer, lobby)) for buyer in buyers[6:]]
    await rig.rows(
        "update sales set opens_at = now() + interval '0.5 s', lobby_closes_at = now() + interval '0.5 s'"
        " where sale_id = $1",
        lobby,
    )
    await asyncio.to_thread(rig.postgres.kill)
    await asyncio.to_thread(rig.postgres.start)
    await rig.until(lambda: drawn(rig, lobby), patience_s=30, what="the draw")
    told |= {place for place in await asyncio.gather(*late) if place[1] is Cohort.LOBBY}
    entries = {(row["lane"], Cohort.LOBBY, row["index"]) for row in await entries_of(rig, lobby)}
    assert told <= entries
    (lane,) = await rig.rows("select lobby_count from line_lanes where sale_id = $1", lobby)
    assert sorted(index for _, _, index in entries) == list(range(lane["lobby_count"]))


async def test_while_postgres_is_away_nobody_is_admitted_and_no_pass_runs_down(
    rig: Rig, sale: OnSale, crowd: Crowd
) -> None:
    admitted, late = await people(crowd, 2)
    await admitted.take_pass(sale.sale_id)
    await late.join(sale.sale_id)
    for name in WEB:
        rig.engine.wires[name].postgres.refuse()
    await rig.until(lambda: _degraded(late, sale.sale_id), what="both workers know that they cannot write")
    stood_ms = await serving_ms(rig, sale.sale_id)
    assert (await claim(late, sale.sale_id)).status in (429, 503)
    assert len(await passes_of(rig, sale.sale_id)) == 1
    assert await serving_ms(rig, sale.sale_id) == stood_ms
    for name in WEB:
        rig.engine.wires[name].postgres.heal()
    await late.take_pass(sale.sale_id, patience_s=30)
    await rig.until(lambda: _ordered(admitted, sale), what="an order with the old pass")


async def _degraded(buyer: Buyer, sale_id: str) -> bool:
    """Whether both workers say so: which one answers a new connection is chance, so many are made."""
    url, wechat = buyer.crowd.public_url, buyer.crowd.simulator_url
    async with Crowd(url, wechat, fresh=True) as strangers:
        told = [await strangers.ask("GET", f"/v1/sales/{sale_id}/line") for _ in range(16)]
    return all(answer.json["health"] == "degraded" for answer in told)


async def _ordered(buyer: Buyer, sale: OnSale) -> bool:
    return (await buyer.order(sale.sale_id, {sale.skus[0]: 1}, key="the-old-pass")).status == 201


async def test_live_places_of_two_lost_seconds_are_honoured_and_nobody_else_has_them(
    rig: Rig, sale: OnSale, crowd: Crowd
) -> None:
    buyers = await people(crowd, 12)
    before = [await joined(rig, buyer, sale.sale_id) for buyer in buyers[:6]]
    await buyers[0].take_pass(sale.sale_id)
    (head,) = await rig.rows("select max(head) as head from line_lanes where sale_id = $1", sale.sale_id)
    await asyncio.to_thread(cut_back, rig)
    await asyncio.to_thread(rig.redis.start)
    others = [await joined(rig, buyer, sale.sale_id) for buyer in buyers[6:]]
    back = [await joined(rig, buyer, sale.sale_id, shown=buyer.places[sale.sale_id]) for buyer in buyers[:6]]
    assert back == before
    assert len({*others, *before}) == 12
    await asyncio.gather(*(buyer.take_pass(sale.sale_id, patience_s=30) for buyer in buyers))
    with rig.redis.client() as client:
        assert int(client.hget(SaleKeys.of(sale.sale_id).line, "head:0") or 0) >= head["head"]
