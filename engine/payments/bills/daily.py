"""The daily reconciliation: every merchant's every day once, as soon as its bill should be there.

Which days are done stands in PostgreSQL, so that any number of these jobs share the work: a day is leased before it is
worked on, put off when its bill is not there, and finished when it was compared. Days that were missed while nothing
ran are caught up with, as far back as WeChat keeps bills. Differences raise an alarm and a report; they are a person's.
"""

from collections.abc import Callable, Collection
from datetime import date, datetime, time, timedelta
from pathlib import Path

import structlog

from engine import telemetry
from engine.infra.outage import Outage, PostgresAway
from engine.payments.bills.advice import Language
from engine.payments.bills.days import ONE_DAY, day_of, days_left, oldest_kept, ready_at
from engine.payments.bills.files import write_private
from engine.payments.bills.format import BillUnreadable
from engine.payments.bills.outcome import DayResult, NotReconciled, Why
from engine.payments.bills.reconciler import Reconciler
from engine.payments.bills.repairer import Repairer
from engine.payments.bills.report import to_csv
from engine.payments.bills.store import BillStore

log = structlog.get_logger(__name__)

LEASE_S = 1800.0  # the longest a day may take; a process that died holds it no longer
RETRY_S = 1800.0
OVERDUE = timedelta(hours=6)  # WeChat makes bills from 09:00 and asks for patience until 10:00


class DailyReconciler:
    """`repairer` is None when differences are only to be reported."""

    def __init__(
        self,
        reconciler: Reconciler,
        store: BillStore,
        repairer: Repairer | None,
        *,
        mchids: Collection[str],
        after_time: time,
        directory: Path,
        clock: Callable[[], datetime],
    ) -> None:
        self._reconciler = reconciler
        self._store = store
        self._repairer = repairer
        self._mchids = sorted(mchids)
        self._after_time = after_time
        self._directory = directory
        self._clock = clock

    async def run_once(self) -> bool:
        """Reconcile one day that is due; whether there was one. Raises PostgresAway."""
        now = self._clock()
        for mchid in self._mchids:
            first = await self._store.first_payment(mchid)
            finished = await self._store.read_days(mchid, oldest_kept(now))
            first_day = None if first is None else day_of(first)
            for day in days_left(now, after_time=self._after_time, first_day=first_day, finished=finished):
                if await self._store.lease_day(mchid, day, LEASE_S):
                    await self._reconcile(mchid, day)
                    return True
        telemetry.BILL_DAYS_OPEN.set(await self._store.count_open_days())
        return False

    async def _reconcile(self, mchid: str, day: date) -> None:
        try:
            outcome = await self._reconciler.reconcile(mchid, day)
            if isinstance(outcome, NotReconciled):
                await self._not_reconciled(outcome)
                return
            if self._repairer is not None:
                await self._repairer.repair(outcome)
            if outcome.differences:
                write_private(self._directory / f"{day}-{mchid}.csv", to_csv([outcome], Language.ZH))
        except PostgresAway:
            raise  # nothing can be written down; the lease ends by itself
        except Outage as outage:
            await self._put_off(mchid, day, Why.AWAY, str(outage))
            return
        except (BillUnreadable, OSError) as error:
            telemetry.ALARMS.labels("bill_unreadable").inc()
            log.error("bill_needs_a_person", merchant=mchid, day=str(day), reason=str(error))
            await self._put_off(mchid, day, Why.UNREADABLE, str(error))
            return
        await self._store.finish_day(outcome, waits_until=ready_at(day + ONE_DAY, self._after_time))
        self._tell(outcome)

    async def _not_reconciled(self, outcome: NotReconciled) -> None:
        later = outcome.why is Why.NOT_READY
        if not later or self._clock() > ready_at(outcome.day, self._after_time) + OVERDUE:
            telemetry.ALARMS.labels("bill_overdue" if later else "bill_refused").inc()
            log.error("bill_needs_a_person", merchant=outcome.mchid, day=str(outcome.day), reason=outcome.reason)
        await self._put_off(outcome.mchid, outcome.day, outcome.why, outcome.reason)

    async def _put_off(self, mchid: str, day: date, why: Why, reason: str) -> None:
        telemetry.BILL_DAYS.labels(why).inc()
        log.warning("bill_day_put_off", merchant=mchid, day=str(day), reason=reason)
        await self._store.put_off_day(mchid, day, wait_s=RETRY_S, reason=reason)

    def _tell(self, result: DayResult) -> None:
        for difference in result.differences:
            telemetry.BILL_DIFFERENCES.labels(difference.kind, difference.subject).inc()
        telemetry.BILL_DAYS.labels("differences" if result.left else "agrees").inc()
        facts = {"merchant": result.mchid, "day": str(result.day), "repaired": result.repaired}
        if result.left:
            telemetry.ALARMS.labels("bill_differences").inc()
            log.error("bill_differences", **facts, differences=result.left)
        else:
            log.info("bill_agrees", **facts, payments=result.payments.count, refunds=result.refunds.count)
