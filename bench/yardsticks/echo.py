"""The yardstick: what aiohttp on uvloop can do on this machine when it does nothing.

One process, one route, JSON in and the same JSON out, written the ordinary way. Every figure of the
bench that counts HTTP requests is divided by this one, measured in the same run on the same cores, so
that the ratio says what the engine adds and a faster machine changes little. It refuses to be clever.
"""

from __future__ import annotations

import argparse

import orjson
import uvloop
from aiohttp import web


async def echo(request: web.Request) -> web.Response:
    body = await request.json(loads=orjson.loads)
    return web.Response(body=orjson.dumps(body), content_type="application/json")


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    app = web.Application()
    app.router.add_post("/echo", echo)
    uvloop.install()
    web.run_app(app, host="127.0.0.1", port=arguments.parse_args().port, access_log=None, print=None)


if __name__ == "__main__":
    main()
