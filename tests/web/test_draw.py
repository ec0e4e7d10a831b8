"""A whole engine: people gather, the lobby closes, and each of them can prove where the draw has put them."""

import asyncio
import json
from pathlib import Path

from engine.embedded.postgres import run_sql
from tests.support.buyer import Buyer, Crowd
from tests.support.engine import Engine

PEOPLE = 7


async def gathered(crowd: Crowd, engine: Engine) -> tuple[str, list[Buyer]]:
    """A sale that opens in an hour, and people in its lobby."""
    sale_id = engine.sell({"floor": 10}, opens_in_s=3600).sale_id
    while (await crowd.ask("GET", f"/v1/sales/{sale_id}/draw")).status != 200:
        pass
    buyers = [crowd.buyer() for _ in range(PEOPLE)]
    for buyer in buyers:
        await buyer.login()
        await buyer.join(sale_id)
    return sale_id, buyers


async def test_people_of_a_lobby_are_drawn_and_can_prove_it(
    engine: Engine, crowd: Crowd, folder_database_url: str, tmp_path: Path
) -> None:
    sale_id, buyers = await gathered(crowd, engine)
    before = (await crowd.ask("GET", f"/v1/sales/{sale_id}/draw")).json
    run_sql(folder_database_url, f"update sales set lobby_closes_at = now() where sale_id = '{sale_id}'")
    while (await crowd.ask("GET", f"/v1/sales/{sale_id}/draw")).json["state"] != "drawn":
        pass
    saved, positions = tmp_path / "draw", []
    await asyncio.to_thread(engine.floodgate, "verify-draw", f"{engine.public_url}/v1/sales/{sale_id}", "--save", saved)
    for buyer in buyers:
        headers = {"Floodgate-Place": buyer.places[sale_id]}
        proof = (await buyer.ask("GET", f"/v1/sales/{sale_id}/draw/proof", headers=headers)).json
        positions.append(proof["position"])
    assert sorted(positions) == list(range(PEOPLE))
    assert json.loads((saved / "draw.json").read_bytes())["rules"]["commitment"] == before["rules"]["commitment"]
    (tmp_path / "mine.json").write_text(json.dumps(proof))
    said = await asyncio.to_thread(
        engine.floodgate, "verify-draw", saved, "--proof", tmp_path / "mine.json", "--place", buyers[-1].places[sale_id]
    )
    assert "names this entry" in said
