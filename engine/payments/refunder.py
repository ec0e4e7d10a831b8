"""The refunder carries out refunds that were decided. The number was written down with the decision, and is asked
about before it is sent again, so that a refund is made once however often this process dies."""

import asyncio

import structlog

from engine import telemetry
from engine.infra.outage import Outage
from engine.orders.book import OrderBook, Refund
from engine.orders.states import State
from engine.payments.port import PaymentProvider, RefundNotice, RefundReport, RefundRequest, RefundState

log = structlog.get_logger(__name__)

REFUND_WAITS_S = (60.0, 60.0, 60.0, 60.0, 60.0, 300.0, 600.0, 1200.0, 1800.0)
FIRST_ASK_S = 3.0  # most refunds to a wallet are done by then
REFUND_COUNT_MAX = 16


class Refunder:
    """One turn sends or asks about every refund that is due."""

    def __init__(self, book: OrderBook, provider: PaymentProvider) -> None:
        self._book = book
        self._provider = provider

    async def run_once(self) -> bool:
        """Send or ask. Raises PostgresAway."""
        due = await self._book.take_refunds((FIRST_ASK_S, *REFUND_WAITS_S), count_max=REFUND_COUNT_MAX)
        await asyncio.gather(*(self._carry_out(refund) for refund in due))
        return len(due) == REFUND_COUNT_MAX

    async def _carry_out(self, refund: Refund) -> None:
        request = RefundRequest(
            out_refund_no=refund.out_refund_no,
            order_no=refund.order_no,
            mchid=refund.mchid,
            refund_fen=refund.amount_fen,
            total_fen=refund.total_fen,
            reason=refund.reason,
            sent_before=refund.checks > 1,
        )
        try:
            if refund.state == "processing":
                report = await self._provider.query_refund(refund.out_refund_no, refund.mchid)
            else:
                report = await self._provider.refund(request)
            await self.note(report)
        except Outage as outage:
            log.warning("refund_waits", refund=refund.out_refund_no, reason=str(outage))

    async def noticed(self, notice: RefundNotice) -> None:
        """A notification about a refund. Raises PostgresAway: then it must come again."""
        await self.note(RefundReport(out_refund_no=notice.out_refund_no, state=notice.state))

    async def note(self, report: RefundReport) -> None:
        """What WeChat said about a refund. Raises PostgresAway."""
        match report.state:
            case RefundState.SUCCESS:
                moved = await self._book.move_refund(report.out_refund_no, "success", State.REFUNDED)
            case RefundState.PROCESSING:
                moved = await self._book.move_refund(report.out_refund_no, "processing", None)
            case RefundState.ABNORMAL:
                moved = await self._book.move_refund(report.out_refund_no, "abnormal", State.REFUND_FAILED)
            case RefundState.CLOSED:
                moved = await self._book.move_refund(report.out_refund_no, "closed", State.REFUND_FAILED)
            case RefundState.REFUSED if not report.may_repeat:
                moved = await self._book.move_refund(report.out_refund_no, "closed", State.REFUND_FAILED)
            case _:
                return  # no definite answer: the next try is scheduled
        if not moved:
            return
        telemetry.REFUNDS.labels(report.state).inc()
        if report.state in (RefundState.ABNORMAL, RefundState.CLOSED, RefundState.REFUSED):
            telemetry.ALARMS.labels("refund_failed").inc()
            log.error("refund_needs_a_person", refund=report.out_refund_no, state=report.state, code=report.code)
