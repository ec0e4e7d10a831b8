"""How commands reach the stores: one question to the ledger, one word to Redis.

They build what they need and no more: a pause has to be quick, and importing the whole house is not.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from rich.text import Text

from engine.cli.terminal import DOUBTFUL, out
from engine.config import Config
from engine.infra.outage import Outage, RedisAway

if TYPE_CHECKING:
    from engine.console.line.numbers import LineNumbers
    from engine.infra.postgres import Connection, Pool
    from engine.infra.redis import RedisStore

T = TypeVar("T")


def in_ledger(config: Config, use: Callable[["Connection"], Awaitable[T]]) -> T:
    """Run `use` on one connection to PostgreSQL."""
    from engine.infra.postgres import connection  # noqa: PLC0415

    async def run() -> T:
        async with _pool(config) as pool, connection(pool, wait_s=config.postgres.connect_timeout_s) as conn:
            return await use(conn)

    return asyncio.run(run())


def carry_at_once(config: Config, sale_id: str) -> None:
    """Tell Redis what the ledger says of the sale now, so that every worker sees it when it looks next.

    Where Redis cannot be told the command has succeeded all the same: workers carry it themselves within a second.
    """
    try:
        told = asyncio.run(_carry(config, sale_id))
    except Outage as outage:
        out().print(Text(f"Redis could not be told: {outage}"), style=DOUBTFUL)
        out().print("The workers tell it within a second of reaching it.")
        return
    if not told:
        out().print(Text("Redis does not know the sale yet; the workers tell it when they do."), style=DOUBTFUL)


async def _carry(config: Config, sale_id: str) -> bool:
    from engine.catalog.board import Board  # noqa: PLC0415
    from engine.stock.follower import Follower  # noqa: PLC0415
    from engine.stock.stock import Stock  # noqa: PLC0415

    async with _pool(config) as pool, _redis(config) as store:
        return await Follower(Board(pool), Stock(store)).carry_at_once(sale_id)


def read_line(config: Config, sale_id: str) -> "LineNumbers | None":
    """A line's numbers, or None when there is no such sale; by the ledger alone where Redis is away."""
    return asyncio.run(_read_line(config, sale_id))


async def _read_line(config: Config, sale_id: str) -> "LineNumbers | None":
    from engine.console.line.reading import LineReader  # noqa: PLC0415
    from engine.line.line import Line  # noqa: PLC0415

    async with _pool(config) as pool:
        try:
            async with _redis(config) as store:
                return await LineReader(pool, Line(store, pool).look).read(sale_id)
        except RedisAway:
            return await LineReader(pool, None).read(sale_id)


@asynccontextmanager
async def _pool(config: Config) -> "AsyncIterator[Pool]":
    from engine.infra.postgres import open_pool  # noqa: PLC0415

    pool = await open_pool(
        config.postgres.url,
        connections_max=2,
        statement_timeout_s=config.postgres.statement_timeout_s,
        connect_timeout_s=config.postgres.connect_timeout_s,
        application="floodgate-cli",
    )
    async with pool:
        yield pool


@asynccontextmanager
async def _redis(config: Config) -> "AsyncIterator[RedisStore]":
    from engine.infra.redis import open_redis  # noqa: PLC0415

    store = await open_redis(
        config.redis.url,
        connections_max=1,
        timeout_s=config.redis.timeout_s,
        connect_timeout_s=config.redis.connect_timeout_s,
    )
    try:
        yield store
    finally:
        await store.close()


def unknown_sale(sale_id: str) -> str:
    """The sentence for a sale that is not there."""
    return f"There is no sale {sale_id!r}. See them with: floodgate sale list"
