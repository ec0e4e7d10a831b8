"""The micro-batcher: one batch is in flight, the next one forms meanwhile.

A lone request waits for nothing; under load batches grow by themselves, because more arrives while one is away.
Where the other side answers so quickly that batches would stay small, they begin a little apart (`spacing_s`): a
question costs about the same for one request as for fifty. The queue is bounded: beyond the bound a request is shed
at once, so that waiting stays short and memory flat whatever comes in.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from engine.infra.outage import Overloaded

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """Gathers items and hands them to `flush`, which answers each one in order.

    If `flush` raises, every request of that batch sees the exception; the next batch starts afresh.
    """

    def __init__(
        self,
        flush: Callable[[list[Item]], Awaitable[Sequence[Answer]]],
        *,
        batch_count_max: int,
        queue_count_max: int,
        spacing_s: float = 0.0,
    ) -> None:
        self._flush = flush
        self._spacing_s = spacing_s
        self._began_s = 0.0
        self._batch_count_max = batch_count_max
        self._queue_count_max = queue_count_max
        self._queue: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._running: asyncio.Task[None] | None = None

    def submit(self, item: Item) -> asyncio.Future[Answer]:
        """The future answer. Raises Overloaded when the queue is full."""
        if len(self._queue) >= self._queue_count_max:
            raise Overloaded("too many requests wait in this worker")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._queue.append((item, answer))
        if self._running is None:
            # The task starts in the next turn of the loop, so whatever arrived in this turn travels together.
            self._running = loop.create_task(self._run())
        return answer

    def __len__(self) -> int:
        """How many requests wait for the next batch."""
        return len(self._queue)

    async def _run(self) -> None:
        try:
            while self._queue:
                await self._keep_apart()
                count = min(len(self._queue), self._batch_count_max)
                batch = [self._queue.popleft() for _ in range(count)]
                await self._answer(batch)
        finally:
            self._running = None

    async def _keep_apart(self) -> None:
        if self._spacing_s:
            wait_s = self._began_s + self._spacing_s - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            self._began_s = time.monotonic()

    async def _answer(self, batch: list[tuple[Item, "asyncio.Future[Answer]"]]) -> None:
        try:
            answers = await self._flush([item for item, _ in batch])
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():  # the buyer may have hung up
                future.set_result(answer)
