"""The payment ledger: what is written about money, one method per SQL block, of the same name.

It moves orders only along the state table of the order book. Raises PostgresAway when PostgreSQL does not answer; the
outcome of the statement is then unknown, and every statement here may be repeated without harm.

What touches many orders takes them in the order of their numbers, so that two batches with the same orders (a notice
that came twice, to two workers) wait for each other and never in a circle.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from engine.infra.postgres import connection, load_queries, transaction
from engine.orders.book import NoUnitsLeft, StaleEpoch
from engine.orders.states import Event, State, sources

if TYPE_CHECKING:
    from engine.infra.postgres import Connection, Pool

QUERIES = Path(__file__).with_name("queries.sql")
HASTENED_CHECKS_MAX = 12  # questions at WeChat that a buyer's word may bring about, so that nobody can order floods


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRow:
    """A verified notification for the inbox: `subject` is the number it is about, `body` the bytes as they came."""

    digest: bytes
    notice_id: str
    event_type: str
    mchid: str
    subject: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenNotice:
    """A notice that waits for a decision, leased to the caller."""

    digest: bytes
    event_type: str
    mchid: str
    subject: str
    checks: int
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Money that WeChat reports for an order; `notice` when it told us by itself."""

    order_no: str
    transaction_id: str
    mchid: str
    buyer: bytes
    total_fen: int
    success_at: datetime
    learned_by: str
    notice: NoticeRow | None = None


@dataclass(frozen=True, slots=True)
class PaymentWish:
    """A buyer who wants to pay an order, by a clock; the account that takes it unless the sale names one."""

    order_no: str
    buyer: bytes
    now_ms: int
    mchid: str


@dataclass(frozen=True, slots=True)
class StartedPayment:
    """What is needed to ask for a prepay id, or to reuse a valid one; the fields in the order of the SQL."""

    amount_fen: int
    deadline_ms: int
    mchid: str
    prepay_id: str | None
    openid_sealed: bytes | None


class SessionCancelled(Exception):
    """A session of the order was cancelled: its money goes back whatever units are free."""


class PaymentLedger:
    """All statements on payments and notices. Group commits have a pool of their own.

    `duty_kinds` are written down as owed for every order that becomes paid.
    """

    def __init__(self, pool: "Pool", commits: "Pool", *, duty_kinds: tuple[str, ...] = ()) -> None:
        self._pool = pool
        self._commits = commits
        self._duty_kinds = list(duty_kinds)
        self._sql = load_queries(QUERIES)

    async def start_payments(
        self, wishes: Sequence[PaymentWish], *, mchids: Collection[str]
    ) -> list[StartedPayment | None]:
        """Written down before WeChat is called: from now on only WeChat's word releases the units.

        None where the order is not this buyer's, is past its deadline, or is in no state to be paid. An order whose
        account is none of `mchids` is returned with it and stays as it is.
        """
        from_states = [*sources(Event.PAYMENT_STARTED, State.PAYING), State.PAYING.value]
        asked, wishes = wishes, sorted(wishes, key=lambda wish: wish.order_no)
        async with connection(self._commits) as conn:
            rows = await conn.fetch(
                self._sql.start_payments,
                [wish.order_no for wish in wishes],
                [wish.buyer for wish in wishes],
                [wish.now_ms for wish in wishes],
                [wish.mchid for wish in wishes],
                from_states,
                list(mchids),
            )
        started = {(row["order_no"], row["buyer"]): StartedPayment(*tuple(row)[2:]) for row in rows}
        return [started.get((wish.order_no, wish.buyer)) for wish in asked]

    async def keep_prepays(self, kept: Sequence[tuple[str, str, datetime]]) -> list[None]:
        """Remember prepay ids (order number, id, valid until), so that the next tap reuses them."""
        await self._fetch(self._sql.keep_prepays, *map(list, zip(*sorted(kept), strict=True)))
        return [None] * len(kept)

    async def hasten(self, claims: Sequence[tuple[str, bytes]]) -> list[None]:
        """Ask WeChat about these orders (number, buyer) at the next turn of the closer."""
        await self._fetch(self._sql.hasten, *map(list, zip(*sorted(claims), strict=True)), HASTENED_CHECKS_MAX)
        return [None] * len(claims)

    async def take_checks(self, state: State, waits_s: Sequence[float], *, count_max: int) -> dict[str, float]:
        """Lease the orders whose state at the provider is due to be asked, each with the seconds since its last
        change; an order that closes changes no more until it is decided."""
        rows = await self._fetch(self._sql.take_checks, [state.value], list(waits_s), count_max)
        return {row["order_no"]: row["age_s"] for row in rows}

    async def settle(self, settlements: Sequence[Settlement]) -> dict[str, str]:
        """Write the payments, keep their notices and move their orders to paid, all in one transaction.

        The order numbers that moved, with their sales. What did not move needs a decision of its own.
        """
        settlements = sorted(settlements, key=lambda one: one.order_no)
        places = [(at, one.notice) for at, one in enumerate(settlements, start=1) if one.notice is not None]
        notices = [notice for _, notice in places]
        async with connection(self._commits) as conn:
            rows = await conn.fetch(
                self._sql.settle,
                [one.order_no for one in settlements],
                [one.transaction_id for one in settlements],
                [one.mchid for one in settlements],
                [one.buyer for one in settlements],
                [one.total_fen for one in settlements],
                [one.success_at for one in settlements],
                [one.learned_by for one in settlements],
                sources(Event.PAID, State.PAID),
                self._duty_kinds,
                [notice.digest for notice in notices],
                [notice.notice_id for notice in notices],
                [notice.event_type for notice in notices],
                [notice.mchid for notice in notices],
                [notice.subject for notice in notices],
                [notice.body for notice in notices],
                [at for at, _ in places],
            )
        return {row["order_no"]: row["sale_id"] for row in rows}

    async def retake(self, settlement: Settlement, sale_id: str, epoch: int) -> bool:
        """A released order is paid after all, with its units, and its payment is written; False when it was released
        no more. Raises StaleEpoch, NoUnitsLeft and SessionCancelled: then nothing was written."""
        from_states = sources(Event.RETAKEN, State.PAID)
        try:
            async with transaction(self._pool) as conn:
                row = await conn.fetchrow(
                    self._sql.retake,
                    settlement.order_no,
                    from_states,
                    sale_id,
                    epoch,
                    self._duty_kinds,
                )
                assert row is not None
                if row["fence"] == 0:
                    raise StaleEpoch(sale_id)
                if row["order_no"] is None and await conn.fetchval(
                    self._sql.find_cancelled, settlement.order_no, from_states
                ):
                    raise SessionCancelled(settlement.order_no)
                await self._write_payment(conn, settlement, sale_id)
        except asyncpg.CheckViolationError as error:
            raise NoUnitsLeft(settlement.order_no) from error
        return row["order_no"] is not None

    async def is_cancelled(self, order_no: str) -> bool:
        """Whether a session of this released order was cancelled."""
        [row] = await self._fetch(self._sql.find_cancelled, order_no, sources(Event.RETAKEN, State.PAID))
        return bool(row["cancelled"])

    async def write_payment(self, settlement: Settlement, sale_id: str) -> None:
        """Write down money for an order that does not simply become paid."""
        async with connection(self._pool) as conn:
            await self._write_payment(conn, settlement, sale_id)

    async def _write_payment(self, conn: "Connection", settlement: Settlement, sale_id: str) -> None:
        await conn.execute(
            self._sql.write_payment,
            settlement.transaction_id,
            settlement.order_no,
            sale_id,
            settlement.mchid,
            settlement.total_fen,
            settlement.success_at,
            settlement.learned_by,
        )

    async def decide_refund(
        self, settlement: Settlement, sale_id: str, event: Event, *, out_refund_no: str, reason: str, cause: str
    ) -> bool:
        """The money of this order goes back: payment and intent are written before anybody is called. False when the
        order was in no state that this event may move to refunding."""
        async with transaction(self._pool) as conn:
            moved = await conn.fetchval(
                self._sql.decide_refund,
                settlement.order_no,
                sources(event, State.REFUNDING),
                out_refund_no,
                settlement.transaction_id,
                settlement.mchid,
                settlement.total_fen,
                reason,
                cause,
            )
            await self._write_payment(conn, settlement, sale_id)
        return moved is not None

    async def refund_stray(self, settlement: Settlement, *, out_refund_no: str, reason: str) -> bool:
        """Money for an order that the book does not have goes back; False when that was decided before."""
        async with transaction(self._pool) as conn:
            await self._write_payment(conn, settlement, "")
            decided = await conn.fetchval(
                self._sql.refund_stray,
                out_refund_no,
                settlement.order_no,
                settlement.transaction_id,
                settlement.mchid,
                settlement.total_fen,
                reason,
            )
        return decided is not None

    async def keep_notice(self, notice: NoticeRow) -> None:
        """Into the inbox; a repeat adds nothing."""
        await self._fetch(
            self._sql.keep_notice,
            notice.digest,
            notice.notice_id,
            notice.event_type,
            notice.mchid,
            notice.subject,
            notice.body,
        )

    async def decide_notice(self, digest: bytes, outcome: str) -> None:
        """What became of a notice; the first decision stays."""
        await self._fetch(self._sql.decide_notice, digest, outcome)

    async def take_notices(self, waits_s: Sequence[float], *, count_max: int) -> list[OpenNotice]:
        """Lease notices about payments and refunds that wait for a decision."""
        rows = await self._fetch(self._sql.take_notices, list(waits_s), count_max)
        return [OpenNotice(**dict(row)) for row in rows]

    async def count_open_notices(self) -> tuple[int, float]:
        """How many notices wait for a decision, and for how many seconds the oldest has."""
        [row] = await self._fetch(self._sql.count_open_notices)
        return row["notices"], row["oldest_s"]

    async def _fetch(self, sql: str, *args: object) -> "list[asyncpg.Record]":
        async with connection(self._pool) as conn:
            return await conn.fetch(sql, *args)
