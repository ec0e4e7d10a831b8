"""The draw in PostgreSQL. Every step is made at most once and can be repeated after any crash.

Whoever joins the lobby holds the lock of its lane's row until the commit, and finds the root there once the lane is
sealed. So the one who seals waits for the joins in flight, counts them in, and none comes after.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.infra.postgres import connection, load_queries, transaction
from engine.line.draw.merkle import CHUNK, leaves, root_of
from engine.line.draw.records import BeaconRecord, Drawing, LaneDraw
from engine.line.draw.rules import commitment_of, randomness_of, seed_of, tags_of
from engine.line.place import BUYER_BYTES

if TYPE_CHECKING:
    from engine.infra.postgres import Connection, Pool

STEP_WAIT_S = 10.0


class EntriesMissing(Exception):
    """The lobby's entries are fewer than its count says: somebody took rows out of lobby_entries by hand."""


class DrawLedger:
    """Reads and steps of the draw. Every method raises PostgresAway."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._sql = load_queries(Path(__file__).with_name("queries.sql"))

    async def read(self, sale_id: str) -> Drawing | None:
        """What is known of the draw; None when there is no such sale."""
        async with connection(self._pool) as conn:
            return await self._read(conn, sale_id)

    async def seal(self, sale_id: str) -> bool:
        """Close the lobby and write down the counts and roots, unless that is done; False before the closing time.

        The time is PostgreSQL's, as it is for those who join.
        """
        async with transaction(self._pool, wait_s=STEP_WAIT_S) as conn:
            if not await conn.fetchval(self._sql.is_due, sale_id):
                return False
            await conn.execute(self._sql.begin_sale, sale_id)
            await conn.execute(self._sql.begin_lanes, sale_id)
            await conn.execute(self._sql.lock_lanes, sale_id)
            if await conn.fetchval(self._sql.lock_sale, sale_id):
                return True
            # Whoever held the locks before may have moved the closing time or added a lane.
            if not await conn.fetchval(self._sql.is_due, sale_id):
                return False
            for lane, count, _, _ in await conn.fetch(self._sql.read_lanes, sale_id):
                root = await self._root(conn, sale_id, lane, count)
                await conn.execute(self._sql.keep_root, sale_id, lane, root)
            await conn.execute(self._sql.keep_seal, sale_id)
        return True

    async def draw(self, sale_id: str, beacon: BeaconRecord | None) -> None:
        """Write down the randomness and the seeds of a sealed sale, unless that is done."""
        async with transaction(self._pool, wait_s=STEP_WAIT_S) as conn:
            await conn.execute(self._sql.lock_lanes, sale_id)  # the order of locks is the same in every step
            row = await conn.fetchrow(self._sql.read_sale, sale_id)
            assert row is not None, "a sale that was sealed is there"
            randomness = randomness_of(row["draw_secret"], beacon.randomness if beacon else None)
            signed = (beacon.randomness, beacon.signature) if beacon else (None, None)
            if await conn.execute(self._sql.keep_randomness, sale_id, randomness, *signed) == "UPDATE 0":
                return
            for lane, count, root, _ in await conn.fetch(self._sql.read_lanes, sale_id):
                seed = seed_of(sale_id=sale_id, lane=lane, root=root, count=count, randomness=randomness)
                await conn.execute(self._sql.keep_seed, sale_id, lane, seed)

    async def lobbies(self, sale_ids: Sequence[str]) -> list[tuple[str, int, int]]:
        """(sale, lane, people) of every lobby that is not sealed."""
        async with connection(self._pool) as conn:
            return [tuple(row) for row in await conn.fetch(self._sql.count_lobbies, list(sale_ids))]

    async def build(self, sale_id: str, lane: int, count: int) -> None:
        """Write down the roots of all full chunks among the first `count` entries, which are committed."""
        async with connection(self._pool) as conn:
            await self._chunk_roots(conn, sale_id, lane, count)

    async def chunk_roots(self, sale_id: str, lane: int, count: int) -> list[bytes]:
        """The roots of all full chunks among the first `count` entries."""
        async with connection(self._pool) as conn:
            return await self._chunk_roots(conn, sale_id, lane, count)

    async def tags(self, sale_id: str, lane: int, first: int, count: int) -> list[bytes]:
        """The tags of `count` entries from the index `first` on."""
        async with connection(self._pool) as conn:
            return await self._tags(conn, sale_id, lane, first, count)

    async def _read(self, conn: "Connection", sale_id: str) -> Drawing | None:
        row = await conn.fetchrow(self._sql.read_sale, sale_id)
        if row is None:
            return None
        # Lanes are read after the sale: what a drawn sale says of them stands.
        lanes = await conn.fetch(self._sql.read_lanes, sale_id)
        drawn = row["randomness"] is not None
        beacon = None
        if row["beacon_randomness"] is not None:
            beacon = BeaconRecord(row["beacon_round"], row["beacon_randomness"], row["beacon_signature"])
        return Drawing(
            sale_id=sale_id,
            commitment=commitment_of(row["draw_secret"]),
            beacon_url=row["beacon_url"],
            beacon_round=row["beacon_round"],
            sealed_ms=round(row["sealed_at"].timestamp() * 1000) if row["sealed_at"] is not None else None,
            lanes=tuple(LaneDraw(*lane) for lane in lanes),
            secret=row["draw_secret"] if drawn else None,
            randomness=row["randomness"],
            beacon=beacon,
        )

    async def _root(self, conn: "Connection", sale_id: str, lane: int, count: int) -> bytes:
        roots = await self._chunk_roots(conn, sale_id, lane, count)
        first = len(roots) * CHUNK
        if first < count:
            tags = await self._tags(conn, sale_id, lane, first, count - first)
            roots.append(root_of(leaves(lane, first, tags)))
        return root_of(roots)

    async def _chunk_roots(self, conn: "Connection", sale_id: str, lane: int, count: int) -> list[bytes]:
        """One chunk after the other, so that a worker answers in between."""
        known = {row["chunk"]: row["root"] for row in await conn.fetch(self._sql.read_chunks, sale_id, lane)}
        for chunk in range(count // CHUNK):
            if chunk not in known:
                first = chunk * CHUNK
                known[chunk] = root_of(leaves(lane, first, await self._tags(conn, sale_id, lane, first, CHUNK)))
                await conn.execute(self._sql.keep_chunk, sale_id, lane, chunk, known[chunk])
        return [known[chunk] for chunk in range(count // CHUNK)]

    async def _tags(self, conn: "Connection", sale_id: str, lane: int, first: int, count: int) -> list[bytes]:
        blob = await conn.fetchval(self._sql.read_buyers, sale_id, lane, first, first + count)
        if len(blob) != count * BUYER_BYTES:
            raise EntriesMissing(f"{sale_id}: lane {lane} lacks entries between {first} and {first + count}")
        return tags_of(sale_id, [blob[at : at + BUYER_BYTES] for at in range(0, len(blob), BUYER_BYTES)])
