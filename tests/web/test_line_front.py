"""The line's front over HTTP, at a running engine: places, streams, limits and challenges."""

import asyncio
import base64
import gzip
import json

import altcha
import orjson

from tests.support.buyer import Answer, Buyer, Crowd
from tests.support.engine import Engine, OnSale
from tests.web import raw

GZIPPED_BYTES_MAX = 600


async def logged_in(crowd: Crowd) -> Buyer:
    buyer = crowd.buyer()
    await buyer.login()
    return buyer


async def test_a_place_tells_lane_position_state_and_when_to_ask_again(crowd: Crowd, sale: OnSale) -> None:
    buyer = await logged_in(crowd)
    headers = {"Floodgate-Place": await buyer.join(sale.sale_id)}
    found = {"position": None}
    while found["position"] is None:  # the other worker may not have seen the draw yet
        found = (await buyer.ask("GET", f"/v1/sales/{sale.sale_id}/places/me", headers=headers)).json
    assert (found["lane"], found["cohort"], found["index"]) == ("public", "live", found["position"])
    assert found["state"] in ("waiting", "your_turn")
    assert 2000 <= found["ask_again_ms"] <= 78_000


async def test_many_taps_and_two_phones_have_one_place(crowd: Crowd, sale: OnSale) -> None:
    buyer = await logged_in(crowd)
    other_phone = crowd.buyer(buyer.openid)
    await other_phone.login()
    path = f"/v1/sales/{sale.sale_id}/places"
    taps = [phone.ask("POST", path) for phone in (buyer, buyer, other_phone, buyer)]
    found = [answer.json for answer in await asyncio.gather(*taps)]
    assert len({(one["lane"], one["position"]) for one in found}) == 1


async def test_a_place_outlives_the_end_of_its_sale_by_a_week_for_the_end_may_be_put_off(
    crowd: Crowd, sale: OnSale
) -> None:
    buyer = await logged_in(crowd)
    sealed = base64.urlsafe_b64decode(await buyer.join(sale.sale_id) + "==")
    closes_ms = (await crowd.ask("GET", f"/v1/sales/{sale.sale_id}")).json["closes_ms"]
    assert int.from_bytes(sealed[2:6], "big") == closes_ms // 1000 + 7 * 86_400


async def test_a_lane_that_is_not_there_is_422(crowd: Crowd, sale: OnSale) -> None:
    buyer = await logged_in(crowd)
    answer = await buyer.ask("POST", f"/v1/sales/{sale.sale_id}/places", body={"lane": "backstage"})
    assert (answer.status, answer.code) == (422, "UNKNOWN_LANE")


async def test_who_taps_without_end_is_429_and_told_when_to_come_back(crowd: Crowd, sale: OnSale) -> None:
    buyer = await logged_in(crowd)
    path = f"/v1/sales/{sale.sale_id}/places"
    answers = await asyncio.gather(*(buyer.ask("POST", path) for _ in range(40)))
    refused = [answer for answer in answers if answer.status == 429]
    assert {answer.status for answer in answers} == {201, 429}
    assert all(answer.code == "TOO_OFTEN" and answer.json["retry_after_ms"] >= 500 for answer in refused)
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)


async def test_the_document_is_small_and_sets_nothing_on_the_client(crowd: Crowd, sale: OnSale) -> None:
    answer = await crowd.ask("GET", f"/v1/sales/{sale.sale_id}/line")
    assert answer.headers["Cache-Control"] == "public, max-age=1"
    assert "Set-Cookie" not in answer.headers
    assert len(gzip.compress(answer.raw)) <= GZIPPED_BYTES_MAX


async def test_the_stream_begins_with_the_document_and_tells_what_changes(
    engine: Engine, crowd: Crowd, sale: OnSale
) -> None:
    buyer = await logged_in(crowd)
    async with raw.connection(engine.public_url) as (reader, writer), asyncio.timeout(raw.PATIENCE_S):
        writer.write(raw.head("GET", f"/v1/sales/{sale.sale_id}/line/events"))
        await reader.readuntil(b"\r\n\r\n")
        first = event_of(await reader.readuntil(b"\n\n"))
        await buyer.join(sale.sale_id)
        tail = first["lanes"][0]["tail"]
        while event_of(await reader.readuntil(b"\n\n"))["lanes"][0]["tail"] <= tail:
            pass


def event_of(piece: bytes) -> dict[str, list[dict[str, int]]]:
    """The document of one event."""
    data = next(line for line in piece.splitlines() if line.startswith(b"data: "))
    found = orjson.loads(data.removeprefix(b"data: "))
    assert isinstance(found, dict)
    return found


async def join_with(buyer: Buyer, sale: OnSale, proof: str | None) -> Answer:
    headers = {} if proof is None else {"Floodgate-Proof": proof}
    return await buyer.ask("POST", f"/v1/sales/{sale.sale_id}/places", headers=headers)


async def test_a_challenge_that_is_switched_on_has_to_be_solved(engine: Engine, crowd: Crowd) -> None:
    guarded = engine.sell({"floor": 10})
    engine.wait_until_live(guarded.sale_id)
    early = await logged_in(crowd)
    place = await early.join(guarded.sale_id)
    engine.floodgate("line", "challenge", guarded.sale_id, "always")
    buyer = await logged_in(crowd)
    async with asyncio.timeout(raw.PATIENCE_S):
        while (refused := await join_with(await logged_in(crowd), guarded, None)).status == 201:
            pass
    assert (refused.status, refused.code) == (403, "PROOF_NEEDED")
    challenge = await buyer.ask("GET", f"/v1/sales/{guarded.sale_id}/challenge")
    assert challenge.headers["Cache-Control"] == "no-store"
    made = altcha.Challenge.from_dict(challenge.json)
    solution = altcha.solve_challenge(made)
    assert solution is not None
    proof = altcha.Payload(made, solution).to_base64()
    stolen = await join_with(await logged_in(crowd), guarded, proof)
    assert (stolen.status, stolen.code) == (403, "PROOF_INVALID")
    spoilt = json.loads(base64.b64decode(proof))
    spoilt["solution"]["counter"] += 1
    spoilt["solution"]["derivedKey"] = "00" * 32
    lazy = await join_with(buyer, guarded, base64.b64encode(json.dumps(spoilt).encode()).decode())
    assert (lazy.status, lazy.code) == (403, "PROOF_INVALID")
    assert (await join_with(buyer, guarded, proof)).status == 201
    again = await early.ask("POST", f"/v1/sales/{guarded.sale_id}/places", body={"place": place})
    assert again.status == 201
