"""One hot row, kept as a measure: PostgreSQL alone counts the units and records the orders.

One transaction per order takes a unit from the one row that has them and inserts the order; every buyer
waits for that row's lock. It is durable and never oversells, and it is what a shop does that trusts its
database and nothing else. Like the other references it leaves out limits, passes and repeats.
"""

from __future__ import annotations

import argparse
import secrets
from collections.abc import AsyncIterator

import asyncpg
import orjson
import uvloop
from aiohttp import web

SCHEMA = """
create table if not exists hot_stock (sku text primary key, avail integer not null) with (fillfactor = 50);
create table if not exists hot_orders (
    order_no text primary key, buyer text not null, sku text not null, quantity integer not null,
    created_at timestamptz not null default now())
"""
TAKE = "update hot_stock set avail = avail - $2 where sku = $1 and avail >= $2 returning avail"
INSERT = "insert into hot_orders (order_no, buyer, sku, quantity) values ($1, $2, $3, $4)"
POSTGRES_CONNECTIONS = 10

POOL: web.AppKey[asyncpg.Pool[asyncpg.Record]] = web.AppKey("pool", asyncpg.Pool)


async def order(request: web.Request) -> web.Response:
    body = await request.json(loads=orjson.loads)
    item = body["items"][0]
    order_no = secrets.token_hex(16)
    buyer = request.headers["Authorization"]
    async with request.app[POOL].acquire() as connection, connection.transaction():
        left = await connection.fetchval(TAKE, item["sku"], item["quantity"])
        if left is not None:
            await connection.execute(INSERT, order_no, buyer, item["sku"], item["quantity"])
    if left is None:
        return web.Response(status=409, body=orjson.dumps({"code": "SOLD_OUT"}), content_type="application/json")
    return web.Response(status=201, body=orjson.dumps({"order_no": order_no}), content_type="application/json")


def build(*, postgres_url: str) -> web.Application:
    async def store(app: web.Application) -> AsyncIterator[None]:
        async with asyncpg.create_pool(
            postgres_url, min_size=POSTGRES_CONNECTIONS, max_size=POSTGRES_CONNECTIONS
        ) as pool:
            app[POOL] = pool
            yield

    app = web.Application()
    app.cleanup_ctx.append(store)
    app.router.add_post("/orders", order)
    return app


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--postgres-url", required=True)
    given = arguments.parse_args()
    uvloop.install()
    web.run_app(
        build(postgres_url=given.postgres_url),
        host="127.0.0.1",
        port=given.port,
        reuse_port=True,
        access_log=None,
        print=None,
    )


if __name__ == "__main__":
    main()
