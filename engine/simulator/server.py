"""The simulator put together: keys, ledger, desk, gateway, house and callbacks on one port.

It is one low-level aiohttp server without an application, because WeChat's 404 and 405 are empty and every
microsecond here is taken from the merchant under test. This is the only module that knows the others all; it
decides nothing.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl

from aiohttp import web
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.simulator import answers, credentials, house
from engine.simulator.answers import KEEPALIVE_S, Answers
from engine.simulator.authorization import Merchant
from engine.simulator.callbacks import Callbacks
from engine.simulator.calls import Visit
from engine.simulator.counter import Counter
from engine.simulator.faults import Faults
from engine.simulator.gateway import Gateway
from engine.simulator.office import Office, Rules
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
        self._signer = Signer(signers)
        self.office = Office(
            Rules(
                home=home,
                merchants=merchants,
                appid=self.credentials.appid,
                app_secret=self.credentials.app_secret,
                http_anywhere=http_anywhere,
                field_keys={self.credentials.public_key_id: platform_key},
                now_ms=now_ms,
                entropy=entropy,
            ),
            luck=luck,
            make_callbacks=lambda faults, delivered: Callbacks(
                merchants=merchants,
                signer=self._signer,
                key=platform_key,
                serial=self.credentials.public_key_id,
                faults=faults,
                delivered=delivered,
                now_ms=now_ms,
                entropy=entropy,
            ),
        )
        self._gateway = Gateway(
            merchants=merchants,
            answers=Answers(
                signer=self._signer,
                key=platform_key,
                serial=self.credentials.public_key_id,
                now_ms=now_ms,
                entropy=entropy,
            ),
            ask=Counter(self.office).serve,
            now_ms=now_ms,
        )
        self._runner = web.ServerRunner(
            web.Server(self._serve, access_log=None, keepalive_timeout=KEEPALIVE_S), shutdown_timeout=STOP_S
        )
        self.port = 0

    async def start(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Resume what a former life left open, then listen."""
        self.office.resume()
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, backlog=1024).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Answer what was asked, stop calling back, close the journal."""
        await self._runner.cleanup()
        await self.office.stop()
        self._signer.stop()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        if path.startswith("/v3/"):
            return await self._gateway.serve(request, path, query)
        visit = Visit(request.method, path, dict(parse_qsl(query)) if query else {}, await request.read())
        return answers.page(await house.serve(self.office, visit))
