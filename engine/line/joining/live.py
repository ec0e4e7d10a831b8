"""Joining once the draw is made: Redis gives the index, below a ceiling that PostgreSQL has committed.

A place that was signed before Redis forgot it is had back by showing it. While the draw is being made, those who
have a place hear it again and nobody gets a new one.
"""

import asyncio
from collections.abc import Mapping

from engine.catalog.board import LiveSale
from engine.infra.batcher import Gatherer, fail, tell
from engine.infra.outage import Outage, RedisAway
from engine.line.codes import ExtendCode, JoinCode
from engine.line.joining.enrolling import Enroller
from engine.line.joining.ledger import JoinLedger
from engine.line.joining.records import Joining, JoinRefusal
from engine.line.joining.roster import Roster, unpack_kept
from engine.line.joining.scripts import NEED_BLOCK, NEED_LOBBY, NOT_DRAWN, Joined, JoinScripts
from engine.line.place import Place

EXTEND_TRIES = 40  # another worker may use up a block that is smaller than its batches, again and again


class LiveDesk:
    """One sale's live joins in one worker."""

    def __init__(
        self,
        live: LiveSale,
        roster: Roster,
        scripts: JoinScripts,
        ledger: JoinLedger,
        enroller: Enroller,
        *,
        block_count: int,
        batch_count_max: int,
        queue_count_max: int,
    ) -> None:
        self._live = live
        self._roster = roster
        self._scripts = scripts
        self._ledger = ledger
        self._enroller = enroller
        self._block_count = block_count
        self._joinings: Gatherer[tuple[Joining, asyncio.Future[Place | JoinRefusal]]] = Gatherer(
            self._answer_batch, batch_count_max=batch_count_max, queue_count_max=queue_count_max
        )

    def join(self, joining: Joining) -> "asyncio.Future[Place | JoinRefusal]":
        """The buyer's place, or SEALING. The future raises Outage; Overloaded is raised at once."""
        told: asyncio.Future[Place | JoinRefusal] = asyncio.get_running_loop().create_future()
        self._joinings.add((joining, told))
        return told

    async def _answer_batch(self, batch: "list[tuple[Joining, asyncio.Future[Place | JoinRefusal]]]") -> None:
        try:
            answers = await self._join([joining for joining, _ in batch])
            for (_, told), answer in zip(batch, answers, strict=True):
                if isinstance(answer, Outage):
                    fail(told, answer)
                else:
                    tell(told, answer)
        except Exception as error:
            for _, told in batch:
                fail(told, error)

    async def _join(self, batch: list[Joining]) -> list[Place | JoinRefusal | Outage]:
        """Whoever has got a place hears it, whatever keeps the others of the batch from theirs."""
        answers: dict[int, Place | JoinRefusal | Outage] = {}
        left = list(range(len(batch)))
        try:
            for _ in range(EXTEND_TRIES):
                asked = [batch[at] for at in left]
                joined = await self._scripts.join(self._live, self._roster, asked)
                if joined.code is JoinCode.FENCED:
                    self._live.fence()
                    raise RedisAway("the sale is being restored")
                needed: dict[int, int] = {}
                for at, packed in zip(left, joined.places, strict=True):
                    if packed == NEED_BLOCK:
                        needed[batch[at].lane] = needed.get(batch[at].lane, 0) + 1
                    else:
                        answers[at] = self._answer(batch[at], packed, joined)
                left = [at for at in left if at not in answers]
                if not left:
                    break
                await self._extend(needed, joined)
            else:
                raise RedisAway("the line's numbering could not be extended")
        except Outage as outage:
            answers |= dict.fromkeys(left, outage)
        return [answers[at] for at in range(len(batch))]

    def _answer(self, joining: Joining, packed: int, joined: Joined) -> Place | JoinRefusal | Outage:
        if packed == NOT_DRAWN:
            return JoinRefusal.SEALING
        if packed == NEED_LOBBY:
            self._enroller.complete()
            return RedisAway("the roster lacks some of the lobby and is being completed")
        kept = unpack_kept(packed)
        return Place(joining.buyer, self._live.sale.sale_id, kept.lane, kept.cohort, joined.epoch, kept.index)

    async def _extend(self, needed: Mapping[int, int], joined: Joined) -> None:
        for lane, count in needed.items():
            tail = joined.tails[lane]
            ceiling = await self._ledger.raise_ceiling(
                self._live.sale.sale_id, lane=lane, tail=tail, ceiling=tail + count + self._block_count
            )
            if await self._scripts.extend(self._live, lane=lane, ceiling=ceiling) is ExtendCode.FENCED:
                self._live.fence()
                raise RedisAway("the sale is being restored")
