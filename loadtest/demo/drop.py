"""One whole drop against a running stack: the lobby, the draw, the rush, and what is told about it meanwhile.

It judges nothing and starts nothing; it reaches the stack over HTTP and by its commands, and hands back what
everybody saw.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from yarl import URL

from loadtest.books.draw import BEFORE, keep
from loadtest.books.reckoning import Evidence, Reckoning, Tools
from loadtest.books.stack import Stack, StackError
from loadtest.books.watch import Watch
from loadtest.crowd.acting import act
from loadtest.crowd.cdn import REFRESH_S
from loadtest.crowd.journal import Journal, percentile_ms
from loadtest.crowd.line import LineDocument
from loadtest.crowd.protocol import Shop
from loadtest.crowd.scene import set_scene
from loadtest.demo.crowd import people
from loadtest.demo.screen import LineView, Screen, View
from loadtest.wires.loop import LoopWire
from loadtest.wires.port import Outage

SALE = "concert"
DROP_MAX_S = 70.0
"""After the opening the buyers have this long, twice what they need; whoever still asks then was not served."""
CHAOS_S = 30.0
"""After the opening no process is killed any more, so that what was hurt can heal within the run."""
STOCK_MAX_S = 10.0
SHOW_S = 0.25
POLL_S = 0.05
LAST_MOMENT_S = 0.3
"""Nobody sets out for the lobby later than this before the opening."""
LATE_GRACE_S = 1.0
"""Beyond the longest wait between two looks at the document and its age: who asks later was not looking."""

FIRST_WISHES = {"sat-floor": 4.0, "sat-stand": 2.0, "sun-floor": 3.0, "sun-stand": 1.5}
"""Saturday and the floor are what most people came for; an unknown SKU weighs 1."""

FAULTS: Mapping[str, Any] = {
    "callback_delay_ms": [50, 900],
    "callback_duplicate": 0.05,
    "callback_signtest": 0.01,
    "callback_loss": 0.01,
    "callback_retry_scale": 0.05,
    "refund_delay_ms": [200, 800],
}
"""WeChat on an ordinary bad day, its hours of redelivery scaled to a minute. A lost notice never comes: the
engine has to ask. Losing stops when the holds begin to lapse: of money that arrives unannounced for an order
that is already closed nobody could learn, except from the next day's bill."""
FAULTS_LATER: Mapping[str, Any] = {**FAULTS, "callback_loss": 0.0}


@dataclass(frozen=True, slots=True)
class Plan:
    """What the person at the terminal asked for."""

    buyer_count: int
    seed: int
    chaos_every_s: float | None


class DropRun:
    """One run; `go` does all of it and returns the evidence. Raises StackError when the stack goes away."""

    def __init__(
        self,
        stack: Stack,
        plan: Plan,
        *,
        screen: Screen,
        tools: Tools,
    ) -> None:
        self._stack = stack
        self._plan = plan
        self._screen = screen
        self._tools = tools
        self._dice = random.Random(plan.seed)
        self._journal = Journal(buyer_count=plan.buyer_count)
        self._chapter = "lobby"
        self._helpers: list[asyncio.Task[None]] = []

    async def go(self) -> Evidence:
        async with LoopWire(dice=self._dice, observer=self._journal.observe) as wire:
            self._wire, self._clock = wire, wire.now
            self._started = self._clock()
            buyers = await self._assemble()
            # What the crowd consists of stays; searching it for garbage would only steal time from the run.
            gc.freeze()
            try:
                for helper in (self._cache.run(), self._watch.run(), self._show(), self._follow_the_clock()):
                    self._help(helper)
                self._help(self._guard())
                if self._plan.chaos_every_s is not None:
                    self._help(self._hurt(every_s=self._plan.chaos_every_s))
                await self._rush(buyers)
                self._chapter = "settling"
                reckoning = Reckoning(self._wire, self._stack, self._watch, self._evidence, self._tools)
                await reckoning.settle()
                self._chapter = "audit"
                await reckoning.gather()
            finally:
                for task in (*buyers, *self._helpers):
                    task.cancel()
                await asyncio.gather(*buyers, *self._helpers, return_exceptions=True)
        return self._evidence

    async def _assemble(self) -> list[asyncio.Task[None]]:
        """Read the sale and send for the buyers; each sleeps until its arrival."""
        addresses = self._stack.addresses()
        shop = Shop.at(public_url=addresses.public_url, wechat_url=addresses.simulator_url, sale=SALE)
        await self._set_faults(FAULTS)
        try:
            drop = await set_scene(self._wire, shop, self._journal, cdn=True)
        except Outage as outage:
            raise StackError(str(outage)) from outage
        self._evidence = Evidence(sale=drop.sale, journal=self._journal)
        self._cache, self._opens_at = drop.cache, drop.opens_at
        self._watch = Watch(self._wire, self._stack, sale=SALE)
        until = self._clock() + STOCK_MAX_S
        while not await self._watch.sample():
            if self._clock() > until:
                raise StackError("no admin listener shows the sale's stock")
            await asyncio.sleep(0.1)
        if self._watch.orders_by_state:
            raise StackError("the sale has orders of an earlier run: the demo needs a fresh database")
        document = self._cache.newest()
        self._draws_at = self._opens_at + (document.draws_ms - drop.sale.opens_ms) / 1000
        self._evidence.look_s = document.poll.look_s + REFRESH_S + LATE_GRACE_S
        await self._keep_rules(shop)
        crowd = people(
            count=self._plan.buyer_count,
            seed=self._plan.seed,
            lobby_s=max(0.0, self._opens_at - self._clock() - LAST_MOMENT_S),
            hold_s=drop.sale.hold_s,
            popularity={row.sku: FIRST_WISHES.get(row.sku, 1.0) for row in drop.sale.skus},
        )
        return [asyncio.create_task(act(one, wire=self._wire, shop=shop, drop=drop)) for one in crowd]

    async def _keep_rules(self, shop: Shop) -> None:
        """What the draw says before it is made."""
        reply = await self._wire.ask("draw", "GET", shop.draw)
        if reply.status == 200:
            keep(self._tools.draw_folder, BEFORE, reply.body)
        else:
            self._evidence.draw.findings.append(f"the rules were not to be had before the draw: {reply.outcome}")

    async def _rush(self, buyers: Sequence[asyncio.Task[None]]) -> None:
        """Wait for every buyer's end, or for the run's; whoever still asks then is cancelled.

        A helper that fails (the stack went away) ends the run at once.
        """
        began, cpu_began = self._clock(), time.process_time()
        left_s = self._opens_at + DROP_MAX_S - began
        crowd = asyncio.create_task(_wait(buyers, timeout_s=left_s))
        while not crowd.done():
            helpers = [helper for helper in self._helpers if not helper.done()]
            await asyncio.wait([crowd, *helpers], return_when=asyncio.FIRST_COMPLETED)
            for helper in helpers:
                if helper.done():
                    helper.result()
        for buyer in buyers:
            buyer.cancel()
        for ending in await asyncio.gather(*buyers, return_exceptions=True):
            if isinstance(ending, Exception):
                self._journal.complain(f"an answer that made no sense: {ending!r}")
        self._evidence.rush_s = self._clock() - began
        self._evidence.rush_cpu_s = time.process_time() - cpu_began
        self._evidence.line_reads = self._cache.read_count
        self._evidence.called_in_a_look = self._cache.calls.most_within(self._evidence.look_s)

    # Beside the buyers.

    def _help(self, work: Coroutine[Any, Any, None]) -> None:
        self._helpers.append(asyncio.create_task(work))

    async def _show(self) -> None:
        while True:
            now = self._clock()
            self._journal.second = int(now - self._started)
            self._screen.show(self._view(now))
            await asyncio.sleep(SHOW_S)

    async def _follow_the_clock(self) -> None:
        await asyncio.sleep(max(0.0, self._draws_at - self._clock()))
        self._chapter = "draw"
        while not self._cache.newest().is_drawn:  # noqa: ASYNC110 - a document, not an event
            await asyncio.sleep(POLL_S)
        after_s = self._evidence.draw.drawn_after_s = round(self._clock() - self._draws_at, 2)
        lobby = sum(lane.lobby for lane in self._cache.newest().lanes.values())
        self._screen.say(f"The lobby closed with {lobby:,} people; the draw was public {after_s:.1f} s later.")
        await asyncio.sleep(self._opens_at - self._clock())
        self._chapter = "drop"
        await asyncio.sleep(self._opens_at + self._evidence.sale.hold_s - 1 - self._clock())
        await self._set_faults(FAULTS_LATER)

    async def _hurt(self, *, every_s: float) -> None:
        """SIGKILL one process at a time."""
        while self._clock() + every_s < self._opens_at + CHAOS_S:
            await asyncio.sleep(every_s)
            name = self._stack.kill_one(self._dice)
            if name is not None:
                self._evidence.killed.append(f"{name} at {self._clock() - self._opens_at:+.1f} s")

    async def _guard(self) -> None:
        while True:
            self._stack.check()
            await asyncio.sleep(0.5)

    async def _set_faults(self, faults: Mapping[str, Any]) -> None:
        simulator = URL(self._stack.addresses().simulator_url)
        body = orjson.dumps({**faults, "seed": self._plan.seed})
        reply = await self._wire.ask("faults", "PUT", simulator / "_admin/faults", body=body)
        if reply.status != 200:
            self._journal.complain(f"the simulator refused its faults: {reply.body}")

    def _view(self, now: float) -> View:
        journal, watch, sale = self._journal, self._watch, self._evidence.sale
        return View(
            title=f"{sale.event} · {sale.title}",
            chapter=self._chapter,
            clock_s=now - self._opens_at,
            elapsed_s=now - self._started,
            tiers={row.sku: f"{row.session} {row.title}  ¥{row.price_fen / 100:,.0f}" for row in sale.skus},
            stock=watch.stock,
            stages=journal.stages,
            line=_line_view(self._cache.seen(), drawn_after_s=self._evidence.draw.drawn_after_s),
            orders_per_s=journal.orders_at[journal.second - 1],
            refusals_per_s=journal.refusals_at[journal.second - 1],
            order_count=len(journal.told),
            refusals=journal.refusals_by_code(),
            outage_count=journal.outage_count(),
            order_p50_ms=percentile_ms(journal.order_s, 0.5),
            order_p99_ms=percentile_ms(journal.order_s, 0.99),
            notes=[f"killed {name}" for name in self._evidence.killed],
        )


def _line_view(document: LineDocument, *, drawn_after_s: float | None) -> LineView:
    lanes = document.lanes.values()
    return LineView(
        lobby=sum(lane.lobby for lane in lanes),
        waiting=sum(lane.waiting for lane in lanes),
        called=sum(lane.head for lane in lanes),
        rate_per_s=sum(lane.rate_per_s for lane in lanes),
        band=document.band,
        drawn_after_s=drawn_after_s,
    )


async def _wait(tasks: Sequence[asyncio.Task[None]], *, timeout_s: float) -> None:
    await asyncio.wait(tasks, timeout=timeout_s)
