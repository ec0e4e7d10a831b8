"""One hot row, kept as a measure: PostgreSQL alone counts the units and records the orders.

One transaction per order takes a unit from the one row that has them and inserts the order; every buyer
waits for that row's lock. It is durable and never oversells, and it is what a shop does that trusts its
database and nothing else. Like the other references it leaves out limits, passes and repeats.
"""

from __future__ import annotations

import secrets

import orjson
from aiohttp import web

from bench.reference.serving import POOL, application, held, serve, sold_out

SCHEMA = """
create table if not exists hot_stock (sku text primary key, avail integer not null) with (fillfactor = 50);
create table if not exists hot_orders (
    order_no text primary key, buyer text not null, sku text not null, quantity integer not null,
    created_at timestamptz not null default now())
"""
TAKE = "update hot_stock set avail = avail - $2 where sku = $1 and avail >= $2 returning avail"
INSERT = "insert into hot_orders (order_no, buyer, sku, quantity) values ($1, $2, $3, $4)"


async def order(request: web.Request) -> web.Response:
    body = await request.json(loads=orjson.loads)
    item = body["items"][0]
    order_no = secrets.token_hex(16)
    buyer = request.headers["Authorization"]
    async with request.app[POOL].acquire() as connection, connection.transaction():
        left = await connection.fetchval(TAKE, item["sku"], item["quantity"])
        if left is not None:
            await connection.execute(INSERT, order_no, buyer, item["sku"], item["quantity"])
    return held(order_no) if left is not None else sold_out()


def build(*, postgres_url: str) -> web.Application:
    return application(order, postgres_url=postgres_url)


if __name__ == "__main__":
    serve(build, "postgres")
