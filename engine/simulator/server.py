"""The simulator put together: keys, ledger, desk, gateway, house and callbacks on one port.

It is one low-level aiohttp server without an application, because WeChat's 404 and 405 are empty and every
microsecond here is taken from the merchant under test. This is the only module that knows the others all; it
decides nothing.
"""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.simulator import credentials, faults
from engine.simulator.answers import KEEPALIVE_S, Answers
from engine.simulator.authorization import Merchant
from engine.simulator.callbacks import Callbacks
from engine.simulator.desk import Desk
from engine.simulator.faults import Faults
from engine.simulator.gateway import Gateway
from engine.simulator.house import House
from engine.simulator.ledger import Ledger
from engine.simulator.logins import Logins
from engine.simulator.refunds import Refund, RefundStatus
from engine.simulator.signer import Signer

STOP_S = 5.0  # How long calls in progress may take to end when the simulator stops.


class Entropy:
    """Random bytes from the operating system, drawn in blocks: one system call serves many answers."""

    def __init__(self, block_bytes: int = 4096) -> None:
        self._block_bytes = block_bytes
        self._block = b""
        self._used = 0

    def __call__(self, size: int) -> bytes:
        start = self._used
        if start + size > len(self._block):
            self._block, start = os.urandom(max(self._block_bytes, size)), 0
        self._used = start + size
        return self._block[start : self._used]


def system_now_ms() -> int:
    return time.time_ns() // 1_000_000


class Simulator:
    """Everything wired together; `start` opens the port, `stop` leaves the journal complete."""

    def __init__(
        self,
        home: Path,
        *,
        luck: Faults,
        signers: int = 1,
        http_anywhere: bool = False,
        now_ms: Callable[[], int] = system_now_ms,
        entropy: Callable[[int], bytes] | None = None,
    ) -> None:
        entropy = entropy or Entropy()
        self.credentials = credentials.ensure(home)
        self.faults = luck
        merchant_key = credentials.private_key(self.credentials.private_key_file)
        platform_key = credentials.private_key(self.credentials.platform_private_key_file)
        merchants = {
            self.credentials.mchid: Merchant(
                mchid=self.credentials.mchid,
                appids=frozenset((self.credentials.appid,)),
                certificate_serial=self.credentials.certificate_serial,
                public_key=merchant_key.public_key(),
                cipher=AESGCM(self.credentials.api_v3_key.encode()),
            )
        }
        self._ledger = Ledger(home / "journal.jsonl")
        self._signer = Signer(signers)
        self._callbacks = Callbacks(
            merchants=merchants,
            signer=self._signer,
            key=platform_key,
            serial=self.credentials.public_key_id,
            faults=lambda: self.faults,
            delivered=lambda notice_id: self._ledger.record(delivered=notice_id),
            now_ms=now_ms,
            entropy=entropy,
        )
        self._desk = Desk(
            ledger=self._ledger,
            merchants=merchants,
            faults=lambda: self.faults,
            notify=self._callbacks.post,
            settle_later=self._settle_later,
            now_ms=now_ms,
            entropy=entropy,
            http_anywhere=http_anywhere,
        )
        self._gateway = Gateway(
            desk=self._desk,
            merchants=merchants,
            answers=Answers(
                signer=self._signer,
                key=platform_key,
                serial=self.credentials.public_key_id,
                now_ms=now_ms,
                entropy=entropy,
            ),
            faults=lambda: self.faults,
            now_ms=now_ms,
        )
        self._house = House(
            desk=self._desk,
            logins=Logins(self.credentials.appid, self.credentials.app_secret, entropy),
            callbacks=self._callbacks,
            faults=lambda: self.faults,
            change_faults=self._change_faults,
            now_ms=now_ms,
        )
        self._runner = web.ServerRunner(
            web.Server(self._serve, access_log=None, keepalive_timeout=KEEPALIVE_S), shutdown_timeout=STOP_S
        )
        self.port = 0

    async def start(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Resume what a former life left open (unsettled refunds, undelivered notices), then listen."""
        for notice in self._ledger.pending():
            self._callbacks.post(notice)
        for refund in self._ledger.refunds():
            if refund.status is RefundStatus.PROCESSING:
                self._settle_later(refund)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, backlog=1024).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Answer what was asked, stop calling back, close the journal."""
        await self._runner.cleanup()
        await self._callbacks.stop()
        self._signer.stop()
        self._ledger.close()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        if path.startswith("/v3/"):
            return await self._gateway.serve(request, path, query)
        return await self._house.serve(request, path)

    def _change_faults(self, luck: Faults) -> None:
        self.faults = luck

    def _settle_later(self, refund: Refund) -> None:
        luck = self.faults
        wait_s = faults.delay_s(
            luck.refund_delay_ms, seed=luck.seed, knob="refund_delay_ms", subject=refund.out_refund_no
        )
        asyncio.get_running_loop().call_later(wait_s, self._desk.settle_refund, refund.mchid, refund.out_refund_no)
