"""api.weixin.qq.com on loopback that answers from a script: for what the simulator cannot be made to do."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from engine.embedded.postgres import run_sql
from engine.infra.postgres import open_pool
from engine.miniprogram.access_token import AccessTokens
from engine.miniprogram.client import MiniProgramApi
from engine.miniprogram.wire import Wire
from tests.conftest import url_of_database
from tests.miniprogram.shop import Shop, open_shop

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

TABLES = (
    "events, sessions, skus, sales, sale_skus, orders, order_items, payments, refunds, buyers, duties, "
    "access_tokens, subscriptions, subscription_requests, sale_codes"
)


@dataclass
class Reply:
    """`drop` ends the connection instead of answering; `json` wins over `body`."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    drop: bool = False
    json: Any = None


@dataclass
class Request:
    method: str
    path: str  # with the query, as it was sent
    body: bytes
    reply: Reply

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Script:
    """The replies to give in order, and the requests that came. `by_path` answers what is asked there every time."""

    url: str = ""
    replies: list[Reply] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    by_path: dict[str, list[Reply]] = field(default_factory=dict)

    def says(self, *replies: Reply) -> None:
        self.replies.extend(replies)

    def always(self, path: str, *replies: Reply) -> None:
        """What this path answers, one after the other; the last one again and again."""
        self.by_path[path] = list(replies)

    def asked(self, path: str) -> list[Request]:
        """The requests of one path."""
        return [request for request in self.requests if request.path.partition("?")[0] == path]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        ready = self.by_path.get(request.path)
        told = self.replies if ready is None else ready
        reply = told[0] if told is ready and len(ready) == 1 else told.pop(0)
        self.requests.append(Request(request.method, request.raw_path, body, reply))
        await asyncio.sleep(reply.delay_s)
        if reply.drop:
            assert request.transport is not None
            request.transport.close()
        said = reply.body if reply.json is None else orjson.dumps(reply.json)
        return web.Response(status=reply.status, body=said or None, headers=reply.headers)


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    script = Script()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", script.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    script.url = f"http://{host}:{port}"
    yield script
    await runner.cleanup()
    assert script.replies == []  # what was scripted was asked for


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield session


@pytest.fixture(scope="package")
def folder_database_url(postgres_url: str, database_template: str) -> Iterator[str]:
    """A migrated database of this folder alone: to empty it for each test is quicker than to make it."""
    name = f"test_{secrets.token_hex(6)}"
    run_sql(postgres_url, f"CREATE DATABASE {name} TEMPLATE {database_template}")
    yield url_of_database(postgres_url, name)
    run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def connections(folder_database_url: str) -> AsyncIterator[Pool]:
    """Connections to a migrated database, with whatever other tests left there."""
    pool = await open_pool(
        folder_database_url, connections_max=8, statement_timeout_s=5, connect_timeout_s=5, application="tests"
    )
    yield pool
    await pool.close()


@pytest.fixture
async def pool(connections: Pool) -> Pool:
    """Connections to an empty, migrated database."""
    await connections.execute(f"truncate {TABLES} cascade")
    return connections


@pytest.fixture
async def shop(pool: Pool) -> Shop:
    """A concert on sale."""
    return await open_shop(pool)


@pytest.fixture
async def api(connections: Pool, session: aiohttp.ClientSession, script: Script) -> MiniProgramApi:
    """The client of one process. Its access token is `token-1`, and no other is to be had."""
    script.always("/cgi-bin/stable_token", Reply(json={"access_token": "token-1", "expires_in": 7200}))
    await connections.execute("delete from access_tokens")
    wire = Wire(session=session, url=script.url, timeout_s=2.0)
    tokens = AccessTokens(
        connections,
        wire,
        appid="wx1",
        app_secret="made-for-tests",
        nonce=lambda: secrets.token_bytes(12),
        clock_s=time.monotonic,
        today=lambda: date(2026, 11, 22),
    )
    return MiniProgramApi(wire, tokens, state="formal", lang="zh_CN")
