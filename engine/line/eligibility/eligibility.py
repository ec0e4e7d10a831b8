"""Eligibility: asks the ledger who may join a lane, for many buyers in one statement.

A lane that is open to everyone costs nothing. A code belongs to the first buyer who shows it, whether or not the join
behind it succeeds; the same buyer may show it again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.catalog.records import Entry, Lane, Sale
from engine.infra.batcher import Batcher
from engine.infra.postgres import connection, load_queries
from engine.line.eligibility.codes import code_digest
from engine.line.eligibility.deciding import EntryRefusal, of_code, of_member

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))

BATCH_COUNT_MAX = 500


@dataclass(frozen=True, slots=True)
class _Member:
    sale_id: str
    lane: int
    buyer: bytes


@dataclass(frozen=True, slots=True)
class _Shown:
    sale_id: str
    lane: int
    buyer: bytes
    digest: bytes


class Eligibility:
    """The question of one worker, batched. Raises Outage: PostgresAway, or Overloaded when too many wait."""

    def __init__(self, pool: "Pool", *, queue_count_max: int) -> None:
        self._pool = pool
        self._members: Batcher[_Member, EntryRefusal | None] = Batcher(
            self._look_up, batch_count_max=BATCH_COUNT_MAX, queue_count_max=queue_count_max
        )
        self._codes: Batcher[_Shown, EntryRefusal | None] = Batcher(
            self._take, batch_count_max=BATCH_COUNT_MAX, queue_count_max=queue_count_max
        )

    async def check(self, sale: Sale, buyer: bytes, lane: Lane, code: str | None) -> EntryRefusal | None:
        """Why this buyer may not join this lane, or None. `code` is what the buyer typed, if anything."""
        if lane.entry is Entry.EVERYONE:
            return None
        if lane.entry is Entry.MEMBERS:
            return await self._members.submit(_Member(sale.sale_id, lane.ordinal, buyer))
        if code is None:
            return EntryRefusal.CODE_NEEDED
        digest = code_digest(sale.sale_id, code)
        if digest is None:
            return EntryRefusal.CODE_INVALID
        return await self._codes.submit(_Shown(sale.sale_id, lane.ordinal, buyer, digest))

    async def _look_up(self, asked: list[_Member]) -> list[EntryRefusal | None]:
        async with connection(self._pool) as conn:
            rows = await conn.fetch(
                QUERIES.find_members,
                [one.sale_id for one in asked],
                [one.buyer for one in asked],
                [one.lane for one in asked],
            )
        listed = {row["ordinal"] for row in rows}
        return [of_member(listed=ordinal in listed) for ordinal in range(1, len(asked) + 1)]

    async def _take(self, shown: list[_Shown]) -> list[EntryRefusal | None]:
        async with connection(self._pool) as conn:
            rows = await conn.fetch(
                QUERIES.take_codes,
                [one.sale_id for one in shown],
                [one.digest for one in shown],
                [one.lane for one in shown],
                [one.buyer for one in shown],
            )
        owners = {(row["sale_id"], row["code_digest"], row["lane"]): row["buyer"] for row in rows}
        return [of_code(one.buyer, owner=owners.get((one.sale_id, one.digest, one.lane))) for one in shown]
