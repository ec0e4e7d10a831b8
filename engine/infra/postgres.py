"""PostgreSQL: the pool, the named SQL blocks, and one way to tell an outage from a mistake.

Every statement of the engine stands in a `queries.sql` beside its room, under a line `-- name: verb`.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from engine.infra.outage import PostgresAway

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]

# A statement that is asked again and again is planned once, from what the server knows of the tables at that moment.
# When a drop begins they are all but empty, and reading one as a whole looks cheaper than its index: every batch would
# do so until the table is analysed a minute later, when the drop is over. So indexes are preferred, and no question is
# planned anew. What has to read a whole table does so by an index then, at two or three times the cost, and must not be
# compiled for it, which servers before 18 would do.
STEADY_PLANS = {"enable_seqscan": "off", "plan_cache_mode": "force_generic_plan", "jit": "off"}

NAME_LINE = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)

# What means "the database is away or will not write now" rather than "this statement is wrong".
AWAY = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what the driver says when its connection broke in the middle of an answer
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
)


class Queries:
    """The named blocks of one SQL file as attributes."""

    def __init__(self, blocks: dict[str, str]) -> None:
        self._blocks = blocks

    def __getattr__(self, name: str) -> str:
        try:
            return self._blocks[name]
        except KeyError:
            raise AttributeError(f"no SQL block named {name}") from None

    def blocks(self) -> dict[str, str]:
        """Every block by name, for the test that prepares them all."""
        return dict(self._blocks)


def load_queries(path: Path) -> Queries:
    """Read a file of named blocks. Two blocks of one name are a mistake."""
    parts = NAME_LINE.split(path.read_text(encoding="utf-8"))
    blocks: dict[str, str] = {}
    for name, sql in zip(parts[1::2], parts[2::2], strict=True):
        if name in blocks:
            raise ValueError(f"{path.name}: the block {name} stands there twice")
        blocks[name] = sql.strip()
    return Queries(blocks)


class PlainConnection(asyncpg.Connection):
    """A connection that keeps no session state, so giving it back costs no round trip to reset it."""

    def get_reset_query(self) -> str:
        return ""


async def open_pool(
    url: str, *, connections_max: int, statement_timeout_s: float, connect_timeout_s: float, application: str
) -> "Pool":
    """A bounded pool. It opens no connection yet, so that a worker starts while PostgreSQL is away."""
    return await asyncpg.create_pool(
        url,
        min_size=0,
        connection_class=PlainConnection,
        max_size=connections_max,
        timeout=connect_timeout_s,
        command_timeout=statement_timeout_s + 1.0,  # the server's own timeout speaks first
        max_inactive_connection_lifetime=300.0,
        server_settings={
            "application_name": application,
            "statement_timeout": str(int(statement_timeout_s * 1000)),
            "lock_timeout": str(int(statement_timeout_s * 1000)),
            "idle_in_transaction_session_timeout": "15000",
            "timezone": "UTC",
            **STEADY_PLANS,
        },
    )


@asynccontextmanager
async def connection(pool: "Pool", *, wait_s: float = 5.0) -> AsyncIterator["Connection"]:
    """A connection from the pool. Raises PostgresAway for every failure that another try may cure.

    A connection on which something went wrong is not given back: the pool makes a new one, instead of handing the
    trouble to the next one who asks.
    """
    mistaken = False
    try:
        async with pool.acquire(timeout=wait_s) as conn:
            try:
                yield conn
            except AWAY as error:
                # The driver has one word for a connection that is gone and for arguments that do not fit a statement.
                mistaken = isinstance(error, asyncpg.InterfaceError) and not conn.is_closed()
                conn.terminate()
                raise
    except AWAY as error:
        if mistaken:
            raise
        raise PostgresAway(f"{type(error).__name__}: {error}") from error


@asynccontextmanager
async def transaction(pool: "Pool", *, wait_s: float = 5.0) -> AsyncIterator["Connection"]:
    """A transaction on a connection of its own; what is raised inside rolls it back."""
    async with connection(pool, wait_s=wait_s) as conn, conn.transaction():
        yield conn
