"""Signs off the event loop.

One RSA-2048 signature costs about 0.3 ms of processor, which is an age on a loop that answers in
microseconds. `cryptography` releases the interpreter lock for it, so a few threads sign while the loop goes
on, on another core when there is one. Verifying costs 24 microseconds, less than the hop to a thread and
back, and is therefore done in place (see `authenticity`).

The threads hand back whatever is ready with one wake-up of the loop. Measured beside a loop at work, on two
busy cores, a signature made here costs some 40 microseconds of processor more than one made in place, and one
made with an executor's future some 80: the price of a loop that never waits.

A thread that has signed needs the interpreter lock again, and a busy loop gives it up only once per switch
interval: at Python's default of 5 ms one thread was measured to make 330 signatures a second beside a loop
that never rests, and 1,500 at 0.5 ms. Whoever starts the process should call `sys.setswitchinterval(0.0005)`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from queue import SimpleQueue
from threading import Thread

from engine.payments.wechat.keys import MerchantKey
from engine.payments.wechat.messages import to_base64

_Waiter = asyncio.Future[bytes]


class Signer:
    """Serves one event loop and all merchants. Messages are signed in the order they come."""

    def __init__(self, *, thread_count: int) -> None:
        if thread_count < 1:
            raise ValueError("a signer needs at least one thread")
        self._waiting: SimpleQueue[tuple[_Waiter, MerchantKey, bytes] | None] = SimpleQueue()
        self._ready: deque[tuple[_Waiter, bytes | Exception]] = deque()
        self._wake_up_due = False
        # Daemons: a process that crashes must not hang on them. `close` is the orderly way.
        self._threads = [Thread(target=self._run, name="signer", daemon=True) for _ in range(thread_count)]
        for thread in self._threads:
            thread.start()

    async def sign(self, key: MerchantKey, message: bytes) -> str:
        """The signature of `message` by `key` in base64."""
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        self._waiting.put((waiter, key, message))
        return to_base64(await waiter)

    def close(self) -> None:
        """Signs what is waiting and ends the threads. The loop must still be open."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (job := self._waiting.get()) is not None:
            waiter, key, message = job
            outcome: bytes | Exception
            try:
                outcome = key.sign(message)
            except Exception as error:
                outcome = error
            self._ready.append((waiter, outcome))
            # No signature is left lying: it is in `_ready` before the flag is looked at, and `_hand_back`
            # lowers the flag before it looks into `_ready`.
            if not self._wake_up_due:
                self._wake_up_due = True
                waiter.get_loop().call_soon_threadsafe(self._hand_back)

    def _hand_back(self) -> None:
        self._wake_up_due = False
        while self._ready:
            waiter, outcome = self._ready.popleft()
            if waiter.done():  # its request was cancelled
                continue
            if isinstance(outcome, Exception):
                waiter.set_exception(outcome)
            else:
                waiter.set_result(outcome)
