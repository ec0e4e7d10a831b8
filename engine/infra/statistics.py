"""Tells the planner of tables that grow faster than autovacuum looks: a drop fills them within one of its minutes.

A plan that was made when a table was empty, or had just been emptied and analysed, is good for an empty table. Once
the table is analysed every connection plans anew. Where the engine does not own the tables PostgreSQL only warns.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from engine.infra.postgres import connection, load_queries

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

log = structlog.get_logger(__name__)

ANALYSE_EVERY_S = 10.0
CHANGES_MIN = 1_000  # below that every plan is quick


class Statistician:
    """Analyses what has doubled."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._sql = load_queries(Path(__file__).with_name("queries.sql"))

    async def run_once(self) -> bool:
        """Look once. Raises PostgresAway."""
        async with connection(self._pool) as conn:
            grown = [row["name"] for row in await conn.fetch(self._sql.find_grown, CHANGES_MIN)]
            for name in grown:
                await conn.execute(f"analyze {name}")
        if grown:
            log.info("tables_analysed", tables=grown)
        return False
