"""The auditor compares what should be equal, all the time and on demand, and repairs by ordinary moves.

It looks at three agreements: the ledger with itself (counters, money, limits), Redis with its own law
(free + held + sold = capacity), and Redis with the ledger. While a sale is running the third one is always a few
requests apart; only a difference that stays the same for several turns is real, and is repaired by a rebuild.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import structlog

from engine import telemetry
from engine.catalog.board import Board, LiveSale
from engine.infra.jobs import for_each
from engine.orders.book import OrderBook
from engine.orders.rebuilder import Rebuilder
from engine.orders.telling import tell_decided
from engine.stock.stock import LaneUnits, Stock

log = structlog.get_logger(__name__)

RECENT_S = 20.0  # several turns: what was decided within it is told to Redis again
LEDGER_EVERY_S = 60.0  # these checks read every order there is
DRIFT_TURNS = 3  # a difference must be the same for this many turns to count as drift
QUIET_TRIES = 12
QUIET_WAIT_S = 0.5

LEDGER_CHECKS = {
    "allocated": "units allocated differ from the orders that have them",
    "money": "an order's state and its money disagree",
    "refunds": "more of a payment goes back than came in",
    "returned": "an order's units and its refunds disagree",
    "strays": "a payment belongs to no order and does not go back",
    "limits": "a buyer has more units than the sale allows",
}


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What was found. Passed means: nothing."""

    findings: tuple[dict[str, Any], ...]
    totals: dict[str, int]

    @property
    def passed(self) -> bool:
        return not self.findings

    def as_json(self) -> dict[str, Any]:
        return {"verdict": "pass" if self.passed else "fail", "findings": list(self.findings), **self.totals}

    def lines(self) -> list[str]:
        """For people."""
        told = [f"{finding['kind']}: {finding['reason']} {finding['facts']}" for finding in self.findings]
        numbers = ", ".join(f"{name} {count:,}" for name, count in self.totals.items())
        return [*told, numbers, "audit passed" if self.passed else f"audit FAILED: {len(told)} findings"]


Drift = tuple[tuple[str, int, int], ...]


@dataclass(slots=True)
class _Seen:
    drift: Drift = ()
    turns: int = 0


@dataclass(slots=True)
class Auditor:
    """Runs as a job, and once for `floodgate audit`."""

    board: Board
    stock: Stock
    book: OrderBook
    rebuilder: Rebuilder
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _ledger_at_s: float = float("-inf")

    async def run_once(self) -> bool:
        """Check Redis every turn and the ledger with itself every minute; rebuild a sale whose drift stays.

        Raises Outage.
        """
        if time.monotonic() - self._ledger_at_s > LEDGER_EVERY_S:
            self._ledger_at_s = time.monotonic()
            for finding in await self._ledger():
                log.error("audit_finding", kind=finding["kind"], reason=finding["reason"], facts=str(finding["facts"]))
        watched = [live for live in self.board.sales.values() if not live.fenced]
        self._seen = {live.sale.sale_id: self._seen.get(live.sale.sale_id, _Seen()) for live in watched}
        try:
            await for_each(watched, self._watch)
        finally:
            lasting = sum(len(seen.drift) for seen in self._seen.values() if seen.turns)
            telemetry.AUDIT_DIFFERENCES.labels("stock").set(lasting)
        return False

    async def _watch(self, live: LiveSale) -> None:
        await tell_decided(live, self.stock, self.book, age_s=RECENT_S)
        drift = await self._drift(live)
        seen = self._seen[live.sale.sale_id]
        seen.turns = seen.turns + 1 if drift and drift == seen.drift else 0
        seen.drift = drift
        if seen.turns >= DRIFT_TURNS:
            log.error("stock_drift", sale=live.sale.sale_id, drift=str(drift))
            await self.rebuilder.restore(live, even_if_whole=True)
            telemetry.REPAIRS.labels("rebuild").inc()
            seen.turns = 0

    async def audit(self) -> AuditReport:
        """The whole audit. Redis is given a few seconds to come to rest; what still differs then is a finding."""
        findings = await self._ledger()
        for live in self.board.sales.values():
            drift: Drift = ()
            for _ in range(QUIET_TRIES):
                drift = await self._drift(live)
                if not drift:
                    break
                await asyncio.sleep(QUIET_WAIT_S)
            if drift:
                findings.append(
                    {
                        "kind": "stock",
                        "reason": "Redis and the ledger differ (what, Redis, ledger)",
                        "facts": {"sale": live.sale.sale_id, "drift": [list(row) for row in drift]},
                    }
                )
        (totals,) = await self.book.audit("totals")
        return AuditReport(tuple(findings), totals)

    async def _ledger(self) -> list[dict[str, Any]]:
        findings = []
        for block, reason in LEDGER_CHECKS.items():
            rows = await self.book.audit(block)
            telemetry.AUDIT_DIFFERENCES.labels(block).set(len(rows))
            findings += [{"kind": block, "reason": reason, "facts": row} for row in rows]
        return findings

    async def _drift(self, live: LiveSale) -> Drift:
        """Differences as (what, in Redis, in the ledger)."""
        seen = await self.stock.observe(live.keys, live.epoch)
        if seen is None:
            live.fence()
            return (("fenced", 0, live.epoch),)
        units = {row["sku_id"]: row for row in await self.book.audit("units", live.sale.sale_id)}
        drift: list[tuple[str, int, int]] = []
        for sku in live.sale.skus:
            shelf = seen.shelves.get(sku.sku_id)
            if shelf is None:
                drift.append((f"{sku.sku_id} missing", 0, sku.offered))
                continue
            total = shelf.free + shelf.held + shelf.sold
            ledger = units.get(sku.sku_id, {"held": 0, "sold": 0})
            for what, redis, book in (
                ("free + held + sold", total, shelf.capacity),
                ("capacity", shelf.capacity, sku.offered),
                ("held", shelf.held, ledger["held"]),
                ("sold", shelf.sold, ledger["sold"]),
            ):
                if redis != book:
                    drift.append((f"{sku.sku_id} {what}", redis, book))
        lanes = {row["lane"]: row["units"] for row in await self.book.audit("lanes", live.sale.sale_id)}
        for lane in sorted(lanes.keys() | seen.lanes.keys()):
            redis, book = seen.lanes.get(lane, LaneUnits()).used, lanes.get(lane, 0)
            if redis != book:
                drift.append((f"units of lane {lane}", redis, book))
        return tuple(drift)
