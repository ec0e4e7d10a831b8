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
from typing import Any, Generic, TypeVar

from engine.infra.outage import Overloaded

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Gatherer(Generic[Item]):
    """Gathers items into batches and hands them to `flush`, which must see to its own failures."""

    def __init__(
        self,
        flush: Callable[[list[Item]], Awaitable[None]],
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
        self._queue: deque[Item] = deque()
        self._running: asyncio.Task[None] | None = None

    def add(self, item: Item) -> None:
        """Let it travel with the next batch. Raises Overloaded when the queue is full."""
        if len(self._queue) >= self._queue_count_max:
            raise Overloaded("too many requests wait in this worker")
        self._queue.append(item)
        if self._running is None:
            # The task starts in the next turn of the loop, so whatever arrived in this turn travels together.
            self._running = asyncio.get_running_loop().create_task(self._run())

    def __len__(self) -> int:
        """How many requests wait for the next batch."""
        return len(self._queue)

    async def _run(self) -> None:
        try:
            while self._queue:
                await self._keep_apart()
                count = min(len(self._queue), self._batch_count_max)
                batch = [self._queue.popleft() for _ in range(count)]
                await self._flush(batch)
        finally:
            self._running = None

    async def _keep_apart(self) -> None:
        if self._spacing_s:
            wait_s = self._began_s + self._spacing_s - time.monotonic()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            self._began_s = time.monotonic()


class Batcher(Gatherer[tuple[Item, "asyncio.Future[Answer]"]], Generic[Item, Answer]):
    """A gatherer whose `flush` answers each item of a batch, in order.

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
        super().__init__(
            self._answer, batch_count_max=batch_count_max, queue_count_max=queue_count_max, spacing_s=spacing_s
        )
        self._ask = flush

    def submit(self, item: Item) -> "asyncio.Future[Answer]":
        """The future answer. Raises Overloaded when the queue is full."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.add((item, answer))
        return answer

    async def _answer(self, batch: "list[tuple[Item, asyncio.Future[Answer]]]") -> None:
        try:
            answers = await self._ask([item for item, _ in batch])
        except Exception as error:
            for _, future in batch:
                fail(future, error)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            tell(future, answer)


def tell(future: "asyncio.Future[Answer]", answer: Answer) -> None:
    """Answer who waits; nobody may be waiting any more."""
    if not future.done():
        future.set_result(answer)


def fail(future: "asyncio.Future[Any]", error: Exception) -> None:
    """The same with an exception."""
    if not future.done():
        future.set_exception(error)
