"""Operators see and steer a line over the admin API, and a pause stops every worker at once."""

from typing import Any

import pytest

from tests.support.buyer import Answer, Crowd
from tests.support.engine import Engine, OnSale


@pytest.fixture(scope="module")
def own_sale(engine: Engine) -> OnSale:
    sale = engine.sell({"floor": 100})
    engine.wait_until_live(sale.sale_id)
    return sale


@pytest.fixture
def operator(crowd: Crowd, engine: Engine) -> Any:
    """Asks the admin listener about a sale."""

    async def ask(method: str, sale_id: str, what: str, body: Any = None, key: str | None = None) -> Answer:
        shown = {"Authorization": f"Bearer {engine.admin_key if key is None else key}"}
        return await crowd.ask(method, f"{engine.admin_url}/admin/v1/sales/{sale_id}/{what}", body=body, headers=shown)

    return ask


async def test_the_numbers_of_a_line_are_there_for_operators_alone(operator: Any, own_sale: OnSale) -> None:
    told = await operator("GET", own_sale.sale_id, "line")
    strange = await operator("GET", own_sale.sale_id, "line", key="guess")

    assert (told.status, told.json["sale"], [lane["lane"] for lane in told.json["lanes"]]) == (
        200,
        own_sale.sale_id,
        ["public"],
    )
    assert (strange.status, strange.code) == (401, "LOGIN_REQUIRED")


async def test_a_pause_is_in_force_when_its_answer_comes_and_ends_with_the_next(
    crowd: Crowd, operator: Any, own_sale: OnSale
) -> None:
    buyer = await crowd.ready_buyer(own_sale.sale_id)

    paused = await operator("POST", own_sale.sale_id, "pause")
    refused = await buyer.order(own_sale.sale_id, {own_sale.skus[0]: 1}, key="the-same-key")
    resumed = await operator("POST", own_sale.sale_id, "resume")
    placed = await buyer.order(own_sale.sale_id, {own_sale.skus[0]: 1}, key="the-same-key")

    assert (paused.status, paused.json) == (200, {"sale": own_sale.sale_id, "paused": True, "carried": True})
    assert (refused.status, refused.code) == (409, "PAUSED")
    assert (resumed.json["paused"], resumed.json["carried"]) == (False, True)
    assert placed.status == 201


async def test_pace_and_challenge_change_and_the_rest_stays(operator: Any, own_sale: OnSale) -> None:
    before = (await operator("GET", own_sale.sale_id, "line")).json

    steered = await operator("PATCH", own_sale.sale_id, "line", {"concurrency": 4000, "challenge": "suspicious"})
    back = await operator("PATCH", own_sale.sale_id, "line", {"concurrency": None, "challenge": "off"})

    named = ("line_rate", "line_concurrency", "challenge")
    assert [steered.json[name] for name in named] == [before["line_rate"], 4000, "suspicious"]
    assert [back.json[name] for name in named] == [before["line_rate"], None, "off"]


REFUSED: list[tuple[Any, int, str]] = [
    ({}, 400, "BODY_INVALID"),
    ([], 400, "BODY_INVALID"),
    ({"speed": 5}, 400, "BODY_INVALID"),
    ({"rate": "5"}, 400, "BODY_INVALID"),
    ({"rate": 5.0}, 400, "BODY_INVALID"),
    ({"rate": True}, 400, "BODY_INVALID"),
    ({"challenge": None}, 400, "BODY_INVALID"),
    ({"challenge": "maybe"}, 400, "BODY_INVALID"),
    ({"rate": 0}, 422, "PACE_INVALID"),
    ({"concurrency": 1_000_001}, 422, "PACE_INVALID"),
    ({"rate": None, "concurrency": None}, 422, "PACE_INVALID"),
]


async def test_what_makes_no_sense_changes_nothing(operator: Any, own_sale: OnSale) -> None:
    before = (await operator("GET", own_sale.sale_id, "line")).json

    answers = [await operator("PATCH", own_sale.sale_id, "line", body) for body, _, _ in REFUSED]

    assert [(answer.status, answer.code) for answer in answers] == [(status, code) for _, status, code in REFUSED]
    after = (await operator("GET", own_sale.sale_id, "line")).json
    assert (after["line_rate"], after["line_concurrency"]) == (before["line_rate"], before["line_concurrency"])


async def test_an_unknown_sale_is_not_found(operator: Any) -> None:
    asked = [("GET", "line", None), ("PATCH", "line", {"rate": 5}), ("POST", "pause", None), ("POST", "resume", None)]

    answers = [await operator(method, "nobody", what, body) for method, what, body in asked]

    assert {(answer.status, answer.code) for answer in answers} == {(404, "UNKNOWN_SALE")}
