"""What goes wrong in a storm, and when: WeChat's bad luck, its changes of keys, and processes that are killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from loadtest.books.stack import Stack

PROFILE = Path("examples/simulator/storm.toml")
"""WeChat's luck: 2 % of the notices never come, 5 % come twice, 5 % late, some out of order, 1 % are tampered with, and
1 % of the answers are a 500 after the effect. The hours of redelivery are scaled to minutes."""

BEGINNING: Mapping[str, Any] = {
    "callback_public_key": 0.0,
    "callback_certificate_b": 0.0,
    "certificates_listed": "a",
    "refund_abnormal": 0.0,
    "refund_closed": 0.0,
    "refund_not_enough": 0.0,
}
"""The merchant begins in the old mode, with platform certificate A. Refunds that only a person can lead out of failure,
and those of an account that is short of money and rests for minutes, have drills of their own."""

KEY_CHANGES: tuple[tuple[float, str, Mapping[str, Any]], ...] = (
    (0.15, "certificate B is listed", {"certificates_listed": "both"}),
    (0.25, "half of the notices signed by certificate B", {"callback_certificate_b": 0.5}),
    (0.40, "all notices signed by certificate B", {"callback_certificate_b": 1.0}),
    (0.55, "a fifth of the notices signed by the public key", {"callback_public_key": 0.2}),
    (0.65, "half of the notices signed by the public key", {"callback_public_key": 0.5}),
    (0.80, "all notices signed by the public key", {"callback_public_key": 1.0}),
)
"""By the share of the storm that is over: a rotation of certificates, then the migration to the public key."""

ANSWERS = (
    *("error_after", "error_before", "limited", "limited_after", "unavailable", "unavailable_after"),
    *("reset", "lost", "truncated", "unsigned", "bad_signature", "stale", "signtest"),
)
CALM: Mapping[str, Any] = {"callback_loss": 0.0, **{f"answer_{luck}": 0.0 for luck in ANSWERS}}
"""After the storm nothing is lost for good any more, and the bill can be fetched."""

HOLES = frozenset({"body", "tag", "aad", "stale", "serial", "expired"})
"""Callbacks that nobody may believe. One with a wrong amount or merchant is signed by WeChat: it is kept and asked
about."""
CALLER = "caller"


class Weather:
    """Talks to the simulator's admin address, and kills."""

    def __init__(self, session: aiohttp.ClientSession, stack: Stack, *, dice: random.Random) -> None:
        self._session = session
        self._stack = stack
        self._dice = dice
        self.killed: list[str] = []
        self.changes: list[str] = []

    async def set(self, knobs: Mapping[str, Any]) -> None:
        """Put knobs in force. Repeated while the simulator is being restarted."""
        await self._insist("PUT", "/_admin/faults", dict(knobs))

    async def ask(self, path: str) -> Any:
        """What the simulator shows under an admin path."""
        return await self._insist("GET", path, None)

    async def change_keys(self, progress: Callable[[], float]) -> None:
        """Each change when its time has come."""
        for share, name, knobs in KEY_CHANGES:
            await self._until(progress, share)
            await self.set(knobs)
            self.changes.append(f"{share:.0%} {name}")

    async def _until(self, progress: Callable[[], float], share: float) -> None:
        while progress() < share:  # noqa: ASYNC110 - a glance at a counter that nobody announces
            await asyncio.sleep(0.1)

    async def kill(self, *, every_s: float) -> None:
        """Now a process of the engine, now a pool of WeChat's callbacks, until cancelled."""
        while True:
            await asyncio.sleep(every_s * self._dice.uniform(0.6, 1.4))
            name, pid = self._dice.choice(await self._targets())
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.killed.append(name)

    async def _targets(self) -> list[tuple[str, int]]:
        pids = self._stack.addresses().pids
        engine = [(name, pid) for name, pid in pids.items() if name.startswith("web") or name == "jobs"]
        processes = await self.ask("/_admin/processes")
        callers = [(CALLER, int(pid)) for pid in processes["callers"] if pid != processes["ledger"]]
        return sorted(engine) + callers * len(engine)

    async def _insist(self, method: str, path: str, body: Any) -> Any:
        url = self._stack.addresses().simulator_url + path
        for _ in range(100):
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with self._session.request(method, url, json=body) as answer:
                    if answer.status < 300:
                        return await answer.json()
                    raise RuntimeError(f"{path}: {answer.status} {await answer.text()}")
            await asyncio.sleep(0.2)
        raise RuntimeError(f"{path}: the simulator does not answer")
