"""How commands reach the stores: one question to the ledger, one word to Redis."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from rich.text import Text

from engine.cli.terminal import DOUBTFUL, out
from engine.config import Config
from engine.infra.outage import Outage

if TYPE_CHECKING:
    from engine.infra.postgres import Connection

T = TypeVar("T")


def in_ledger(config: Config, use: Callable[["Connection"], Awaitable[T]]) -> T:
    """Run `use` on one connection to PostgreSQL."""
    from engine.infra.postgres import connection, open_pool  # noqa: PLC0415

    async def run() -> T:
        pool = await open_pool(
            config.postgres.url,
            connections_max=1,
            statement_timeout_s=config.postgres.statement_timeout_s,
            connect_timeout_s=config.postgres.connect_timeout_s,
            application="floodgate-cli",
        )
        async with pool, connection(pool, wait_s=config.postgres.connect_timeout_s) as conn:
            return await use(conn)

    return asyncio.run(run())


def carry_at_once(config: Config, sale_id: str) -> None:
    """Tell Redis what the ledger says of the sale now, so that every worker sees it when it looks next.

    Where Redis cannot be told the command has succeeded all the same: workers carry it themselves within a second.
    """
    from engine.app.lines import carry_terms  # noqa: PLC0415

    try:
        told = asyncio.run(carry_terms(config, sale_id))
    except Outage as outage:
        out().print(Text(f"Redis could not be told: {outage}"), style=DOUBTFUL)
        out().print("The workers tell it within a second of reaching it.")
        return
    if not told:
        out().print(Text("Redis has to be told by the workers: the sale is being restored."), style=DOUBTFUL)


def unknown_sale(sale_id: str) -> str:
    """The sentence for a sale that is not there."""
    return f"There is no sale {sale_id!r}. See them with: floodgate sale list"
