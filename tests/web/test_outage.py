"""An outage is a 503 that says when to come back, never a refusal; nothing that was told is lost by it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from engine.embedded.postgres import PostgresServer
from engine.embedded.valkey import ValkeyServer
from tests.support.buyer import Answer, Buyer
from tests.support.engine import Engine, OnSale, Stores
from tests.web import raw

PLACES_COUNT = 2  # requests that the small engine works on at a time
AGAIN_WITHIN_S = 30.0


@pytest.fixture
def mortal(
    own_redis: ValkeyServer, own_postgres: PostgresServer, merchant_home: Path, tmp_path: Path
) -> Iterator[Engine]:
    """An engine on stores that the test may kill."""
    stores = Stores(redis_url=own_redis.url, postgres_url=own_postgres.url_of("floodgate"))
    with Engine(tmp_path, stores, merchant_home=merchant_home) as engine:
        yield engine


@pytest.fixture
def small_sale(mortal: Engine) -> OnSale:
    sale = mortal.sell({"floor": 100})
    mortal.wait_until_live(sale.sale_id)
    return sale


@pytest.fixture
async def buyer(mortal: Engine, small_sale: OnSale) -> AsyncIterator[Buyer]:
    async with mortal.crowd() as crowd:
        yield await crowd.ready_buyer(small_sale.sale_id)


def is_outage(answer: Answer) -> bool:
    """A 503 with a code of outages and whole seconds to wait."""
    assert answer.status == 503, answer
    assert answer.code in ("UNAVAILABLE", "FENCED", "OVERLOADED")
    assert int(answer.headers["Retry-After"]) >= 1
    return int(answer.json["retry_after_ms"]) > 0


async def ordered_again(buyer: Buyer, sale: OnSale, *, key: str) -> Answer:
    """The same order, sent again until it is decided, as a phone would; a pass that was lost is claimed again."""
    async with asyncio.timeout(AGAIN_WITHIN_S):
        while True:
            answer = await buyer.order(sale.sale_id, {sale.skus[0]: 1}, key=key)
            if answer.code == "PASS_SPENT":
                await buyer.take_pass(sale.sale_id)
            elif answer.status != 503:
                return answer
            else:
                assert is_outage(answer)
                await asyncio.sleep(0.1)


async def test_redis_away_is_503_and_orders_are_kept(
    mortal: Engine, own_redis: ValkeyServer, buyer: Buyer, small_sale: OnSale
) -> None:
    kept = await buyer.order(small_sale.sale_id, {small_sale.skus[0]: 1}, key="kept-order")
    await buyer.take_pass(small_sale.sale_id)
    own_redis.kill()
    order = await buyer.order(small_sale.sale_id, {small_sale.skus[0]: 1}, key="second-order")
    assert is_outage(order)
    assert is_outage(await buyer.ask("POST", f"/v1/sales/{small_sale.sale_id}/places"))
    assert (await buyer.ask("GET", f"/v1/sales/{small_sale.sale_id}")).status == 200
    assert (await buyer.ask("GET", "/v1/orders")).json == {"orders": [kept.json]}
    ready = await buyer.crowd.ask("GET", f"{mortal.admin_url}/readyz")
    assert (ready.status, ready.json["ready"]) == (503, False)
    assert int(ready.headers["Retry-After"]) >= 1
    own_redis.start()
    assert (await ordered_again(buyer, small_sale, key="second-order")).status == 201
    assert (await ordered_again(buyer, small_sale, key="kept-order")).json == kept.json
    assert mortal.audit()["verdict"] == "pass"


async def test_line_without_redis_is_degraded_and_gives_no_pass(
    own_redis: ValkeyServer, buyer: Buyer, small_sale: OnSale
) -> None:
    own_redis.kill()
    path = f"/v1/sales/{small_sale.sale_id}"
    async with asyncio.timeout(AGAIN_WITHIN_S):
        while (await buyer.ask("GET", f"{path}/line")).json["health"] != "degraded":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    headers = {"Floodgate-Place": buyer.places[small_sale.sale_id]}
    assert is_outage(await buyer.ask("POST", f"{path}/pass", headers=headers))
    place = await buyer.ask("GET", f"{path}/places/me", headers=headers)
    assert (place.status, place.json["position"]) == (200, 0)


async def test_postgres_away_is_503_and_selling_goes_on_after_it(
    mortal: Engine, own_postgres: PostgresServer, buyer: Buyer, small_sale: OnSale
) -> None:
    own_postgres.kill()
    assert is_outage(await buyer.order(small_sale.sale_id, {small_sale.skus[0]: 1}, key="only-order"))
    assert is_outage(await buyer.ask("GET", "/v1/orders"))
    assert is_outage(await buyer.ask("GET", "/v1/orders/" + "A" * 26))
    code = await buyer.crowd.buyer().login_code()
    assert is_outage(await buyer.crowd.ask("POST", "/v1/login", body={"code": code}))
    async with asyncio.timeout(AGAIN_WITHIN_S):  # nobody can be admitted, so the line says so and stands still
        while (await buyer.ask("GET", f"/v1/sales/{small_sale.sale_id}/line")).json["health"] != "degraded":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    own_postgres.start()
    placed = await ordered_again(buyer, small_sale, key="only-order")
    assert placed.status == 201
    assert (await buyer.ask("GET", "/v1/orders")).json == {"orders": [placed.json]}
    assert mortal.audit()["verdict"] == "pass"


async def test_wechat_away_is_503_and_the_order_stays_payable(mortal: Engine, buyer: Buyer, small_sale: OnSale) -> None:
    order_no = (await buyer.order(small_sale.sale_id, {small_sale.skus[0]: 1})).json["order_no"]
    mortal.simulator.kill()
    assert is_outage(await buyer.start_payment(order_no))
    assert is_outage(await buyer.crowd.ask("POST", "/v1/login", body={"code": "anything"}))
    mortal.simulator.start()
    await buyer.pay(order_no)
    await buyer.wait_for_state(order_no, "paid")


@pytest.fixture
def narrow(clean_redis_url: str, database_url: str, merchant_home: Path, tmp_path: Path) -> Iterator[Engine]:
    """An engine that works on very few requests at a time."""
    stores = Stores(redis_url=clean_redis_url, postgres_url=database_url)
    settings = {"WEB_CONCURRENT_REQUESTS_MAX": str(PLACES_COUNT)}
    with Engine(tmp_path, stores, merchant_home=merchant_home, settings=settings) as engine:
        yield engine


async def test_one_request_too_many_is_503_and_the_next_is_served(narrow: Engine) -> None:
    request = b"POST /v1/login HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    welcome = b"HTTP/1.1 100 Continue\r\n\r\n"
    async with raw.connection(narrow.public_url) as (reader, writer):
        async with raw.connection(narrow.public_url) as (others, other):
            writer.write(request)
            other.write(request)
            assert (await reader.readexactly(len(welcome)), await others.readexactly(len(welcome))) == (
                welcome,
                welcome,
            )
            refused = await raw.send(narrow.public_url, request.replace(b"Host", b"Connection: close\r\nHost"))
            assert (refused.status, refused.code) == (503, "OVERLOADED")
            assert b"\r\nRetry-After: 1\r\n" in refused.head
        writer.write(b"{}")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
    async with raw.connection(narrow.public_url) as (reader, writer):
        writer.write(request)
        assert await reader.readexactly(len(welcome)) == welcome
