"""The refunder carries out refunds that were decided. The number was written down with the decision, and is asked
about before it is sent again, so that a refund is made once however often this process dies.

It keeps a bounded number of calls under way: as one ends, the next refund is taken, and a slow call holds up nobody.
A merchant account that is short of money is left alone for a while: every further try would be one more error, and
WeChat allows only a few of those a second.
"""

import asyncio
from collections.abc import Callable

import structlog

from engine import telemetry
from engine.infra.outage import Outage
from engine.payments.port import PaymentProvider, RefundNotice, RefundReport, RefundRequest, RefundState
from engine.payments.refunds.queue import Lane, Refund, RefundQueue
from engine.payments.refunds.reporting import Noted, Stage

log = structlog.get_logger(__name__)

CALLS_MAX = 16
# Refused for a reason that a person has to cure, as an account that is short of money: the same number again later.
CURABLE_WAIT_S = 300.0
ACCOUNT_REST_S = 60.0
ACCOUNT_REFUSALS_MAX = 3  # in a row; fewer may be the fault of one order
# A refusal after a lost try proves nothing while that try may still arrive. After this many tries, more than a minute,
# it has arrived or never will, and the next refusal counts.
DOUBTS_MAX = 4
DOUBT_WAIT_S = 60.0
ALARMING = (RefundState.ABNORMAL, RefundState.CLOSED, RefundState.REFUSED)


class Refunder:
    """One queue of refunds. `monotonic_s` is a clock that never jumps."""

    def __init__(
        self,
        queue: RefundQueue,
        provider: PaymentProvider,
        *,
        monotonic_s: Callable[[], float],
        lane: Lane = Lane.SINGLE,
        calls_max: int = CALLS_MAX,
    ) -> None:
        self._queue = queue
        self._provider = provider
        self._monotonic_s = monotonic_s
        self._lane = lane
        self._calls_max = calls_max
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._rests_until_s: dict[str, float] = {}
        self._refusals_in_a_row: dict[str, int] = {}

    async def run_once(self) -> bool:
        """Send or ask until nothing is due and every call has ended. Raises PostgresAway."""
        try:
            while True:
                for refund in await self._take():
                    self._calls[refund.out_refund_no] = asyncio.create_task(self._carry_out(refund))
                if not self._calls:
                    return False
                done, _ = await asyncio.wait(self._calls.values(), return_when=asyncio.FIRST_COMPLETED)
                self._calls = {number: call for number, call in self._calls.items() if call not in done}
        except Outage:
            await asyncio.gather(*self._calls.values())  # what WeChat is doing for us need not be asked about later
            raise
        finally:
            for call in self._calls.values():
                call.cancel()
            self._calls = {}

    async def _take(self) -> list[Refund]:
        now_s = self._monotonic_s()
        mchids = [mchid for mchid in self._provider.mchids if self._rests_until_s.get(mchid, now_s) <= now_s]
        room = self._calls_max - len(self._calls)
        taken = await self._queue.take(self._lane, mchids, count_max=room) if mchids and room else []
        # A call may take longer than its lease; then it goes on, and nobody sends beside it.
        return [refund for refund in taken if refund.out_refund_no not in self._calls]

    async def _carry_out(self, refund: Refund) -> None:
        try:
            if refund.stage is Stage.INTENDED:
                report = await self._provider.refund(_request(refund))
            else:
                report = await self._provider.query_refund(refund.out_refund_no, refund.mchid)
            telemetry.PROVIDER_CALLS.labels("refund", report.state).inc()
            if report.state is RefundState.REFUSED:
                refusals = self._refusals_in_a_row[refund.mchid] = self._refusals_in_a_row.get(refund.mchid, 0) + 1
                # One refusal for good is about its order. One after the other they are about us, as a wrong address in
                # the settings, and must not close the refunds of a whole evening.
                in_a_run = refusals > ACCOUNT_REFUSALS_MAX and refund.checks < DOUBTS_MAX
                if report.may_repeat or in_a_run:
                    await self._wait_for_a_person(refund, report)
                    return
            else:
                self._refusals_in_a_row.pop(refund.mchid, None)
            if report.state is RefundState.UNKNOWN and report.code and refund.checks >= DOUBTS_MAX:
                await self._queue.postpone(refund.out_refund_no, wait_s=DOUBT_WAIT_S, code=report.code)
            else:
                await self.note(report, seen=refund.stage)
        except Outage as outage:
            log.warning("refund_waits", refund=refund.out_refund_no, reason=str(outage))
        except Exception:
            # A mistake of ours about one refund; the others go on, and this one is taken again later and later.
            telemetry.ALARMS.labels("refund_stuck").inc()
            log.exception("refund_stuck", refund=refund.out_refund_no)

    async def _wait_for_a_person(self, refund: Refund, report: RefundReport) -> None:
        """WeChat says no for now. Nothing has moved."""
        await self._queue.postpone(refund.out_refund_no, wait_s=CURABLE_WAIT_S, code=report.code)
        if self._refusals_in_a_row[refund.mchid] >= ACCOUNT_REFUSALS_MAX:
            self._rests_until_s[refund.mchid] = self._monotonic_s() + ACCOUNT_REST_S
        telemetry.ALARMS.labels("refund_refused_for_now").inc()
        log.error("refund_waits_for_a_person", refund=refund.out_refund_no, account=refund.mchid, code=report.code)

    async def noticed(self, notice: RefundNotice) -> Noted:
        """A notification about a refund. Raises PostgresAway: then it must come again."""
        return await self.note(
            RefundReport(
                out_refund_no=notice.out_refund_no,
                state=notice.state,
                refund_id=notice.refund_id,
                refund_fen=notice.refund_fen,
                success_at=notice.success_at,
                order_no=notice.order_no,
            )
        )

    async def note(self, report: RefundReport, *, seen: Stage | None = None) -> Noted:
        """What WeChat says, by any way. Raises PostgresAway."""
        noted = await self._queue.note(report, seen=seen)
        if noted is Noted.MOVED:
            telemetry.REFUNDS.labels(report.state).inc()
            if report.state in ALARMING:
                telemetry.ALARMS.labels("refund_failed").inc()
                log.error("refund_needs_a_person", refund=report.out_refund_no, state=report.state, code=report.code)
        elif noted in (Noted.MISMATCH, Noted.UNKNOWN_REFUND):
            telemetry.ALARMS.labels(f"refund_{noted}").inc()
            log.error("refund_report_fits_nothing", refund=report.out_refund_no, state=report.state, noted=noted)
        return noted


def _request(refund: Refund) -> RefundRequest:
    return RefundRequest(
        out_refund_no=refund.out_refund_no,
        order_no=refund.order_no,
        mchid=refund.mchid,
        refund_fen=refund.amount_fen,
        total_fen=refund.total_fen,
        reason=refund.reason,
        sent_before=refund.checks > 1,
    )
