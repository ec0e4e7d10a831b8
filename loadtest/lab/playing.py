"""One profile played once on a ground that stands: the sale applied, the crowd sent, all of it watched, the books read.

It starts and stops no stack and judges nothing: what everybody saw comes back as it is. Searches play several times on
one ground, each with a sale of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtest.books.draw import BEFORE, keep
from loadtest.books.reckoning import Evidence, Reckoning, Tools
from loadtest.books.stack import Ground, Stack, StackError
from loadtest.books.watch import Watch
from loadtest.crowd.cdn import REFRESH_S, LineCache
from loadtest.crowd.journal import Journal
from loadtest.crowd.protocol import Shop
from loadtest.crowd.scene import read_sale
from loadtest.crowd.testimony import absorb
from loadtest.lab.company import accompanied
from loadtest.lab.generators import Generator
from loadtest.lab.live import Live
from loadtest.lab.selling import put_up, tools_of
from loadtest.lab.talk import Scene
from loadtest.lab.watching import Meter, Observation, Sample
from loadtest.lab.wechat import Wechat, loss_ends, spent_s
from loadtest.profiles.profile import Profile
from loadtest.recording.record import Record
from loadtest.wires.loop import LoopWire
from loadtest.wires.port import Outage

LEARN_S = 2.0
"""From applying a sale to the moment every worker sells it, and the scene is set."""
OPEN_ALREADY_S = 1.0
"""A sale that is open already: the run's own opening is so far away."""
LATE_GRACE_S = 1.0
"""Beyond the longest wait between two looks at the document and its age: who asks later was not looking."""
TRAVEL_SIGMAS = 2.0
"""A mobile network adds its slow trips to that: twice the 95th percentile."""
HURT_S = 30.0
"""After the opening no process is killed any more, so that what was hurt can heal within the run."""
GUARD_S = 0.5
EVERYWHERE_MAX_S = 15.0


@dataclass(frozen=True, slots=True)
class Played:
    """What a run left behind."""

    profile: Profile
    evidence: Evidence
    record: Record
    live: Live
    samples: list[Sample]
    cpu_s: Mapping[str, float]
    """Group to seconds of CPU from the start of the crowd to its end."""
    signing_s: float | None
    """CPU that the simulator spent meanwhile on making and checking signatures."""
    opens_at_s: float
    """Of the wall clock."""
    ended_at_s: float
    notes: list[str]
    has_draw: bool


@dataclass(slots=True)
class Chapter:
    """Where the run is, for whoever shows it."""

    name: str = "start"
    opens_at_s: float | None = None
    live: Live | None = None
    observation: Observation | None = None
    notes: list[str] = field(default_factory=list)


class Playing:
    """Raises StackError when the stack goes away, GeneratorDied, Outage when WeChat's simulator does."""

    def __init__(
        self,
        profile: Profile,
        ground: Ground,
        generator: Generator,
        *,
        sale: str,
        folder: Path,
        applies: bool = True,
        chapter: Chapter | None = None,
        stop_when: Callable[[Live, float], str | None] | None = None,
    ) -> None:
        """`applies`: whether the sale is made here, or waits already. `stop_when` is asked every second with what is
        known and the seconds since the opening; what it answers ends the run and becomes a note."""
        self._profile = profile
        self._ground = ground
        self._generator = generator
        self._sale = sale
        self._folder = folder
        self._applies = applies
        self._stop_when = stop_when
        self.chapter = chapter or Chapter()
        self.chapter.live = generator.live
        self._dice = random.Random(profile.seed)
        self._killed: list[str] = []

    async def go(self) -> Played:
        profile = self._profile
        async with LoopWire(dice=self._dice, observer=lambda *_: None) as wire:
            self._wire = wire
            self.chapter.name = "casting"
            await self._generator.start()
            self._wechat = Wechat(wire, self._ground)
            knobs_before, known = await self._wechat.knobs(), await self._wechat.known_orders()
            try:
                await self._wechat.turn({"seed": profile.seed, **profile.wechat})
                return await self._go(profile, known)
            finally:
                with contextlib.suppress(Outage):
                    await self._wechat.turn(knobs_before)

    async def _go(self, profile: Profile, known: frozenset[str]) -> Played:
        wire, journal = self._wire, Journal(buyer_count=0)
        addresses = self._ground.addresses()
        if self._applies:
            await self._apply()
        shop = Shop.at(public_url=addresses.public_url, wechat_url=addresses.simulator_url, sale=self._sale)
        sale = await read_sale(wire, shop)
        evidence = Evidence(sale=sale, journal=journal)
        watch = Watch(wire, self._ground, sale=self._sale)
        await self._fresh(watch)
        cache = LineCache(wire, shop.line)
        document = await cache.first()
        if document.is_over:
            raise StackError(f"the sale {self._sale} is over: a load test needs a new one")
        opens_in_s = max((sale.opens_ms - document.now_ms) / 1000, OPEN_ALREADY_S)
        has_draw = document.draws_ms > document.now_ms and profile.lobby_s > 0
        self._opens_at_s = self.chapter.opens_at_s = time.time() + opens_in_s
        evidence.look_s = self._look_s(document.poll.look_s)
        tools = tools_of(self._sale, self._folder)
        if has_draw:
            await self._keep_rules(shop, evidence, tools)
        observation = Observation(
            watch=watch,
            meter=Meter(self._everybody),
            webs=lambda: {name: pid for name, pid in self._ground.addresses().pids.items() if name.startswith("web")},
            redis_url=addresses.redis_url,
        )
        self.chapter.observation = observation
        scene = Scene(
            public_url=addresses.public_url,
            wechat_url=addresses.simulator_url,
            sale=self._sale,
            opens_at_s=self._opens_at_s,
            warm_until_s=self._opens_at_s - profile.lobby_s - LEARN_S / 2,
        )
        self.chapter.name = "lobby" if profile.lobby_s else "warm-up"
        signed_s = await self._wechat.signing_s()
        await accompanied(
            self._generator.play(scene),
            [
                cache.run(),
                observation.run(),
                self._guard(),
                self._follow_the_clock(),
                *self._harm(),
                *self._end_early(),
            ],
        )
        ended_at_s = time.time()
        signing_s = await self._wechat.signing_s()
        record, testimonies, evidence.line_reads = self._generator.heard()
        for testimony in testimonies:
            absorb(journal, testimony, wire=wire, shop=shop)
        await self._generator.stop()
        evidence.called_in_a_look = cache.calls.most_within(evidence.look_s)
        evidence.killed = self._killed
        self.chapter.name = "settling"
        reckoning = Reckoning(wire, self._ground, watch, evidence, tools)
        await accompanied(reckoning.settle(max_s=profile.run.settle_s), [self._guard()])
        self.chapter.name = "audit"
        await reckoning.gather(has_draw=has_draw and journal.witness is not None, before=known)
        if not addresses.admin_urls:
            # Nobody here can ask the engine what it counts; what that leaves unproven is said with the verdict.
            evidence.unsettled = []
            evidence.orders_by_state = dict(Counter(order.state for order in evidence.booked))
        return Played(
            profile=profile,
            evidence=evidence,
            record=record,
            live=self._generator.live,
            samples=observation.samples,
            cpu_s=dict(observation.meter.cpu_s),
            signing_s=spent_s(signed_s, signing_s),
            opens_at_s=self._opens_at_s,
            ended_at_s=ended_at_s,
            notes=list(self.chapter.notes),
            has_draw=has_draw,
        )

    def _everybody(self) -> dict[str, int]:
        return {**self._ground.addresses().pids, **self._generator.pids}

    # Before the crowd.

    async def _apply(self) -> None:
        """Put the sale up, so that it opens when everybody is ready."""
        self.chapter.name = "sale"
        opens_in_s = self._profile.lobby_s + max(self._profile.run.warm_up_s, self._generator.lead_s) + LEARN_S
        config = self._ground.addresses().config
        await put_up(self._profile, sale=self._sale, opens_in_s=opens_in_s, config=config, folder=self._folder)

    async def _fresh(self, watch: Watch) -> None:
        """Every worker sells it, and nobody has bought. Without an admin listener nobody can know."""
        if not self._ground.addresses().admin_urls:
            return
        try:
            async with asyncio.timeout(EVERYWHERE_MAX_S):
                await watch.everywhere()
        except TimeoutError:
            raise StackError(f"not every admin listener shows the stock of the sale {self._sale}") from None
        await watch.sample()
        if watch.orders_by_state:
            raise StackError(f"the sale {self._sale} has orders already: a load test needs a new one")

    async def _keep_rules(self, shop: Shop, evidence: Evidence, tools: Tools) -> None:
        """What the draw says before it is made."""
        reply = await self._wire.ask("draw", "GET", shop.draw)
        if reply.status == 200:
            keep(tools.draw_folder, BEFORE, reply.body)
        else:
            evidence.draw.findings.append(f"the rules were not to be had before the draw: {reply.outcome}")

    def _look_s(self, policy_s: float) -> float:
        """The longest that somebody who looks as this crowd does takes to come when called."""
        people, network = self._profile.people, self._profile.network
        look_s = max(policy_s, people.look_every_s[1] if people.looks == "impatient" else 0.0)
        travel_s = 0.0 if network is None else TRAVEL_SIGMAS * network.p95_ms / 1000
        return look_s + REFRESH_S + LATE_GRACE_S + travel_s

    # Beside the crowd.

    async def _guard(self) -> None:
        while True:
            self._ground.check()
            await asyncio.sleep(GUARD_S)

    async def _follow_the_clock(self) -> None:
        await asyncio.sleep(max(0.0, self._opens_at_s - time.time()))
        self.chapter.name = "drop"
        if loss_ends(self._profile):
            await asyncio.sleep(max(0.0, self._opens_at_s + self._profile.hold_s - 1 - time.time()))
            await self._wechat.turn({"callback_loss": 0.0})

    def _harm(self) -> list[Coroutine[Any, Any, None]]:
        every_s = self._profile.engine.kill_every_s
        if every_s is None:
            return []
        if not isinstance(self._ground, Stack):
            self.chapter.notes.append("No process was killed: that is done only to a stack that the lab started.")
            return []
        return [self._hurt(self._ground, every_s=every_s)]

    async def _hurt(self, stack: Stack, *, every_s: float) -> None:
        """SIGKILL one process at a time."""
        while time.time() + every_s < self._opens_at_s + HURT_S:
            await asyncio.sleep(every_s)
            name = stack.kill_one(self._dice)
            if name is not None:
                self._killed.append(f"{name} at {time.time() - self._opens_at_s:+.1f} s")
                self.chapter.notes.append(f"killed {self._killed[-1]}")

    def _end_early(self) -> list[Coroutine[Any, Any, None]]:
        return [] if self._stop_when is None else [self._ask_to_stop(self._stop_when)]

    async def _ask_to_stop(self, stop_when: Callable[[Live, float], str | None]) -> None:
        while True:
            await asyncio.sleep(1.0)
            why = stop_when(self._generator.live, time.time() - self._opens_at_s)
            if why is not None:
                self.chapter.notes.append(why)
                self._generator.send_home()
                return
