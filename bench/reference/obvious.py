"""The obvious design, kept as a measure: Redis counts, PostgreSQL records, once per request each.

What most flash-sale tutorials arrive at: one EVALSHA through `redis.asyncio` takes the unit, one INSERT
through an asyncpg pool writes the order, and the buyer gets a 201 after the commit. It is durable and
never oversells. It does not check limits, passes or repeats, and a crash between the two steps loses a
unit: all of that would only make it slower, so leaving it out is in its favour.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import orjson
import redis.asyncio
from aiohttp import web

from bench.reference.serving import POOL, application, held, serve, sold_out

TAKE = """
local free = tonumber(redis.call('GET', KEYS[1]) or '0')
local wanted = tonumber(ARGV[1])
if free < wanted then return 0 end
redis.call('DECRBY', KEYS[1], wanted)
return 1
"""
SCHEMA = """
create table if not exists obvious_orders (
    order_no text primary key, buyer text not null, sku text not null, quantity integer not null,
    created_at timestamptz not null default now())
"""
INSERT = "insert into obvious_orders (order_no, buyer, sku, quantity) values ($1, $2, $3, $4)"

# Fewer than the generator's connections, and a queue before them: the plain pool of redis-py raises
# MaxConnectionsError under this load, and a reference that fails measures nothing.
REDIS_CONNECTIONS = 32

REDIS = web.AppKey("redis", redis.asyncio.Redis)
TAKE_SHA = web.AppKey("take_sha", str)


async def order(request: web.Request) -> web.Response:
    body = await request.json(loads=orjson.loads)
    item = body["items"][0]
    app = request.app
    taken = await app[REDIS].evalsha(app[TAKE_SHA], 1, f"obvious:free:{item['sku']}", item["quantity"])
    if not taken:
        return sold_out()
    order_no = secrets.token_hex(16)
    buyer = request.headers["Authorization"]
    await app[POOL].execute(INSERT, order_no, buyer, item["sku"], item["quantity"])
    return held(order_no)


def build(*, redis_url: str, postgres_url: str) -> web.Application:
    async def counter(app: web.Application) -> AsyncIterator[None]:
        connections = redis.asyncio.BlockingConnectionPool.from_url(
            redis_url, max_connections=REDIS_CONNECTIONS, timeout=None
        )
        async with redis.asyncio.Redis(connection_pool=connections) as client:
            app[REDIS] = client
            app[TAKE_SHA] = await client.script_load(TAKE)
            yield
            await connections.aclose()

    app = application(order, postgres_url=postgres_url)
    app.cleanup_ctx.append(counter)
    return app


if __name__ == "__main__":
    serve(build, "redis", "postgres")
