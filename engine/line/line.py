"""The line's scripts and its two numbers in PostgreSQL, typed. One method per verb.

The head may be a second behind in PostgreSQL: after Redis lost everything a few people are called twice, which
harms nobody. The ceiling is never behind: it is committed before any number below it is given out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.catalog.board import LiveSale
from engine.infra.postgres import connection, load_queries
from engine.infra.redis import RedisStore, load_script
from engine.line.codes import ExtendCode, JoinCode, RestoreCode, TickCode
from engine.line.pacing.scripts import PaceScripts
from engine.line.sight import LineSight

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

VERBS = ("join", "tick", "extend", "restore")
NO_PLACE = -1


@dataclass(frozen=True, slots=True)
class Joining:
    """A buyer who asks for a place, and the index of the signed place the buyer showed, or NO_PLACE."""

    buyer: bytes
    shown_index: int = NO_PLACE


@dataclass(frozen=True, slots=True)
class LineHead:
    """Indexes below `head` may claim a pass; `tail` is the next index; numbers stay below `ceiling`."""

    head: int
    tail: int
    ceiling: int


class Line:
    """The verbs, and the numbers PostgreSQL keeps."""

    def __init__(self, store: RedisStore, pool: "Pool") -> None:
        self._store = store
        self._pool = pool
        self.pacing = PaceScripts(store)
        self._scripts = {verb: load_script("line", verb) for verb in VERBS}
        self._sql = load_queries(Path(__file__).with_name("queries.sql"))

    async def join(self, live: LiveSale, joinings: Sequence[Joining]) -> list[int] | None:
        """One index per buyer, NO_PLACE where the numbering must be extended first; None when fenced."""
        flat: list[Any] = [part for one in joinings for part in (one.buyer, one.shown_index)]
        keys = live.keys
        reply = await self._store.run(
            self._scripts["join"], [keys.control, keys.line, keys.places], [live.epoch, *flat]
        )
        return None if reply[0] == JoinCode.FENCED else list(reply[1])

    async def tick(self, live: LiveSale, *, burst: int) -> LineHead | None:
        """Move the head by the time that has passed; None when fenced."""
        keys = live.keys
        reply = await self._store.run(
            self._scripts["tick"],
            [keys.control, keys.stock, keys.line],
            [live.epoch, live.sale.line_rate or 1000, burst],
        )
        return None if reply[0] == TickCode.FENCED else LineHead(*reply[1:])

    async def look(self, live: LiveSale) -> LineSight | None:
        """The line as it stands now; None when fenced."""
        return await self.pacing.look(live)

    async def extend(self, live: LiveSale, ceiling: int) -> bool:
        """Write the ceiling down in PostgreSQL, then tell Redis; False when fenced."""
        async with connection(self._pool) as conn:
            kept = await conn.fetchval(self._sql.raise_ceiling, live.sale.sale_id, ceiling)
        keys = live.keys
        code = await self._store.run(self._scripts["extend"], [keys.control, keys.line], [live.epoch, kept])
        return ExtendCode(code) is ExtendCode.EXTENDED

    async def keep_head(self, live: LiveSale, head: int) -> None:
        """Write down how far the head has come."""
        async with connection(self._pool) as conn:
            await conn.execute(self._sql.keep_head, live.sale.sale_id, head)

    async def restore(self, live: LiveSale, epoch: int) -> bool:
        """Part of a rebuild: go on behind every number that may have been given out."""
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(self._sql.read_line, live.sale.sale_id)
        ceiling, head = (row["ceiling"], row["head"]) if row else (0, 0)
        code = await self._store.run(
            self._scripts["restore"], [live.keys.control, live.keys.line], [epoch, ceiling, head]
        )
        return RestoreCode(code) is RestoreCode.RESTORED
