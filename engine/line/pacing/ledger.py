"""What PostgreSQL keeps of the pacing: how far the lines came, the log of ticks, and that a round is over."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.infra.postgres import connection, load_queries
from engine.line.pacing.memory import TickRow
from engine.line.sight import LineSight

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

QUERIES = Path(__file__).with_name("queries.sql")


class PaceLedger:
    """One method per statement. Raises PostgresAway; each may be called again."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._sql = load_queries(QUERIES)

    async def keep(self, sale_id: str, sight: LineSight) -> None:
        """The serving clock, heads and tails; nothing goes back."""
        async with connection(self._pool) as conn:
            await conn.execute(self._sql.keep_clock, sale_id, sight.serving_ms)
            await conn.execute(
                self._sql.keep_heads,
                sale_id,
                list(range(len(sight.lanes))),
                [lane.head for lane in sight.lanes],
                [lane.tail for lane in sight.lanes],
            )

    async def log(self, sale_id: str, rows: Sequence[tuple[int, TickRow]]) -> None:
        """Rows of the log, each with its epoch; those that are there already stay as they are."""
        ticks = [row for _, row in rows]
        async with connection(self._pool) as conn:
            await conn.execute(
                self._sql.log_ticks,
                sale_id,
                [epoch for epoch, _ in rows],
                [row.tick for row in ticks],
                [row.at_ms for row in ticks],
                [" ".join(map(str, row.heads)) for row in ticks],
                [row.free for row in ticks],
                [row.held for row in ticks],
                [row.admitted for row in ticks],
                [row.released for row in ticks],
            )

    async def keep_final(self, sale_id: str, sale_round: int) -> None:
        """This round is sold out for good, unless another one has begun."""
        async with connection(self._pool) as conn:
            await conn.execute(self._sql.keep_final, sale_id, sale_round)
