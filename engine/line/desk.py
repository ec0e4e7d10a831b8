"""The line of one sale in one worker: batches joins, ticks the head, keeps the document of this moment."""

import time

from engine.catalog.board import LiveSale
from engine.infra.batcher import Batcher
from engine.infra.outage import RedisAway
from engine.line.admission.desk import AdmissionDesk
from engine.line.document import LineDocument
from engine.line.line import NO_PLACE, Joining, Line, LineHead

HEAD_KEPT_EVERY_S = 1.0
EXTEND_TRIES = 3


class LineDesk:
    """Joins and head of one sale."""

    def __init__(
        self,
        live: LiveSale,
        line: Line,
        admission: AdmissionDesk,
        *,
        block_count: int,
        burst_count: int,
        batch_count_max: int,
        queue_count_max: int,
    ) -> None:
        self.live = live
        self._line = line
        self.admission = admission
        self._block_count = block_count
        self._burst_count = burst_count
        self._kept_head = 0
        self._kept_at_s = 0.0
        self._batcher: Batcher[Joining, int] = Batcher(
            self._join, batch_count_max=batch_count_max, queue_count_max=queue_count_max
        )
        self.head = LineHead(0, 0, 0)
        self.document: LineDocument | None = None

    async def join(self, joining: Joining) -> int:
        """The buyer's index: the same one every time. Raises Outage."""
        return await self._batcher.submit(joining)

    async def _join(self, joinings: list[Joining]) -> list[int]:
        for _ in range(EXTEND_TRIES):
            indexes = await self._line.join(self.live, joinings)
            if indexes is None:
                self.live.fence()
                raise RedisAway("the sale is being restored")
            if NO_PLACE not in indexes:
                return indexes
            # Whoever got a place keeps it when the batch is sent again behind the higher ceiling.
            head = await self._line.tick(self.live, burst=self._burst_count)
            reached = head.tail if head else self.head.tail
            await self._line.extend(self.live, reached + len(joinings) + self._block_count)
        raise RedisAway("the line's numbering could not be extended")

    async def refresh(self) -> None:
        """Tick, and write the head down now and then. Raises Outage."""
        head = await self._line.tick(self.live, burst=self._burst_count)
        if head is None:
            self.live.fence()
            return
        self.head = head
        if head.head > self._kept_head and time.monotonic() - self._kept_at_s > HEAD_KEPT_EVERY_S:
            await self._line.keep_head(self.live, head.head)
            self._kept_head, self._kept_at_s = head.head, time.monotonic()
