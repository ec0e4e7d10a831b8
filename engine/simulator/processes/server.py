"""The simulator in one process: an office, a front and a caller on one event loop.

The same parts as in several processes (`processes.py`), joined by plain calls instead of a socket. This is the
form that tests and small demos use.
"""

import inspect
import os
import time
from collections.abc import Callable
from pathlib import Path

from engine.simulator.keys import keyring as keys
from engine.simulator.keys.costs import Costs
from engine.simulator.keys.signer import Signer
from engine.simulator.luck.faults import Faults
from engine.simulator.office import house
from engine.simulator.office.counter import Counter, Verdict
from engine.simulator.office.dispatch import PLACES
from engine.simulator.office.office import Office, Rules
from engine.simulator.processes.caller import Caller
from engine.simulator.processes.calls import Call, Page, Visit
from engine.simulator.processes.front import Front


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
        merchants: int = 1,
        http_anywhere: bool = False,
        now_ms: Callable[[], int] = system_now_ms,
        entropy: Callable[[int], bytes] | None = None,
    ) -> None:
        entropy = entropy or Entropy()
        costs = Costs()
        keyring = keys.ensure(home, merchants=merchants)
        self.credentials = keyring.all_credentials[0]
        self.office = Office(
            Rules(home=home, keyring=keyring, http_anywhere=http_anywhere, now_ms=now_ms, entropy=entropy, costs=costs),
            luck=luck,
        )
        self._signer = Signer(signers, costs)
        self._counter = Counter(self.office)
        self._caller = Caller(keyring=keyring, signer=self._signer, now_ms=now_ms, entropy=entropy, places=PLACES)
        self._front = Front(
            keyring=keyring,
            signer=self._signer,
            call=self._call,
            visit=self._visit,
            now_ms=now_ms,
            entropy=entropy,
            costs=costs,
        )

    @property
    def port(self) -> int:
        return self._front.port

    async def start(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Resume what a former life left open, then listen."""
        self.office.hire(self._caller.send)
        self.office.resume()
        await self._front.start(host=host, port=port)

    async def stop(self) -> None:
        """Answer what was asked, stop calling back, close the journal."""
        await self._front.stop()
        await self.office.stop()
        await self._caller.stop()
        self._signer.stop()

    async def _call(self, call: Call) -> Verdict:
        verdict = self._counter.serve(call)
        return await verdict if inspect.isawaitable(verdict) else verdict

    async def _visit(self, visit: Visit) -> Page:
        page = house.serve(self.office, visit)
        return await page if inspect.isawaitable(page) else page
