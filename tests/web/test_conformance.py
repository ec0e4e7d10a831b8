"""The description is true: whatever fits it or does not, the engine answers as it says.

Schemathesis makes the requests from the OpenAPI document and checks each answer against it: the status is listed, the
headers and the body have the listed shape. Shapes are taken strictly here: a property that the document does not name
is a fault, although clients are told to ignore it. The only error of a server that may come is a listed 503.
"""

import asyncio
import copy
import itertools
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.buyer import Buyer
from tests.support.engine import Engine, OnSale

DOCUMENT: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[2] / "engine" / "web" / "openapi.json").read_bytes()
)
EXAMPLES_MAX = 20
REQUESTS_A_BUYER = 20
TIMEOUT_S = 10.0
NOT_FOR_BUYERS = ("/v1/login", "/wechatpay/notify", "/wechatpay/refund-notify")
# They need an order that is paid, or a refund that failed: tests of their own go through them.
WANTS_MONEY = (
    "POST /v1/orders/{no}/refunds",
    "POST /admin/v1/orders/{no}/refunds",
    "POST /admin/v1/refunds/{no}/retry",
    "POST /admin/v1/refunds/{no}/redirect",
    "POST /admin/v1/refunds/{no}/settled-by-hand",
    "POST /admin/v1/orders/{no}/shipping",
)
# They need settings that are off here: tests/miniprogram and tests/payments/fapiao go through them.
WANTS_SETTINGS = (
    "POST /v1/subscriptions",
    "GET /v1/buyers/me/phone",
    "POST /v1/buyers/me/phone",
    "POST /v1/orders/{no}/fapiao",
    "POST /admin/v1/fapiao/{id}/retry",
)
# They need people in a lobby that has closed: tests/line/draw goes through them.
WANTS_A_LOBBY = ("GET /v1/sales/{sale}/draw/proof", "GET /v1/sales/{sale}/draw/{lane}/entries/{chunk}")

Case: TypeAlias = schemathesis.Case[Any]


def strict(document: dict[str, Any]) -> dict[str, Any]:
    """The document with every named shape closed, those of requests aside: they say themselves what they allow."""
    found = copy.deepcopy(document)
    for name, schema in found["components"]["schemas"].items():
        if "properties" in schema and not name.endswith("Request") and name not in ("Problem", "Notice"):
            schema.setdefault("additionalProperties", False)
    return found


# A stream has no end to wait for: test_streaming.py and test_line_events.py read it.
schema = schemathesis.openapi.from_dict(strict(DOCUMENT)).exclude(path="/v1/sales/{sale}/line/events")
bounded = settings(
    max_examples=EXAMPLES_MAX,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
ANSWERS_AS_LISTED = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def base_url(engine: Engine, case: Case) -> str:
    admin = case.operation.path in ("/livez", "/readyz", "/metrics") or case.operation.path.startswith("/admin")
    return engine.admin_url if admin else engine.public_url


class Shoppers:
    """An endless row of buyers with a pass and an order, made anew when the last one has had enough."""

    def __init__(self, engine: Engine, sale: OnSale) -> None:
        self._engine = engine
        self._sale = sale
        self._steered = engine.sell({"floor": 10})  # operators pause it and change its pace; nobody buys there
        self._turn = itertools.count()
        self._current: tuple[Buyer, str] | None = None

    def next(self) -> tuple[Buyer, str]:
        """A buyer and the number of an order of theirs that is held."""
        if self._current is None or next(self._turn) % REQUESTS_A_BUYER == 0:
            self._current = asyncio.run(self._arrive())
        return self._current

    async def _arrive(self) -> tuple[Buyer, str]:
        async with self._engine.crowd() as crowd:
            buyer = await crowd.ready_buyer(self._sale.sale_id)
            placed = await buyer.order(self._sale.sale_id, {self._sale.skus[0]: 1})
            return buyer, placed.json["order_no"]

    def dress(self, case: Case) -> dict[str, str]:
        """Give the case what a real buyer has: seals in the headers, ids that exist in the path and the body."""
        buyer, order_no = self.next()
        if "no" in case.path_parameters:
            case.path_parameters["no"] = order_no
        admin = case.operation.path.startswith("/admin")
        if "sale" in case.path_parameters:
            case.path_parameters["sale"] = (self._steered if admin else self._sale).sale_id
        items = case.body.get("items") if isinstance(case.body, dict) else None
        for item, sku in zip(items if isinstance(items, list) else [], self._sale.skus, strict=False):
            if isinstance(item, dict) and "sku" in item:
                item["sku"] = sku
        return {
            "Authorization": f"Bearer {self._engine.admin_key if admin else buyer.seal}",
            "Floodgate-Place": buyer.places[self._sale.sale_id],
            "Floodgate-Pass": buyer.passes[self._sale.sale_id],
            "Idempotency-Key": secrets.token_hex(8),
        }


@pytest.fixture(scope="module")
def shoppers(engine: Engine, sale: OnSale) -> Shoppers:
    return Shoppers(engine, sale)


@pytest.fixture(scope="module")
def reached() -> dict[str, set[int]]:
    """Which statuses buyers got, by operation."""
    return {}


@schema.parametrize()
@bounded
def test_stranger_is_answered_as_described(case: Case, engine: Engine, sale: OnSale, session: requests.Session) -> None:
    response = case.call(base_url=base_url(engine, case), session=session, timeout=TIMEOUT_S)
    assert response.status_code != 500
    case.validate_response(response)


@schema.parametrize()
@bounded
def test_buyer_is_answered_as_described(
    case: Case,
    engine: Engine,
    shoppers: Shoppers,
    session: requests.Session,
    reached: dict[str, set[int]],
) -> None:
    headers = shoppers.dress(case)
    response = case.call(base_url=base_url(engine, case), session=session, headers=headers, timeout=TIMEOUT_S)
    assert response.status_code != 500
    reached.setdefault(case.operation.label, set()).add(response.status_code)
    case.validate_response(response, checks=ANSWERS_AS_LISTED)


def test_buyers_got_behind_every_door(reached: dict[str, set[int]]) -> None:
    """Seals and ids of real buyers were of use: each operation above also did what it is for."""
    for label, statuses in reached.items():
        if label.split(" ")[1] not in NOT_FOR_BUYERS and label not in WANTS_MONEY + WANTS_SETTINGS + WANTS_A_LOBBY:
            assert statuses & {200, 201, 202, 204}, label
