"""The line's scripts and its two numbers in PostgreSQL, typed. One method per verb.

The head may be a second behind in PostgreSQL: after Redis lost everything a few people are called twice, which
harms nobody. The ceiling is never behind: it is committed before any number below it is given out.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.catalog.board import LiveSale
from engine.infra.postgres import connection, load_queries
from engine.infra.redis import RedisStore, load_script
from engine.line.codes import OldextendCode, OldjoinCode, OldtickCode
from engine.line.draw.draws import Draws
from engine.line.draw.ledger import DrawLedger
from engine.line.joining.ledger import JoinLedger
from engine.line.joining.restoring import Restorer
from engine.line.joining.scripts import JoinScripts
from engine.line.pacing.scripts import PaceScripts
from engine.line.sight import LineSight

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

VERBS = ("oldjoin", "oldtick", "oldextend")
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
        self.join_scripts, self.join_ledger = JoinScripts(store), JoinLedger(pool)
        draws = Draws(DrawLedger(pool), store, monotonic_s=time.monotonic)
        self.restorer = Restorer(self.join_scripts, self.join_ledger, draws.publish)
        self._scripts = {verb: load_script("line", verb) for verb in VERBS}
        self._sql = load_queries(Path(__file__).with_name("queries.sql"))

    async def join(self, live: LiveSale, joinings: Sequence[Joining]) -> list[int] | None:
        """One index per buyer, NO_PLACE where the numbering must be extended first; None when fenced."""
        flat: list[Any] = [part for one in joinings for part in (one.buyer, one.shown_index)]
        keys = live.keys
        reply = await self._store.run(
            self._scripts["oldjoin"], [keys.control, keys.line, keys.places], [live.epoch, *flat]
        )
        return None if reply[0] == OldjoinCode.FENCED else list(reply[1])

    async def tick(self, live: LiveSale, *, burst: int) -> LineHead | None:
        """Move the head by the time that has passed; None when fenced."""
        keys = live.keys
        reply = await self._store.run(
            self._scripts["oldtick"],
            [keys.control, keys.stock, keys.line],
            [live.epoch, live.sale.line_rate or 1000, burst],
        )
        return None if reply[0] == OldtickCode.FENCED else LineHead(*reply[1:])

    async def look(self, live: LiveSale) -> LineSight | None:
        """The line as it stands now; None when fenced."""
        return await self.pacing.look(live)

    async def extend(self, live: LiveSale, ceiling: int) -> bool:
        """Write the ceiling down in PostgreSQL, then tell Redis; False when fenced."""
        async with connection(self._pool) as conn:
            kept = await conn.fetchval(self._sql.raise_ceiling, live.sale.sale_id, ceiling)
        keys = live.keys
        code = await self._store.run(self._scripts["oldextend"], [keys.control, keys.line], [live.epoch, kept])
        return OldextendCode(code) is OldextendCode.EXTENDED

    async def keep_head(self, live: LiveSale, head: int) -> None:
        """Write down how far the head has come."""
        async with connection(self._pool) as conn:
            await conn.execute(self._sql.keep_head, live.sale.sale_id, head)

    async def restore(
        self, live: LiveSale, epoch: int, show_life: Callable[[], Awaitable[object]] | None = None
    ) -> bool:
        """Part of a rebuild: the line as PostgreSQL knows it; False when a later rebuild has taken over."""
        return await self.restorer.restore(live, epoch, show_life)
