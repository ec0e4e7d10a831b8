"""What is read and asked when the crowd has gone, so that a verdict can be found: the stock at rest, every buyer's
orders, WeChat's ledger, the proof of the draw, the engine's own audit.

It judges nothing: what it finds goes into the evidence as it is.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from yarl import URL

from loadtest.books.draw import PROOF, DrawEvidence, keep, position_in, verify
from loadtest.books.stack import Ground
from loadtest.books.verdict import Booked, Facts, Ledgered, Stock
from loadtest.books.watch import Watch
from loadtest.crowd.answers import Refusal, Sale
from loadtest.crowd.fairness import Fairness, fairness_of
from loadtest.crowd.journal import Journal
from loadtest.crowd.protocol import Phone
from loadtest.wires.port import Outage, Wire

SETTLE_MAX_S = 25.0
READERS = 48
AUDIT_TIMEOUT_S = 60.0
NO_SETTINGS = "not made: the engine's settings are not known here, give --config"


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
    line_findings: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    rush_s: float = 0.0
    rush_cpu_s: float = 0.0
    """Wall and CPU seconds of this process from the first buyer to the last."""
    line_reads: int = 0
    line: Any = None
    """The engine's own numbers of the line."""
    draw: DrawEvidence = field(default_factory=DrawEvidence)
    look_s: float = 0.0
    """The longest that somebody who looks as asked takes to come when called."""
    called_in_a_look: int = 0
    """The most people that were called within this time."""

    def fairness(self) -> Fairness:
        return fairness_of(self.journal.claimings, late_after_s=self.look_s)

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
            draw_findings=self.draw.findings,
            line_findings=self.line_findings,
            shared_places=self.journal.shared_places(),
            overtaking=self.fairness().largest_overtaking,
            overtaking_max=self.called_in_a_look,
            unsettled=self.unsettled,
            left_running=left_running,
        )


@dataclass(frozen=True, slots=True)
class Tools:
    """The engine's own commands that the run ends with, and where what they check is kept."""

    audit: Callable[[str], Sequence[str]]
    """From the path of the settings."""
    line_audit: Callable[[str], Sequence[str]]
    """The same."""
    verify_draw: Sequence[str]
    """Without the source."""
    draw_folder: Path


class Reckoning:
    """Fills the evidence of one run. Raises StackError when the stack goes away, Outage when WeChat does."""

    def __init__(self, wire: Wire, ground: Ground, watch: Watch, evidence: Evidence, tools: Tools) -> None:
        self._wire = wire
        self._ground = ground
        self._watch = watch
        self._evidence = evidence
        self._tools = tools

    async def settle(self, *, max_s: float = SETTLE_MAX_S) -> None:
        """Let holds lapse, closings finish and refunds arrive; what does not is named in the evidence."""
        clock = asyncio.get_running_loop().time
        until = clock() + max_s
        while True:
            self._ground.check()
            fresh = await self._watch.sample()
            moving = self._watch.in_motion() if fresh else ["the sale, which no admin listener would show"]
            if not moving or clock() > until:
                break
            await asyncio.sleep(0.3)
        self._evidence.unsettled = moving
        self._evidence.stock = self._watch.stock
        self._evidence.orders_by_state = self._watch.orders_by_state
        self._evidence.line = await self._watch.line()

    async def gather(self, *, has_draw: bool = True, before: Collection[str] = ()) -> None:
        """Read every buyer's orders, WeChat's ledger, and the engine's own audit.

        `has_draw`: whether anybody was in the lobby. `before`: orders that WeChat knew before the run.
        """
        free = asyncio.Semaphore(READERS)

        async def read(phone: Phone) -> None:
            async with free:
                try:
                    orders = await phone.orders()
                except Outage:
                    orders = Refusal(503, "UNAVAILABLE", None)
            if isinstance(orders, Refusal):
                self._evidence.journal.complain(f"one's own orders could not be listed: {orders.code}")
                return
            self._evidence.booked.extend(
                Booked(phone.openid, order.order_no, order.state, order.amount_fen, order.units)
                for order in orders
                if order.sale == self._evidence.sale.sale
            )

        await asyncio.gather(*(read(phone) for phone in self._evidence.journal.phones.values()))
        simulator = URL(self._ground.addresses().simulator_url)
        reply = await self._wire.ask("ledger", "GET", simulator / "_admin/ledger")
        earlier = frozenset(before)
        self._evidence.ledger = [
            Ledgered(
                row["out_trade_no"],
                row["total_fen"],
                row["trade_state"],
                row.get("transaction_id") or None,
                row["refunded_fen"],
            )
            for row in reply.body["orders"]
            if row["out_trade_no"] not in earlier
        ]
        # They ask the engine and its stores, not each other.
        await asyncio.gather(*([self._prove_the_draw()] if has_draw else []), self._audit(), self._audit_the_line())

    async def _audit(self) -> None:
        config = self._ground.addresses().config
        if not config:
            self._evidence.audit_findings = [NO_SETTINGS]
            return
        found = await asyncio.to_thread(audit, self._tools.audit(config))
        self._evidence.audit, self._evidence.audit_findings = found

    async def _audit_the_line(self) -> None:
        config = self._ground.addresses().config
        if config:
            self._evidence.line_findings = await asyncio.to_thread(line_audit, self._tools.line_audit(config))

    async def _prove_the_draw(self) -> None:
        """One buyer's proof beside what that buyer was told, then the verifier on everything."""
        found, folder, seal = self._evidence.draw, self._tools.draw_folder, ""
        if self._evidence.journal.witness is None:
            found.findings.append("nobody of the lobby learned a position")
        else:
            phone, place = self._evidence.journal.witness
            seal = place.seal
            proof = await phone.proof(place)
            if isinstance(proof, Refusal):
                found.findings.append(f"a proof was refused with {proof.status} {proof.code}")
            else:
                keep(folder, PROOF, proof)
                if position_in(proof) != place.position:
                    found.findings.append(f"a buyer was told {place.position}, the proof says otherwise")
        address = f"{self._ground.addresses().public_url}/v1/sales/{self._evidence.sale.sale}"
        await asyncio.to_thread(verify, self._tools.verify_draw, folder, address, seal, found)


def audit(command: Sequence[str]) -> tuple[Any, list[str]]:
    """Run the engine's own audit; returns its document and what it found wrong."""
    status, said, complaint = _run(command)
    try:
        document = orjson.loads(said)
    except orjson.JSONDecodeError:
        document = None
    return document, [] if status == 0 and document is not None else [complaint]


def line_audit(command: Sequence[str]) -> list[str]:
    """Run the engine's own audit of its line, from the log of every tick and pass; returns what it found wrong."""
    status, _, complaint = _run(command)
    return [] if status == 0 else [complaint]


def _run(command: Sequence[str]) -> tuple[int | None, bytes, str]:
    """A command's exit status, what it printed, and both in words."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=AUDIT_TIMEOUT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return None, b"", f"no answer within {AUDIT_TIMEOUT_S:g} s"
    said = done.stderr.decode(errors="replace").strip() or done.stdout.decode(errors="replace").strip()
    return done.returncode, done.stdout, f"exit status {done.returncode}: {said[-500:]}"
