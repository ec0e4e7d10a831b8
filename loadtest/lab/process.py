"""One process of the open loop: `python -m loadtest.lab.process`, its plan on standard input.

It plays every n-th visitor of the crowd. Who comes and when is fixed before anybody comes; nobody's coming asks how
the server is. A visitor's task is made shortly before the arrival, so that a hundred thousand people to come cost
nothing yet. Whoever the run's end finds on the way is sent home.

It ends when its standard input does, because then the process that judges is gone, and nobody wants its answer.
"""

from __future__ import annotations

import asyncio
import gc
import random
import signal
import sys
import time
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import uvloop

from loadtest.books.stack import allow_open_files
from loadtest.crowd import acting
from loadtest.crowd.buyer import Drop
from loadtest.crowd.journal import Journal, Stage
from loadtest.crowd.population import Persona
from loadtest.crowd.protocol import Phone, Shop
from loadtest.crowd.scene import set_scene
from loadtest.crowd.testimony import pack
from loadtest.lab.talk import Moment, Plan, Scene, said, testified
from loadtest.profiles.casting import Visitor, cast, newcomer
from loadtest.profiles.curves import level
from loadtest.profiles.profile import ClosedArrivals, Profile
from loadtest.recording.record import Record
from loadtest.recording.recorder import Recorder
from loadtest.wires.loop import LoopWire
from loadtest.wires.network import Network
from loadtest.wires.port import Outage

AHEAD_S = 0.5
"""A visitor's task is made so long before the arrival."""
AT_ONCE = 64
"""After so many visitors in one go the others get their turn."""
LIVE_S = 0.5
BEAT_S = 0.05
"""How often the own lateness is felt."""
CLOSED_TURN_S = 0.05
"""How often a closed loop looks whether people are missing."""
WARM_PAUSE_S = 0.02
LOGINS_AT_ONCE = 24
PLAN_MAX = 1 << 24


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


class Pulse:
    """What this process costs, and how late it is."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._lag_s = 0.0
        self._told = 0
        self._at = time.monotonic()
        self._cpu_s = time.process_time()

    async def feel(self) -> None:
        while True:
            due_s = time.monotonic() + BEAT_S
            await asyncio.sleep(BEAT_S)
            self._lag_s = max(self._lag_s, time.monotonic() - due_s)

    async def tell(self) -> None:
        while True:
            await asyncio.sleep(LIVE_S)
            say(self.moment().line())

    def moment(self) -> Moment:
        now, cpu_s = time.monotonic(), time.process_time()
        share = (cpu_s - self._cpu_s) / max(1e-6, now - self._at)
        lag_s, self._lag_s, self._at, self._cpu_s = self._lag_s, 0.0, now, cpu_s
        return Moment(
            wall_s=time.time(),
            cpu_share=round(share, 4),
            lag_s=round(lag_s, 4),
            underway=len(self._crowd.underway),
            stages={stage.name: count for stage, count in self._crowd.journal.stages.items()},
            seconds=self._closed(),
        )

    def _closed(self) -> bytes:
        """The seconds that closed since the last time."""
        seconds = self._crowd.recorder.seconds
        closed = sorted(seconds)[:-1]
        fresh = {at: seconds[at] for at in closed if at > self._told}
        self._told = max(fresh, default=self._told)
        return Record(fresh).packed()


async def warm_up(wire: LoopWire, shop: Shop, *, until_s: float) -> None:
    """Read what everybody reads; nothing of it is measured."""
    while time.time() < until_s:
        with suppress(Outage):
            await wire.together(wire.ask("sale", "GET", shop.sale), wire.ask("line", "GET", shop.line))
        await asyncio.sleep(WARM_PAUSE_S)


async def run(plan: Plan, lines: asyncio.StreamReader) -> None:
    profile = plan.profile
    crowd = Crowd(profile, part=plan.part, parts=plan.parts)
    journal = crowd.journal
    # The crowd stays to the end; searching it for garbage would only steal time from the run.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    say(said("ready", visitors=len(crowd.visitors)))
    said_scene = await lines.readline()
    if not said_scene:
        return
    scene = Scene.read(said_scene)
    shop = Shop.at(public_url=scene.public_url, wechat_url=scene.wechat_url, sale=scene.sale)
    dice = random.Random(profile.seed * 7919 + plan.part)
    async with LoopWire(dice=dice, observer=lambda *_: None) as unmeasured:
        if profile.people.logged_in:
            await crowd.log_in(unmeasured, shop, until_s=scene.warm_until_s)
        await warm_up(unmeasured, shop, until_s=scene.warm_until_s)
    async with LoopWire(dice=dice, observer=journal.observe, network=network_of(profile)) as wire:
        drop = await set_scene(wire, shop, journal, cdn=profile.cdn)
        drop = replace(drop, opens_at=wire.now() + scene.opens_at_s - time.time())
        home = asyncio.Event()
        pulse = Pulse(crowd)
        helpers = [asyncio.create_task(work) for work in _beside(drop, pulse, lines, home)]
        try:
            await crowd.play(wire, shop, drop, home=home)
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
        wall_offset_s = time.time() - wire.now()
    crowd.recorder.finish()
    say(pulse.moment().line())
    packed = pack(journal, wall_offset_s=wall_offset_s)
    record = Record.of(crowd.recorder).packed()
    reads = drop.cache.read_count
    Path(plan.testimony).write_bytes(testified(testimony=packed, record=record, line_reads=reads))  # noqa: ASYNC240 - the run is over
    say(said("done"))


def _beside(
    drop: Drop, pulse: Pulse, lines: asyncio.StreamReader, home: asyncio.Event
) -> list[Coroutine[Any, Any, None]]:
    return [drop.cache.run(), pulse.feel(), pulse.tell(), _hear(lines, home)]


async def _hear(lines: asyncio.StreamReader, home: asyncio.Event) -> None:
    if await lines.readline():
        home.set()


def network_of(profile: Profile) -> Network | None:
    net = profile.network
    return None if net is None else Network(median_ms=net.median_ms, p95_ms=net.p95_ms, dropped=net.dropped)


def say(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


async def main() -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=PLAN_MAX)
    ended = asyncio.Event()
    await loop.connect_read_pipe(lambda: _Leash(lines, ended), sys.stdin.buffer)
    work = asyncio.create_task(run_from(lines))
    leash = asyncio.create_task(ended.wait())
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    # A person's Ctrl-C is for the process that judges; it sends people home in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    await asyncio.wait([work, leash], return_when=asyncio.FIRST_COMPLETED)
    leash.cancel()
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work


async def run_from(lines: asyncio.StreamReader) -> None:
    if plan := await lines.readline():
        await run(Plan.read(plan), lines)


class _Leash(asyncio.StreamReaderProtocol):
    """Standard input, whose end is ours."""

    def __init__(self, lines: asyncio.StreamReader, ended: asyncio.Event) -> None:
        super().__init__(lines)
        self._ended = ended

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._ended.set()

    def eof_received(self) -> bool:
        self._ended.set()
        return bool(super().eof_received())


if __name__ == "__main__":
    allow_open_files()
    uvloop.run(main())
