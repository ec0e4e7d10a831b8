"""The inbox: notices that were acknowledged before they were decided, until they are.

A notice says something once; the question to WeChat says it again and can be repeated. So nothing here trusts the
notice: every turn asks WeChat about the numbers that wait and settles what it answers. What WeChat contradicts for a
day is closed as such, with an alarm, and stays on the books.
"""

import asyncio

import structlog

from engine import telemetry
from engine.infra.outage import Outage
from engine.payments.ledger import OpenNotice, PaymentLedger
from engine.payments.port import PaymentProvider, RefundState, TradeState
from engine.payments.refunds.refunder import Refunder
from engine.payments.refunds.reporting import Noted
from engine.payments.settling import QUERY, Settler

log = structlog.get_logger(__name__)

INBOX_WAITS_S = (2.0, 5.0, 15.0, 60.0, 300.0, 1800.0)
INBOX_COUNT_MAX = 32
CONTRADICTED_AFTER_S = 86_400.0  # WeChat itself repeats a notice for no longer than that
CONTRADICTED = "contradicted"


class Inbox:
    """One turn asks about every notice that is due."""

    def __init__(self, ledger: PaymentLedger, provider: PaymentProvider, settler: Settler, refunder: Refunder) -> None:
        self._ledger = ledger
        self._provider = provider
        self._settler = settler
        self._refunder = refunder

    async def run_once(self) -> bool:
        """Ask and decide. Raises PostgresAway."""
        due = await self._ledger.take_notices(INBOX_WAITS_S, count_max=INBOX_COUNT_MAX)
        await asyncio.gather(*(self._check(notice) for notice in due))
        count, oldest_s = await self._ledger.count_open_notices()
        telemetry.INBOX_OPEN.set(count)
        telemetry.INBOX_OLDEST_S.set(oldest_s)
        return len(due) == INBOX_COUNT_MAX

    async def _check(self, notice: OpenNotice) -> None:
        if notice.mchid not in self._provider.mchids:
            return  # an account that was taken out of the settings; it waits until it is there again
        try:
            outcome = await self._outcome(notice)
            if outcome is not None:
                await self._ledger.decide_notice(notice.digest, outcome)
        except Outage as outage:
            log.warning("notice_waits", subject=notice.subject, reason=str(outage))

    async def _outcome(self, notice: OpenNotice) -> str | None:
        """What became of it, or None when that is not known yet."""
        if notice.event_type.startswith("REFUND."):
            refund = await self._provider.query_refund(notice.subject, notice.mchid)
            noted = await self._refunder.note(refund)
            if noted is not Noted.WAITS:
                return noted.value
            return self._contradicted(notice, refund.state) if refund.state is not RefundState.UNKNOWN else None
        trade = await self._provider.query(notice.subject, notice.mchid)
        if trade.paid is not None:
            outcome = await self._settler.settle(trade.paid, QUERY)
            return outcome.value if outcome.decided else None
        return self._contradicted(notice, trade.state) if trade.state is not TradeState.UNKNOWN else None

    def _contradicted(self, notice: OpenNotice, state: str) -> str | None:
        """WeChat answers something else than it told: what became of the notice when it has done so for a day."""
        if notice.age_s <= CONTRADICTED_AFTER_S:
            return None
        telemetry.ALARMS.labels("notice_contradicted").inc()
        log.error("notice_contradicted", subject=notice.subject, state=state)
        return CONTRADICTED
