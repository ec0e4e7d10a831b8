"""One whole drop against a running stack: the crowd, the watching, the settling, the gathering of evidence.

It judges nothing and starts nothing; it reaches the stack over HTTP and by the audit command, and hands back
what everybody saw.
"""

from __future__ import annotations

import asyncio
import gc
import random
import subprocess
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from yarl import URL

from loadtest.buyer import Buyer, Drop
from loadtest.cdn import LineCache
from loadtest.journal import Journal, percentile_ms
from loadtest.population import people
from loadtest.protocol import Phone, Refusal, Sale, Shop, sale_from
from loadtest.screen import Screen, View
from loadtest.stack import Stack, StackError
from loadtest.verdict import Booked, Facts, Ledgered, Stock
from loadtest.watch import Watch
from loadtest.wire import Outage, Wire

SALE = "concert"
DROP_MAX_S = 70.0
"""After the opening the buyers have this long, twice what they need; whoever still asks then was not served."""
CHAOS_S = 30.0
"""After the opening no process is killed any more, so that what was hurt can heal within the run."""
SETTLE_MAX_S = 25.0
SALE_MAX_S = 10.0
DRAW_S = 0.25
READERS = 48
AUDIT_TIMEOUT_S = 60.0

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


@dataclass(slots=True)
class Evidence:
    """Everything a run left behind, for the verdict and for the report."""

    sale: Sale
    journal: Journal
    booked: list[Booked] = field(default_factory=list)
    ledger: list[Ledgered] = field(default_factory=list)
    stock: dict[str, Stock] = field(default_factory=dict)
    orders_by_state: dict[str, int] = field(default_factory=dict)
    audit: Any = None
    audit_findings: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    rush_s: float = 0.0
    rush_cpu_s: float = 0.0
    """Wall and CPU seconds of this process from the first buyer to the last."""
    line_reads: int = 0

    def facts(self, *, left_running: Sequence[str]) -> Facts:
        return Facts(
            per_buyer_max=self.sale.per_buyer_max,
            told=list(self.journal.told.values()),
            booked=self.booked,
            ledger=self.ledger,
            stock=self.stock,
            orders_by_state=self.orders_by_state,
            wanted=self.journal.wanted,
            complaints=self.journal.complaints,
            audit_findings=self.audit_findings,
            unsettled=self.unsettled,
            left_running=left_running,
        )


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
        audit_command: Callable[[str], Sequence[str]],
    ) -> None:
        self._stack = stack
        self._plan = plan
        self._screen = screen
        self._audit_command = audit_command
        self._dice = random.Random(plan.seed)
        self._journal = Journal(buyer_count=plan.buyer_count)
        self._chapter = "lobby"
        self._helpers: list[asyncio.Task[None]] = []

    async def go(self) -> Evidence:
        self._clock = asyncio.get_running_loop().time
        self._started = self._clock()
        async with Wire(dice=self._dice, observer=self._journal.observe) as wire:
            self._wire = wire
            buyers = await self._assemble()
            # What the crowd consists of stays; searching it for garbage would only steal time from the run.
            gc.freeze()
            try:
                for helper in (self._cache.run(), self._watch.run(), self._draw(), self._follow_the_clock()):
                    self._help(helper)
                self._help(self._guard())
                if self._plan.chaos_every_s is not None:
                    self._help(self._hurt(every_s=self._plan.chaos_every_s))
                await self._rush(buyers)
                await self._settle()
                await self._gather()
            finally:
                for task in (*buyers, *self._helpers):
                    task.cancel()
                await asyncio.gather(*buyers, *self._helpers, return_exceptions=True)
        return self._evidence

    async def _assemble(self) -> list[asyncio.Task[None]]:
        """Read the sale and send for the buyers; each sleeps until its arrival."""
        addresses = self._stack.addresses()
        shop = Shop.at(public_url=addresses.public_url, wechat_url=addresses.simulator_url, sale=SALE)
        sale = await self._read_sale(shop)
        self._evidence = Evidence(sale=sale, journal=self._journal)
        await self._set_faults(FAULTS)
        self._watch = Watch(self._wire, self._stack, sale=SALE)
        until = self._clock() + SALE_MAX_S
        while not await self._watch.sample():
            if self._clock() > until:
                raise StackError("no admin listener shows the sale's stock")
            await asyncio.sleep(0.1)
        if self._watch.orders_by_state:
            raise StackError("the sale has orders of an earlier run: the demo needs a fresh database")
        self._cache = LineCache(self._wire, shop.line)
        document = await self._cache.first()
        self._opens_at = self._clock() + max(0.0, (sale.opens_ms - document.now_ms) / 1000)
        drop = Drop(
            sale=sale,
            cache=self._cache,
            journal=self._journal,
            opens_at=self._opens_at,
            clock=self._clock,
            wall_ms=lambda: time.time_ns() // 1_000_000,
        )
        crowd = people(
            count=self._plan.buyer_count,
            seed=self._plan.seed,
            lobby_s=max(0.0, self._opens_at - self._clock() - 0.3),
            hold_s=sale.hold_s,
            popularity={row.sku: FIRST_WISHES.get(row.sku, 1.0) for row in sale.skus},
        )
        return [
            asyncio.create_task(Buyer(one, Phone(self._wire, shop, openid=one.openid), drop).act()) for one in crowd
        ]

    async def _read_sale(self, shop: Shop) -> Sale:
        """The workers learn of a new sale within a moment of its being applied."""
        until = self._clock() + SALE_MAX_S
        while True:
            reply = await self._wire.ask("sale", "GET", shop.sale)
            if reply.status == 200:
                return sale_from(reply.body)
            if self._clock() > until:
                raise StackError(f"the sale is not there: {reply.status} {reply.outcome}")
            await asyncio.sleep(0.1)

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

    async def _settle(self) -> None:
        """Let holds lapse, closings finish and refunds arrive; what does not is named in the evidence."""
        self._chapter = "settling"
        until = self._clock() + SETTLE_MAX_S
        while True:
            self._stack.check()
            fresh = await self._watch.sample()
            moving = self._watch.in_motion() if fresh else ["the sale, which no admin listener would show"]
            if not moving or self._clock() > until:
                break
            await asyncio.sleep(0.3)
        self._evidence.unsettled = moving
        self._evidence.stock = self._watch.stock
        self._evidence.orders_by_state = self._watch.orders_by_state

    async def _gather(self) -> None:
        """Read every buyer's orders, WeChat's ledger, and the engine's own audit."""
        self._chapter = "audit"
        free = asyncio.Semaphore(READERS)

        async def read(phone: Phone) -> None:
            async with free:
                try:
                    orders = await phone.orders()
                except Outage:
                    orders = Refusal(503, "UNAVAILABLE", None)
            if isinstance(orders, Refusal):
                self._journal.complain(f"one's own orders could not be listed: {orders.code}")
                return
            self._evidence.booked.extend(
                Booked(phone.openid, order.order_no, order.state, order.amount_fen, order.units) for order in orders
            )

        await asyncio.gather(*(read(phone) for phone in self._journal.phones.values()))
        simulator = URL(self._stack.addresses().simulator_url)
        reply = await self._wire.ask("ledger", "GET", simulator / "_admin/ledger")
        self._evidence.ledger = [
            Ledgered(
                row["out_trade_no"],
                row["total_fen"],
                row["trade_state"],
                row.get("transaction_id") or None,
                row["refunded_fen"],
            )
            for row in reply.body["orders"]
        ]
        command = self._audit_command(self._stack.addresses().config)
        self._evidence.audit, self._evidence.audit_findings = await asyncio.to_thread(audit, command)

    # Beside the buyers.

    def _help(self, work: Coroutine[Any, Any, None]) -> None:
        self._helpers.append(asyncio.create_task(work))

    async def _draw(self) -> None:
        while True:
            now = self._clock()
            self._journal.second = int(now - self._started)
            self._screen.show(self._view(now))
            await asyncio.sleep(DRAW_S)

    async def _follow_the_clock(self) -> None:
        await asyncio.sleep(self._opens_at - self._clock())
        self._chapter = "drop"
        await asyncio.sleep(self._evidence.sale.hold_s - 1)
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
            orders_per_s=journal.orders_at[journal.second - 1],
            refusals_per_s=journal.refusals_at[journal.second - 1],
            order_count=len(journal.order_s),
            refusals=journal.refusals_by_code(),
            outage_count=journal.outage_count(),
            order_p50_ms=percentile_ms(journal.order_s, 0.5),
            order_p99_ms=percentile_ms(journal.order_s, 0.99),
            notes=[f"killed {name}" for name in self._evidence.killed],
        )


async def _wait(tasks: Sequence[asyncio.Task[None]], *, timeout_s: float) -> None:
    await asyncio.wait(tasks, timeout=timeout_s)


def audit(command: Sequence[str]) -> tuple[Any, list[str]]:
    """Run the engine's own audit; returns its document and what it found wrong."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=AUDIT_TIMEOUT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return None, [f"no answer within {AUDIT_TIMEOUT_S:g} s"]
    try:
        document = orjson.loads(done.stdout)
    except orjson.JSONDecodeError:
        document = None
    if done.returncode == 0 and document is not None:
        return document, []
    said = done.stderr.decode(errors="replace").strip() or done.stdout.decode(errors="replace").strip()
    return document, [f"exit status {done.returncode}: {said[-500:]}"]
