"""RSA signing off the event loop, in batches.

Signing releases the interpreter lock, so a few threads use the other cores while the loop serves. A lone
request is signed at once; under load the requests that arrive meanwhile form the next batch, which saves
most of the cost of crossing threads. Batches are bounded, so the last of a batch waits a few milliseconds
at most.
"""

import asyncio
import threading
from queue import SimpleQueue

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from engine.simulator.keys.costs import Costs

BATCH_COUNT_MAX = 8  # 8 signatures take about 2.5 ms.
_Job = tuple[asyncio.Future[str], RSAPrivateKey, bytes]


class Signer:
    """Starts its threads at once; `stop` ends them. Belongs to the running event loop. `costs` counts its work."""

    def __init__(self, threads: int, costs: Costs) -> None:
        self._costs = costs
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Job] = []
        self._batches: SimpleQueue[list[_Job] | None] = SimpleQueue()
        self._idle = threads
        self._threads = [
            threading.Thread(target=self._work, name=f"signer-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def sign(self, key: RSAPrivateKey, message: bytes) -> asyncio.Future[str]:
        """A future of the base64 signature."""
        future: asyncio.Future[str] = self._loop.create_future()
        self._waiting.append((future, key, message))
        if self._idle:
            self._dispatch()
        return future

    def stop(self) -> None:
        """Let the threads finish what they hold and end. Waits for at most one batch each."""
        for _ in self._threads:
            self._batches.put(None)
        for thread in self._threads:
            thread.join()

    def _dispatch(self) -> None:
        self._idle -= 1
        self._batches.put(self._waiting[:BATCH_COUNT_MAX])
        del self._waiting[:BATCH_COUNT_MAX]

    def _work(self) -> None:
        while (batch := self._batches.get()) is not None:
            signatures = [self._costs.sign(key, message) for _, key, message in batch]
            self._loop.call_soon_threadsafe(self._deliver, batch, signatures)

    def _deliver(self, batch: list[_Job], signatures: list[str]) -> None:
        self._idle += 1
        if self._waiting:
            self._dispatch()
        for (future, _, _), signature in zip(batch, signatures, strict=True):
            if not future.done():
                future.set_result(signature)
