"""People at the doors, over HTTP: they join, watch the line until it calls somebody, and come forward.

The bench knows everybody who gathered, so it finds out who is called from the published seed alone, as anybody can
for the own place, and comes forward for one of them. Whoever is told to wait, or hears nothing, tries again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import orjson

from bench import requests
from bench.shoppers import connect
from bench.stack import PASS_S, Stack
from engine.infra.seals import Purpose, SealKeys
from engine.line.draw.permutation import permuted
from engine.line.place import Cohort, Place, read_place, seal_place
from engine.line.sight import LaneSight

ASK_EVERY_S = 0.02
TIMEOUT_S = 60.0
AT_ONCE = 64


class Door:
    """One sale's public side, for buyers whose seals are made here."""

    def __init__(self, stack: Stack, sale: str) -> None:
        self._port = stack.port
        self._sale = sale
        self._keys = SealKeys({0: stack.secrets.seal_key.encode()}, 0)
        self._expires_s = int(time.time()) + PASS_S

    async def head_beyond(self, than: int) -> int:
        """The head of the first lane, as soon as the document tells one beyond that."""
        said: Any = {}
        async with _patience(f"the line of {self._sale} called nobody") as patience:
            while True:
                _, said = await self._ask(requests.line_poll(self._sale))
                head = int(said["lanes"][0]["head"]) if "lanes" in said else 0
                if head > than:
                    return head
                patience.said = said
                await asyncio.sleep(ASK_EVERY_S)

    async def let_in(self, place: Place) -> float:
        """The wall-clock time at which the buyer of this place, who is called, has a pass."""
        sealed = seal_place(self._keys, place, expires_s=self._expires_s)
        claim = requests.claim(self._sale, seal=self._seal(place.buyer), place=sealed)
        async with _patience(f"nobody was let into {self._sale}") as patience:
            while True:
                status, said = await self._ask(claim)
                if status in {200, 201}:
                    return time.time()
                patience.said = said
                await asyncio.sleep(ASK_EVERY_S)

    async def join_all(self, buyers: Sequence[bytes]) -> list[Place]:
        """The places of these buyers, in their order."""
        waiting, places = deque(buyers), dict[bytes, Place]()

        async def join_some() -> None:
            wire = await connect(self._port)
            while waiting:
                buyer = waiting.popleft()
                status, body = await wire.ask(requests.join(self._sale, seal=self._seal(buyer)))
                if status in {429, 503}:
                    waiting.append(buyer)
                    await asyncio.sleep(ASK_EVERY_S)
                    continue
                place = read_place(self._keys, orjson.loads(body)["place"], buyer, self._sale, now_s=int(time.time()))
                assert place is not None, "a place is its buyer's"
                places[buyer] = place
            wire.close()

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(join_some())
        return [places[buyer] for buyer in buyers]

    def _seal(self, buyer: bytes) -> str:
        return self._keys.seal(Purpose.BUYER, buyer, expires_s=self._expires_s)

    async def _ask(self, request: bytes) -> tuple[int, Any]:
        """(0, {}) where nobody answers."""
        with contextlib.suppress(OSError, orjson.JSONDecodeError):
            wire = await connect(self._port)
            try:
                status, body = await wire.ask(request)
            finally:
                wire.close()
            return status, orjson.loads(body)
        return 0, {}


def called_member(lane: LaneSight, sale: str, buyers: Sequence[bytes], *, head: int, epoch: int) -> Place:
    """Somebody of the lobby whose position is below the head."""
    for index, buyer in enumerate(buyers):
        if permuted(lane.seed, index, lane.lobby) < head:
            return Place(buyer, sale, 0, Cohort.LOBBY, epoch, index)
    raise LookupError(f"nobody of {sale} stands below {head}")


class _patience(contextlib.AbstractAsyncContextManager["_patience"]):  # noqa: N801 - reads as a verb
    """Ends the wait with what was said last."""

    def __init__(self, complaint: str) -> None:
        self._complaint = complaint
        self._timeout = asyncio.timeout(TIMEOUT_S)
        self.said: Any = None

    async def __aenter__(self) -> _patience:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        try:
            await self._timeout.__aexit__(*error)
        except TimeoutError:
            raise TimeoutError(f"{self._complaint} within {TIMEOUT_S:g} s: {self.said}") from None
