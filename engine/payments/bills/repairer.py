"""Money that WeChat bills and our ledger lacks: asked about at WeChat, and settled like any other report.

A bill is no proof to move an order by, and is hours old; the answer to a query is. So a repair cannot do more than a
notification that came late. Money for an order that nobody here knows is left alone unless `strays` is set, because
another installation may share the merchant account.
"""

import asyncio
from dataclasses import replace

import structlog

from engine.infra.outage import Outage
from engine.payments.bills.outcome import DayResult
from engine.payments.bills.records import Difference, Kind, Subject
from engine.payments.port import PaymentProvider
from engine.payments.settling import QUERY, Settled, Settler

log = structlog.get_logger(__name__)

QUESTION_COUNT_MAX = 8  # at a time; a drop may be on
DONE = frozenset({Settled.PAID, Settled.REPEATED, Settled.RETAKEN, Settled.REFUNDING})


class Repairer:
    """`settler` must refund strays exactly when `strays` is set."""

    def __init__(self, provider: PaymentProvider, settler: Settler, *, strays: bool) -> None:
        self._provider = provider
        self._settler = settler
        self._strays = strays
        self._turns = asyncio.Semaphore(QUESTION_COUNT_MAX)

    async def repair(self, result: DayResult) -> None:
        """Each difference that can be repaired is replaced by one that says what became of it."""
        result.differences = list(await asyncio.gather(*(self._repaired(each) for each in result.differences)))

    async def _repaired(self, difference: Difference) -> Difference:
        if difference.kind is not Kind.MISSING_HERE or difference.subject is not Subject.PAYMENT:
            return difference
        if not difference.order_known and not self._strays:
            return difference
        async with self._turns:
            try:
                return await self._settled(difference)
            except Outage as outage:
                log.warning("repair_waits", order=difference.order_no, reason=str(outage))
                return replace(difference, outcome=f"not asked: {outage}")

    async def _settled(self, difference: Difference) -> Difference:
        report = await self._provider.query(difference.order_no, difference.mchid)
        if report.paid is None:
            return replace(difference, outcome=f"WeChat answers {report.state}")
        if report.paid.transaction_id != difference.transaction_id:
            return replace(difference, outcome="WeChat answers another transaction")
        outcome = await self._settler.settle(report.paid, QUERY)
        return replace(difference, outcome=outcome.value, repaired=outcome in DONE)
