"""Joining while the lobby is open: PostgreSQL gives the index, because the draw's root covers every entry.

Redis only spares PostgreSQL those who ask again. When it is away, PostgreSQL answers alone.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from engine.catalog.board import LiveSale
from engine.infra.batcher import Batcher
from engine.infra.outage import RedisAway
from engine.line.joining.enrolling import Enroller
from engine.line.joining.ledger import JoinLedger
from engine.line.joining.records import Joining, JoinRefusal
from engine.line.joining.roster import Kept, Roster, unpack_kept
from engine.line.joining.scripts import NO_PLACE, JoinScripts
from engine.line.place import Place

BATCH_COUNT_MAX = 500
REDIS_SPARED_S = 1.0  # after a failure Redis is not asked for so long: each question may cost its whole timeout


class LobbyDesk:
    """One sale's lobby in one worker; one transaction is in flight."""

    def __init__(
        self,
        live: LiveSale,
        roster: Roster,
        scripts: JoinScripts,
        ledger: JoinLedger,
        enroller: Enroller,
        *,
        queue_count_max: int,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._live = live
        self._roster = roster
        self._scripts = scripts
        self._ledger = ledger
        self._enroller = enroller
        self._monotonic_s = monotonic_s
        self._spared_until_s = 0.0
        self._batcher: Batcher[Joining, Place | JoinRefusal] = Batcher(
            self._enter, batch_count_max=BATCH_COUNT_MAX, queue_count_max=queue_count_max
        )

    def join(self, joining: Joining) -> "asyncio.Future[Place | JoinRefusal]":
        """The buyer's place, committed. The future raises PostgresAway; Overloaded is raised at once."""
        return self._batcher.submit(joining)

    async def _enter(self, batch: list[Joining]) -> list[Place | JoinRefusal]:
        kept_of: dict[bytes, Kept | JoinRefusal] = {}
        kept_of.update(await self._find([one.buyer for one in batch]))
        missing = {one.buyer: one for one in batch if one.buyer not in kept_of}
        if missing:
            entered = await self._ledger.enter(self._live.sale, missing)
            kept_of |= entered
            self._enroller.tell([(buyer, kept) for buyer, kept in entered.items() if isinstance(kept, Kept)])
        return [self._place(one.buyer, kept_of[one.buyer]) for one in batch]

    async def _find(self, buyers: Sequence[bytes]) -> dict[bytes, Kept]:
        if self._live.fenced or self._monotonic_s() < self._spared_until_s:
            return {}
        try:
            found = await self._scripts.find(self._live, self._roster, buyers)
        except RedisAway:
            self._spared_until_s = self._monotonic_s() + REDIS_SPARED_S
            return {}
        if found is None:
            self._live.fence()
            return {}
        return {buyer: unpack_kept(place) for buyer, place in zip(buyers, found, strict=True) if place != NO_PLACE}

    def _place(self, buyer: bytes, kept: Kept | JoinRefusal) -> Place | JoinRefusal:
        if isinstance(kept, JoinRefusal):
            return kept
        return Place(buyer, self._live.sale.sale_id, kept.lane, kept.cohort, self._live.epoch, kept.index)
