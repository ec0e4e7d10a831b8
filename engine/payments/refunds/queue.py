"""The refunds on their way: which are due to be sent or asked about, and what WeChat said about them.

Two queues: the refunds of cancelled sessions, and all others, so that a single buyer never waits behind fifty
thousand. Raises PostgresAway when PostgreSQL does not answer; a report must then come again.
"""

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from engine import telemetry
from engine.infra.postgres import connection, load_queries, transaction
from engine.orders.states import Event, State, sources
from engine.payments.port import RefundReport, RefundState
from engine.payments.refunds.book import QUERIES
from engine.payments.refunds.reporting import NO_WORD, Noted, RefundStanding, Stage, Step, by_hand, made_twice, step_of
from engine.payments.refunds.wishes import RefundCode

log = structlog.get_logger(__name__)

if TYPE_CHECKING:
    import asyncpg

    from engine.infra.postgres import Connection, Pool

SETTLED_BY_HAND = "SETTLED_BY_HAND"
MADE_ELSEWHERE = "made in WeChat Pay's own pages"
# CLOSED has moved nothing, and asking about a refund that nobody here wants has no end.
ADOPTED = (RefundState.SUCCESS, RefundState.ABNORMAL)
FIRST_ASK_S = 3.0  # most refunds to a wallet are done by then


class Lane(enum.Enum):
    """One of the two queues."""

    SINGLE = "single"
    MASS = "mass"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """A refund on its way: the number was written down before WeChat was called and never changes.

    `checks`: how often it was taken in this stage, this time included.
    """

    out_refund_no: str
    order_no: str
    mchid: str
    amount_fen: int
    total_fen: int
    reason: str
    stage: Stage
    checks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Seconds until a refund is taken again, by its stage and by how often it was taken; the last one repeats.

    intended: short at first, for it is also how long a refund waits whose sender died. processing: as WeChat advises.
    abnormal: somebody may settle it in WeChat's own pages.
    """

    intended: Sequence[float] = (5.0, 15.0, 60.0, 300.0, 900.0, 1800.0)
    processing: Sequence[float] = (60.0, 60.0, 60.0, 60.0, 300.0, 600.0, 1200.0, 1800.0)
    abnormal: Sequence[float] = (3600.0, 21_600.0)


def refusal_by_hand(noted: Noted) -> RefundCode | None:
    """What settle_by_hand came to: why not, or None. Saying so again is harmless."""
    match noted:
        case Noted.MOVED | Noted.REPEATED:
            return None
        case Noted.UNKNOWN_REFUND:
            return RefundCode.UNKNOWN_REFUND
        case _:
            return RefundCode.NOT_FAILED


class RefundQueue:
    """Refunds that were decided. `duty_kinds`: what is owed for each one that succeeds."""

    def __init__(self, pool: "Pool", *, duty_kinds: tuple[str, ...] = (), waits: Waits | None = None) -> None:
        self._pool = pool
        self._duty_kinds = list(duty_kinds)
        self._waits = waits or Waits()
        self._sql = load_queries(QUERIES)

    async def take(self, lane: Lane, mchids: Collection[str], *, count_max: int) -> list[Refund]:
        """Lease the refunds of these accounts that are due."""
        waits = self._waits
        async with connection(self._pool) as conn:
            rows = await conn.fetch(
                self._sql.take,
                list(waits.intended),
                list(waits.processing),
                list(waits.abnormal),
                lane is Lane.MASS,
                list(mchids),
                count_max,
            )
        return [_refund(row) for row in rows]

    async def note(self, report: RefundReport, *, seen: Stage | None = None) -> Noted:
        """Take WeChat's word; `seen` as in `step_of`."""
        async with transaction(self._pool) as conn:
            standing = await self._standing(conn, report.out_refund_no) or await self._adopt(conn, report)
            if isinstance(standing, Noted):
                return standing
            step = step_of(standing, report, seen=seen)
            if isinstance(step, Noted):
                return step
            if made_twice(standing, report):
                telemetry.ALARMS.labels("refund_made_twice").inc()
                log.error("refund_made_twice", refund=report.out_refund_no, order=standing.order_no)
            code = report.code or (RefundState.CLOSED.value if step.stage is Stage.CLOSED else None)
            await self._write(conn, standing, step, replace(report, code=code or ""))
        return Noted.MOVED

    async def _adopt(self, conn: "Connection", report: RefundReport) -> RefundStanding | Noted:
        """A refund that we did not decide, of money that we know: somebody made it in WeChat's own pages.

        WAITS while the money itself is unknown: a refund may be told before its payment, and is told again. No answer
        says nothing either.
        """
        if report.state in NO_WORD:
            return Noted.WAITS
        if report.order_no is None or not report.refund_fen or report.state not in ADOPTED:
            return Noted.UNKNOWN_REFUND
        if not await conn.fetch(self._sql.lock_orders, [report.order_no]):
            return Noted.UNKNOWN_REFUND
        adopted = await conn.fetchval(
            self._sql.adopt,
            report.out_refund_no,
            report.order_no,
            report.refund_fen,
            MADE_ELSEWHERE,
            sources(Event.REFUND_DECIDED, State.REFUNDING),
        )
        if adopted is None:
            return Noted.WAITS
        telemetry.ALARMS.labels("refund_made_elsewhere").inc()
        log.warning("refund_made_elsewhere", refund=report.out_refund_no, order=report.order_no, state=report.state)
        standing = await self._standing(conn, report.out_refund_no)
        assert standing is not None, "it was written a moment ago"
        return standing

    async def settle_by_hand(self, out_refund_no: str) -> Noted:
        """Somebody gave the money back in another way. WAITS unless the refund has failed."""
        async with transaction(self._pool) as conn:
            standing = await self._standing(conn, out_refund_no)
            if standing is None:
                return Noted.UNKNOWN_REFUND
            step = by_hand(standing)
            if step is None:
                return Noted.REPEATED if standing.stage is Stage.SUCCESS else Noted.WAITS
            word = RefundReport(out_refund_no=out_refund_no, state=RefundState.SUCCESS, code=SETTLED_BY_HAND)
            await self._write(conn, standing, step, word)
        return Noted.MOVED

    async def postpone(self, out_refund_no: str, *, wait_s: float, code: str) -> None:
        """Certainly nothing was sent, and why; the same number is sent again later."""
        async with connection(self._pool) as conn:
            await conn.execute(self._sql.postpone, out_refund_no, wait_s, code)

    async def hasten(self, out_refund_no: str) -> None:
        """Ask WeChat about an abnormal refund at the next turn."""
        async with connection(self._pool) as conn:
            await conn.execute(self._sql.hasten, out_refund_no)

    async def find_closed(self, *, age_s: float, count_max: int) -> list[str]:
        """Refunds that WeChat closed at least so long ago, and that nobody has tried again."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(self._sql.find_closed, age_s, count_max)
        return [row["out_refund_no"] for row in rows]

    async def count_open(self) -> dict[Stage, tuple[int, float]]:
        """How many refunds are not done in each stage, and for how many seconds the oldest of them has waited."""
        async with connection(self._pool) as conn:
            rows = await conn.fetch(self._sql.count_open)
        return {Stage(row["stage"]): (row["refunds"], row["oldest_s"]) for row in rows}

    async def _standing(self, conn: "Connection", out_refund_no: str) -> RefundStanding | None:
        """The refund, with its order locked before it."""
        await conn.execute(self._sql.lock_order_of, out_refund_no)
        row = await conn.fetchrow(self._sql.read_refund, out_refund_no)
        if row is None:
            return None
        fields = {**dict(row), "stage": Stage(row["stage"])}
        fields["order_state"] = State(row["order_state"]) if row["order_state"] else None
        return RefundStanding(**fields)

    async def _write(self, conn: "Connection", standing: RefundStanding, step: Step, report: RefundReport) -> None:
        await conn.execute(
            self._sql.write_step,
            standing.out_refund_no,
            step.stage.value,
            report.refund_id,
            report.success_at,
            report.code or None,
            FIRST_ASK_S if step.stage is Stage.PROCESSING else 0.0,
            step.order_state.value if step.order_state else None,
            step.refunded_fen,
            self._duty_kinds if step.stage is Stage.SUCCESS else [],
        )
        if step.order_state is State.REFUNDED:
            await conn.execute(self._sql.free_units, standing.out_refund_no, MADE_ELSEWHERE)


def _refund(row: "asyncpg.Record") -> Refund:
    return Refund(**{**dict(row), "stage": Stage(row["stage"])})
