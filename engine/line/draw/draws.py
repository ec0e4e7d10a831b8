"""The draws that a process knows, and the one way in which they get into Redis.

A draw that is made never changes, so it is read once and kept; of one that is not made yet the last reading serves
everybody for a moment.
"""

import asyncio
from collections.abc import Callable

from engine.catalog.board import LiveSale
from engine.infra.redis import RedisStore, load_script
from engine.line.codes import DrawCode
from engine.line.draw.ledger import DrawLedger
from engine.line.draw.records import Drawing

VERBS = ("draw",)
FRESH_S = 0.5


class DrawsDiffer(Exception):
    """Redis holds another draw of this sale than PostgreSQL, which was put back to an older state. The draw that
    people have seen is the one in Redis: put the newer state of PostgreSQL back before the sale goes on."""


class Draws:
    """What is known of each sale's draw."""

    def __init__(self, ledger: DrawLedger, store: RedisStore, *, monotonic_s: Callable[[], float]) -> None:
        self.ledger = ledger
        self._store = store
        self._script = load_script("line", "draw")
        self._monotonic_s = monotonic_s
        self._known: dict[str, tuple[Drawing, float]] = {}
        self._reading: dict[str, asyncio.Lock] = {}

    async def read(self, sale_id: str, *, fresh: bool = False) -> Drawing | None:
        """The draw as it stands, half a second old at most; fresh: as it stands now. None when there is no such sale.

        Raises PostgresAway.
        """
        known = self._fresh(sale_id, fresh=fresh)
        if known is not None:
            return known
        async with self._reading.setdefault(sale_id, asyncio.Lock()):
            known = self._fresh(sale_id, fresh=fresh)  # somebody else may have asked meanwhile
            if known is not None:
                return known
            read_s = self._monotonic_s()
            found = await self.ledger.read(sale_id)
            if found is not None:
                self._known[sale_id] = (found, read_s)
            return found

    async def publish(self, live: LiveSale, epoch: int | None = None) -> bool:
        """Tell Redis of the draw if it is made, under the sale's epoch or the one that is being built.

        Harmless to repeat. False when there is no draw yet, or the sale is fenced. Raises Outage, or DrawsDiffer.
        """
        drawing = await self.read(live.sale.sale_id, fresh=True)
        if drawing is None or not drawing.drawn:
            return False
        lanes = [part for one in drawing.lanes for part in (one.lane, one.count, one.seed, one.root)]
        args = [live.epoch if epoch is None else epoch, *lanes]
        code = DrawCode(await self._store.run(self._script, [live.keys.control, live.keys.line], args))
        if code is DrawCode.CONFLICT:
            raise DrawsDiffer(f"{live.sale.sale_id}: {DrawsDiffer.__doc__}")
        return code is DrawCode.DRAWN

    def _fresh(self, sale_id: str, *, fresh: bool) -> Drawing | None:
        drawing, read_s = self._known.get(sale_id, (None, 0.0))
        if drawing is None or drawing.drawn:
            return drawing
        return drawing if not fresh and self._monotonic_s() - read_s < FRESH_S else None
