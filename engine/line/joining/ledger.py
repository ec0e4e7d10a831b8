"""The line's numbers in PostgreSQL: the lobby's entries, and how far the live indexes may go.

Entries are dense in each lane, in the order of the commits, whatever crashes: the count and the rows are written
together, under the lanes' locks. The one who seals the lobby takes the same locks, and so counts in what is in flight.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.catalog.records import Sale
from engine.infra.postgres import connection, load_queries, transaction
from engine.line.joining.records import Joining, JoinRefusal, LaneRecord
from engine.line.joining.roster import Kept
from engine.line.place import Cohort

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

_REFUSAL_OF: Mapping[str, JoinRefusal] = {
    "early": JoinRefusal.NOT_OPEN_YET,
    "closed": JoinRefusal.SEALING,
    "open": JoinRefusal.LANE_GONE,
}


class JoinLedger:
    """Every method raises PostgresAway; what it was asked may then have happened or not, and may be asked again."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._sql = load_queries(Path(__file__).with_name("queries.sql"))
        self._lanes_made: dict[str, int] = {}

    async def enter(self, sale: Sale, joinings: Mapping[bytes, Joining]) -> dict[bytes, Kept | JoinRefusal]:
        """A place in the lobby for every buyer, the same one as ever for those who have one. Committed on return."""
        lanes = [one.lane for one in joinings.values()]
        async with transaction(self._pool) as conn:
            if self._lanes_made.get(sale.sale_id) != len(sale.lanes):
                await conn.execute(self._sql.make_lanes, sale.sale_id, [lane.ordinal for lane in sale.lanes])
            await conn.execute(self._sql.lock_lanes, sale.sale_id)
            rows = await conn.fetch(self._sql.enter_lobby, sale.sale_id, list(joinings), lanes)
        self._lanes_made[sale.sale_id] = len(sale.lanes)
        return {
            buyer: _REFUSAL_OF[state] if index is None else Kept(lane, Cohort.LOBBY, index)
            for buyer, (state, lane, index) in zip(joinings, rows, strict=True)
        }

    async def read_entries(self, sale_id: str, *, page_count: int) -> AsyncIterator[Sequence[tuple[bytes, Kept]]]:
        """Everybody in the lobby, page by page. Who joins meanwhile may be missing."""
        after = (-1, -1)
        while True:
            async with connection(self._pool) as conn:
                rows = await conn.fetch(self._sql.read_entries, sale_id, *after, page_count)
            if rows:
                yield [(buyer, Kept(lane, Cohort.LOBBY, index)) for lane, index, buyer in rows]
            if len(rows) < page_count:
                return
            after = (rows[-1]["lane"], rows[-1]["index"])

    async def raise_ceiling(self, sale_id: str, *, lane: int, tail: int, ceiling: int) -> int:
        """The lane's ceiling, now at least this one; committed on return."""
        async with connection(self._pool) as conn:
            return int(await conn.fetchval(self._sql.raise_ceiling, sale_id, lane, tail, ceiling))

    async def read_line(self, sale_id: str) -> tuple[int, list[LaneRecord]]:
        """(serving_ms, every lane that has begun) as they were last written down."""
        async with connection(self._pool) as conn:
            serving_ms = await conn.fetchval(self._sql.read_serving, sale_id)
            rows = await conn.fetch(self._sql.read_lanes, sale_id)
        return serving_ms or 0, [LaneRecord(**row) for row in rows]

    async def keep_gaps(self, sale_id: str, lanes: Sequence[LaneRecord]) -> None:
        """Write down which live indexes may have no owner."""
        gaps = [(one.lane, one.gap_from, one.gap_to) for one in lanes]
        async with connection(self._pool) as conn:
            await conn.execute(self._sql.keep_gaps, sale_id, *map(list, zip(*gaps, strict=True)))

    async def read_closed(self, *, before_ms: int, known: Sequence[str]) -> list[tuple[str, int]]:
        """(sale, epoch) of every sale that closed before this instant, those known left out."""
        async with connection(self._pool) as conn:
            return [tuple(row) for row in await conn.fetch(self._sql.read_closed, before_ms, list(known))]
