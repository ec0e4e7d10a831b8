"""What all designs have in common: one route, a pool of connections, two answers, a port. They differ in how a unit is
taken, and in nothing that would make one of them slower than another."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import orjson
import uvloop
from aiohttp import web

POSTGRES_CONNECTIONS = 10

POOL: web.AppKey[asyncpg.Pool[asyncpg.Record]] = web.AppKey("pool", asyncpg.Pool)

Handler = Callable[[web.Request], Awaitable[web.Response]]


def application(order: Handler, *, postgres_url: str) -> web.Application:
    """`order` behind its route, with POOL."""

    async def pool(app: web.Application) -> AsyncIterator[None]:
        async with asyncpg.create_pool(
            postgres_url, min_size=POSTGRES_CONNECTIONS, max_size=POSTGRES_CONNECTIONS
        ) as connections:
            app[POOL] = connections
            yield

    app = web.Application()
    app.cleanup_ctx.append(pool)
    app.router.add_post("/orders", order)
    return app


def held(order_no: str) -> web.Response:
    return web.Response(status=201, body=orjson.dumps({"order_no": order_no}), content_type="application/json")


def sold_out() -> web.Response:
    return web.Response(status=409, body=orjson.dumps({"code": "SOLD_OUT"}), content_type="application/json")


def serve(build: Callable[..., web.Application], *stores: str) -> None:
    """Read --port and the URL of each store from the command line, and serve what `build` makes of these."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    for store in stores:
        arguments.add_argument(f"--{store}-url", required=True)
    given = vars(arguments.parse_args())
    uvloop.install()
    port = given.pop("port")
    web.run_app(build(**given), host="127.0.0.1", port=port, reuse_port=True, access_log=None, print=None)
