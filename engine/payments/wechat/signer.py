"""Signs off the event loop.

One RSA-2048 signature costs about 0.3 ms of processor, which is an age on a loop that answers in
microseconds. `cryptography` releases the interpreter lock for it, so a few threads sign while the loop goes
on, on another core when there is one. Verifying costs 24 microseconds, less than the hop to a thread and
back, and is therefore done in place (see `authenticity`).

A thread that has signed needs the interpreter lock again, and a busy loop gives it up only once per switch
interval: at Python's default of 5 ms one thread was measured to make 330 signatures a second beside a busy
loop, and 1,500 at 0.5 ms. Whoever starts the process should call `sys.setswitchinterval(0.0005)`.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from engine.payments.wechat.keys import MerchantKey
from engine.payments.wechat.messages import to_base64


class Signer:
    __slots__ = ("_key", "_threads", "serial")

    def __init__(self, key: MerchantKey, *, thread_count: int) -> None:
        if thread_count < 1:
            raise ValueError("a signer needs at least one thread")
        self.serial = key.serial
        self._key = key
        self._threads = ThreadPoolExecutor(thread_count, thread_name_prefix="signer")

    async def sign(self, message: bytes) -> str:
        """The signature of `message` in base64."""
        loop = asyncio.get_running_loop()
        return to_base64(await loop.run_in_executor(self._threads, self._key.sign, message))

    def close(self) -> None:
        """Lets what is being signed finish, and ends the threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)
