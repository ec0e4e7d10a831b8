"""One process's part of a crowd, sent out moment by moment.

Who comes and when is fixed before anybody comes; nobody's coming asks how the server is. A visitor's task is made
shortly before the arrival, so that a hundred thousand people to come cost nothing yet. Whoever the run's end finds on
the way is sent home. A closed loop keeps so many people under way instead, each followed by the next.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import count

from loadtest.crowd import acting
from loadtest.crowd.buyer import Drop
from loadtest.crowd.journal import Journal, Stage
from loadtest.crowd.population import Persona
from loadtest.crowd.protocol import Phone, Shop
from loadtest.profiles.casting import Visitor, cast, newcomer
from loadtest.profiles.curves import level
from loadtest.profiles.profile import ClosedArrivals, Profile
from loadtest.recording.recorder import Recorder
from loadtest.wires.loop import LoopWire
from loadtest.wires.port import Outage

AHEAD_S = 0.5
"""A visitor's task is made so long before the arrival."""
AT_ONCE = 64
"""After so many visitors in one go the others get their turn."""
LOGINS_AT_ONCE = 24
CLOSED_TURN_S = 0.05
"""How often a closed loop looks whether people are missing."""


class Crowd:
    """The visitors of one process, and what became of them."""

    def __init__(self, profile: Profile, *, part: int, parts: int) -> None:
        self._profile = profile
        self._part = part
        self._parts = parts
        self.is_closed = isinstance(profile.arrivals, ClosedArrivals)
        latest = profile.run.after_opening_s
        self.visitors: list[Visitor] = [one for one in cast(profile)[part::parts] if one.arrives_s < latest]
        self.recorder = Recorder(wall_s=time.time)
        self.journal = Journal(buyer_count=len(self.visitors), recorder=self.recorder)
        self.underway: set[asyncio.Task[None]] = set()
        self.seals: dict[str, str] = {}
        """Openid to the seal of those who come logged in."""

    async def play(self, wire: LoopWire, shop: Shop, drop: Drop, *, home: asyncio.Event) -> None:
        """Send everybody out at their moment; returns when all are back, or were sent home."""
        self._wire, self._shop, self._drop = wire, shop, drop
        sending = asyncio.create_task(self._closed() if self.is_closed else self._open())
        ending = asyncio.create_task(home.wait())
        left_s = drop.opens_at + self._profile.run.after_opening_s - wire.now()
        try:
            async with asyncio.timeout(left_s):
                await asyncio.wait([sending, ending], return_when=asyncio.FIRST_COMPLETED)
                while self.underway and not ending.done():
                    await asyncio.wait([*self.underway, ending], return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            pass
        ending.cancel()
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending
        for task in list(self.underway):
            task.cancel()
        while self.underway:
            await asyncio.wait(list(self.underway))

    async def _open(self) -> None:
        sent = 0
        try:
            for visitor in self.visitors:
                wait_s = self._drop.opens_at + visitor.arrives_s - AHEAD_S - self._wire.now()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)
                elif sent % AT_ONCE == 0:
                    await asyncio.sleep(0)
                self._send(visitor)
                sent += 1
        finally:
            if not self._is_early():
                for _ in self.visitors[sent:]:
                    self.recorder.arrive(missed=True)

    def _is_early(self) -> bool:
        """Whether people were sent home before the run's end; who was to come later is not missed then."""
        return self._wire.now() < self._drop.opens_at + self._profile.run.after_opening_s - AHEAD_S

    async def _closed(self) -> None:
        arrivals = self._profile.arrivals
        assert isinstance(arrivals, ClosedArrivals)
        points = [(at, people * self._profile.scale.people) for at, people in arrivals.points]
        came = 0
        while True:
            since_s = self._wire.now() - self._drop.opens_at
            everybody = round(level(points, since_s)) if since_s >= 0 else 0
            mine = everybody // self._parts + (self._part < everybody % self._parts)
            while len(self.underway) < mine:
                visitor = newcomer(self._profile, self._part + came * self._parts)
                self.journal.stages[Stage.COMING] += 1
                self._send(replace(visitor, arrives_s=self._wire.now() - self._drop.opens_at))
                came += 1
            await asyncio.sleep(CLOSED_TURN_S)

    def _send(self, visitor: Visitor) -> None:
        task = asyncio.create_task(self._visit(visitor))
        self.underway.add(task)
        task.add_done_callback(self._back)

    async def _visit(self, visitor: Visitor) -> None:
        seal = self.seals.pop(visitor.openid, None)
        await acting.act(visitor, wire=self._wire, shop=self._shop, drop=self._drop, seal=seal)

    async def log_in(self, wire: LoopWire, shop: Shop, *, until_s: float) -> None:
        """Those who come first log in, as many as find the time; a closed loop has no last one."""
        people = self._to_come()

        async def one_after_the_other() -> None:
            while time.time() < until_s and (openid := next(people, None)) is not None:
                phone = Phone(wire, shop, openid=openid)
                with suppress(Outage):
                    await phone.login()
                if phone.seal is not None:
                    self.seals[openid] = phone.seal

        await asyncio.gather(*(one_after_the_other() for _ in range(LOGINS_AT_ONCE)))

    def _to_come(self) -> Iterator[str]:
        if not self.is_closed:
            return (one.openid for one in self.visitors if isinstance(one, Persona))
        numbers = count(self._part, self._parts)
        return (one.openid for one in map(partial(newcomer, self._profile), numbers) if isinstance(one, Persona))

    def _back(self, task: asyncio.Task[None]) -> None:
        self.underway.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self.journal.complain(f"an answer that made no sense: {fault!r}")
