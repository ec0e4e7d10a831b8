"""A row for each unit, kept as a measure: whoever orders takes the next rows that nobody else has locked.

One transaction per order selects as many free rows as it needs `for update skip locked`, marks them as sold and inserts
the order. Nobody waits for anybody's row, it is durable and never oversells, and it is what a careful shop does that
has read about queues in PostgreSQL. "None found" is not "sold out" here: units may stand in transactions that are going
to be undone. Like the other references it leaves out limits, passes and repeats.
"""

from __future__ import annotations

import secrets

import orjson
from aiohttp import web

from bench.reference.serving import POOL, application, held, serve, sold_out

SCHEMA = """
create table if not exists unit_stock (
    unit_id bigint generated always as identity primary key, sku text not null, order_no text) with (fillfactor = 50);
create index if not exists unit_stock_free on unit_stock (sku, unit_id) where order_no is null;
create table if not exists unit_orders (
    order_no text primary key, buyer text not null, sku text not null, quantity integer not null,
    created_at timestamptz not null default now())
"""
# `sku` and how many units of it.
FILL = "insert into unit_stock (sku) select $1 from generate_series(1, $2::integer)"
TAKE = """
with taken as (
    select unit_id from unit_stock where sku = $1 and order_no is null
    order by unit_id limit $2 for update skip locked
)
update unit_stock set order_no = $3 from taken
where unit_stock.unit_id = taken.unit_id
returning unit_stock.unit_id
"""
INSERT = "insert into unit_orders (order_no, buyer, sku, quantity) values ($1, $2, $3, $4)"


class TooFew(Exception):
    """Fewer free rows than wanted; the transaction is undone."""


async def order(request: web.Request) -> web.Response:
    body = await request.json(loads=orjson.loads)
    item = body["items"][0]
    order_no = secrets.token_hex(16)
    buyer = request.headers["Authorization"]
    try:
        async with request.app[POOL].acquire() as connection, connection.transaction():
            taken = await connection.fetch(TAKE, item["sku"], item["quantity"], order_no)
            if len(taken) < item["quantity"]:
                raise TooFew
            await connection.execute(INSERT, order_no, buyer, item["sku"], item["quantity"])
    except TooFew:
        return sold_out()
    return held(order_no)


def build(*, postgres_url: str) -> web.Application:
    return application(order, postgres_url=postgres_url)


if __name__ == "__main__":
    serve(build, "postgres")
