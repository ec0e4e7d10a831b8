"""The designs that the engine is measured against are honest: they sell every unit, and no unit twice."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from bench.reference import hot_row, obvious, skip_locked
from bench.requests import order_body, sku_of

UNITS = 20
BUYERS = 50
SKU = sku_of("any")


async def with_hot_row(ledger: asyncpg.Connection, _redis_url: str, database_url: str) -> web.Application:
    await ledger.execute(hot_row.SCHEMA)
    await ledger.execute("insert into hot_stock values ($1, $2)", SKU, UNITS)
    return hot_row.build(postgres_url=database_url)


async def with_unit_rows(ledger: asyncpg.Connection, _redis_url: str, database_url: str) -> web.Application:
    await ledger.execute(skip_locked.SCHEMA)
    await ledger.execute(skip_locked.FILL, SKU, UNITS)
    return skip_locked.build(postgres_url=database_url)


async def with_redis_and_insert(ledger: asyncpg.Connection, redis_url: str, database_url: str) -> web.Application:
    await ledger.execute(obvious.SCHEMA)
    async with obvious.redis.asyncio.from_url(redis_url) as client:
        await client.set(f"obvious:free:{SKU}", UNITS)
    return obvious.build(redis_url=redis_url, postgres_url=database_url)


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.mark.parametrize(
    ("design", "orders"),
    [(with_hot_row, "hot_orders"), (with_unit_rows, "unit_orders"), (with_redis_and_insert, "obvious_orders")],
)
async def test_a_crowd_buys_every_unit_and_none_twice(
    design, orders: str, ledger: asyncpg.Connection, clean_redis_url: str, database_url: str
) -> None:
    async with TestServer(await design(ledger, clean_redis_url, database_url)) as server, ClientSession() as phones:

        async def order() -> int:
            headers = {"Authorization": "Bearer any"}
            async with phones.post(server.make_url("/orders"), data=order_body("any"), headers=headers) as answer:
                return answer.status

        told = await asyncio.gather(*(order() for _ in range(BUYERS)))

    assert told.count(201) == UNITS
    assert told.count(409) == BUYERS - UNITS
    assert await ledger.fetchval(f"select count(*) from {orders}") == UNITS


async def test_no_row_is_sold_to_two_orders(
    ledger: asyncpg.Connection, database_url: str, clean_redis_url: str
) -> None:
    async with (
        TestServer(await with_unit_rows(ledger, clean_redis_url, database_url)) as server,
        ClientSession() as phones,
    ):

        async def order_two() -> int:
            body = order_body("any").replace(b'"quantity":1', b'"quantity":2')
            async with phones.post(server.make_url("/orders"), data=body, headers={"Authorization": "any"}) as answer:
                return answer.status

        told = await asyncio.gather(*(order_two() for _ in range(BUYERS)))

    sold = await ledger.fetchval("select count(*) from unit_stock where order_no is not null")
    assert sold == 2 * told.count(201)
