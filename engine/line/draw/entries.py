"""The sealed entries, as everybody may read them, and the proof of one of them.

What was sealed never changes, so chunks are kept; only so many, because a lobby of a million has 245 of them. One is
read at a time: behind the draw a crowd may ask at once, and a chunk takes a few milliseconds of hashing.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, TypeVar

from engine.line.draw.ledger import DrawLedger
from engine.line.draw.merkle import CHUNK, leaves, levels_of, path_in
from engine.line.draw.permutation import permuted
from engine.line.draw.records import Drawing, LaneDraw

CHUNKS_KEPT = 32  # half a megabyte each, with every level of their trees
LANES_KEPT = 32

Key = TypeVar("Key")
Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Up to 4,096 entries that follow each other, and the levels of the tree over them."""

    tags: list[bytes]
    levels: list[list[bytes]]

    @property
    def root(self) -> bytes:
        return self.levels[-1][0]


class Entries:
    """Reads entries of sealed lanes. Raises PostgresAway."""

    def __init__(self, ledger: DrawLedger) -> None:
        self._ledger = ledger
        self._reading = asyncio.Lock()
        self._chunks: dict[tuple[str, int, int], Chunk] = {}
        self._roots: dict[tuple[str, int], list[list[bytes]]] = {}

    async def chunk(self, sale_id: str, lane: LaneDraw, number: int) -> Chunk | None:
        """The chunk with this number, from 0; None when the lane has no such chunk."""
        first = number * CHUNK
        if not 0 <= first < lane.count:
            return None
        key = (sale_id, lane.lane, number)
        found = self._chunks.get(key)
        if found is not None:
            return found
        async with self._reading:
            found = self._chunks.get(key)
            if found is None:
                tags = await self._ledger.tags(sale_id, lane.lane, first, min(CHUNK, lane.count - first))
                found = Chunk(tags, levels_of(leaves(lane.lane, first, tags)))
                _keep(self._chunks, key, found, CHUNKS_KEPT)
        return found

    async def proof(self, drawing: Drawing, lane: LaneDraw, index: int) -> dict[str, Any] | None:
        """The entry with this index, its way to the root and its position; None when there is no such entry.

        Only for a draw that is made.
        """
        number, at = divmod(index, CHUNK)
        chunk = await self.chunk(drawing.sale_id, lane, number)
        if chunk is None or lane.seed is None or lane.root is None:
            return None
        tops = await self._tops(drawing.sale_id, lane)
        path = [*path_in(chunk.levels, at), *path_in(tops, number)]
        return {
            "v": 1,
            "sale": drawing.sale_id,
            "lane": lane.lane,
            "index": index,
            "tag": chunk.tags[at].hex(),
            "path": [step.hex() for step in path],
            "n": lane.count,
            "root": lane.root.hex(),
            "position": permuted(lane.seed, index, lane.count),
        }

    async def _tops(self, sale_id: str, lane: LaneDraw) -> list[list[bytes]]:
        """The levels of the tree from the roots of the chunks up."""
        key = (sale_id, lane.lane)
        found = self._roots.get(key)
        if found is None:
            roots = await self._ledger.chunk_roots(sale_id, lane.lane, lane.count)
            if lane.count % CHUNK:
                last = await self.chunk(sale_id, lane, lane.count // CHUNK)
                assert last is not None, "a lane that is not made of full chunks has a last one"
                roots.append(last.root)
            found = levels_of(roots)
            _keep(self._roots, key, found, LANES_KEPT)
        return found


def _keep(kept: dict[Key, Kept], key: Key, value: Kept, count_max: int) -> None:
    """The oldest goes when there are too many."""
    if len(kept) >= count_max:
        del kept[next(iter(kept))]
    kept[key] = value
