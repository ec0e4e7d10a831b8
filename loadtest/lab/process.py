"""One process of the open loop: `python -m loadtest.lab.process`, its plan on standard input.

It plays every n-th visitor of the crowd (`sending.py`), says how it is (`pulse.py`), and testifies at the end.

It ends when its standard input does, because then the process that judges is gone, and nobody wants its answer.
"""

from __future__ import annotations

import asyncio
import gc
import random
import signal
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop

from loadtest.books.stack import allow_open_files
from loadtest.crowd.buyer import Drop
from loadtest.crowd.protocol import Shop
from loadtest.crowd.scene import set_scene
from loadtest.crowd.testimony import pack
from loadtest.lab.pulse import Pulse, say
from loadtest.lab.sending import Crowd
from loadtest.lab.talk import Plan, Scene, said, testified
from loadtest.profiles.profile import Profile
from loadtest.recording.record import Record
from loadtest.wires.loop import LoopWire
from loadtest.wires.network import Network
from loadtest.wires.port import Outage

WARM_PAUSE_S = 0.02
PLAN_MAX = 1 << 24


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
    network = network_of(profile)
    async with (
        LoopWire(dice=dice, observer=journal.observe) as near,
        LoopWire(dice=dice, observer=journal.observe, network=network) as wire,
    ):
        # A CDN reads the document over cables. And nobody's arrival waits for a scene that is set over a bad network.
        drop = await set_scene(near, shop, journal, cdn=profile.cdn)
        drop = replace(drop, opens_at=wire.now() + scene.opens_at_s - time.time())
        home = asyncio.Event()
        pulse = Pulse(crowd)
        beside = [asyncio.create_task(work) for work in _beside(drop, pulse, lines, home)]
        try:
            await crowd.play(wire, shop, drop, home=home)
        finally:
            for one in beside:
                one.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
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
