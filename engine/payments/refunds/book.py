"""The refund book: decisions that money goes back.

A decision is one transaction: the order is locked, looked at, and moved; the refund, its tickets and the freed units
are written with it. Nobody is called before it is committed, and its number never changes. Raises PostgresAway when
PostgreSQL does not answer; the outcome is then unknown, and asking the same again under a key changes nothing more.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.infra.postgres import load_queries, transaction
from engine.orders.states import State
from engine.payments.refunds.deciding import (
    REFUND_SPACING_S,
    Payment,
    Plan,
    Standing,
    Ticket,
    kept_of,
    plan,
    plan_again,
)
from engine.payments.refunds.reporting import Stage
from engine.payments.refunds.wishes import Cause, Decided, RefundCode, RefundRefusal, RefundWish, RequestKey
from engine.stock.claim import Item

if TYPE_CHECKING:
    import asyncpg

    from engine.infra.postgres import Connection, Pool

QUERIES = Path(__file__).with_name("queries.sql")
DECIDE_COUNT_MAX = 500  # orders in one transaction: each stays locked until it commits


class RefundBook:
    """Decisions. `spacing_s`: the least time between two refunds of one order."""

    def __init__(self, pool: "Pool", *, spacing_s: float = REFUND_SPACING_S) -> None:
        self._pool = pool
        self._spacing_s = spacing_s
        self._sql = load_queries(QUERIES)

    async def decide(self, wish: RefundWish) -> Decided | RefundRefusal:
        """Write one refund down, or say why not."""
        return await self.decide_by(wish.order_no, lambda _: wish, key=wish.key)

    async def decide_by(
        self,
        order_no: str,
        wish_of: Callable[[Standing], RefundWish | RefundRefusal],
        *,
        key: RequestKey | None = None,
    ) -> Decided | RefundRefusal:
        """The same for a wish that depends on how the order stands behind its lock; pure, and quickly made."""
        async with transaction(self._pool) as conn:
            standing = (await self._standings(conn, [order_no])).get(order_no)
            if standing is None:
                return RefundRefusal(RefundCode.UNKNOWN_ORDER)
            if key is not None:
                earlier = await self._find_request(conn, key, standing)
                if earlier is not None:
                    return earlier
            wish = wish_of(standing)
            planned = wish if isinstance(wish, RefundRefusal) else plan(standing, wish, spacing_s=self._spacing_s)
            if isinstance(planned, RefundRefusal):
                return planned
            assert isinstance(wish, RefundWish)
            if key is not None and not await conn.fetchval(
                self._sql.keep_request, key.request_id, key.digest, order_no, planned.out_refund_no
            ):
                return RefundRefusal(RefundCode.KEY_REUSED)
            await self._write(conn, [planned], wish.cause, wish.reason)  # last, for it locks the rows that are hot
        return _decided(planned)

    async def decide_many(
        self,
        order_nos: Sequence[str],
        *,
        cause: Cause,
        reason: str,
        units_back: bool,
        session_id: str | None = None,
    ) -> dict[str, Decided | RefundRefusal]:
        """The same for up to 500 orders in one transaction, everything that is left of each; with a session, the
        tickets of that session alone. An answer for every order."""
        assert len(order_nos) <= DECIDE_COUNT_MAX
        answers: dict[str, Decided | RefundRefusal] = {}
        plans = []
        async with transaction(self._pool) as conn:
            standings = await self._standings(conn, order_nos)
            for order_no in order_nos:
                standing = standings.get(order_no)
                if standing is None:
                    answers[order_no] = RefundRefusal(RefundCode.UNKNOWN_ORDER)
                    continue
                wish = RefundWish(order_no=order_no, cause=cause, reason=reason, units_back=units_back, whole=True)
                planned = plan(standing, wish, session_id=session_id, spacing_s=self._spacing_s)
                if isinstance(planned, Plan):
                    plans.append(planned)
                    answers[order_no] = _decided(planned)
                else:
                    answers[order_no] = planned
            if plans:
                await self._write(conn, plans, cause, reason)
        return answers

    async def retry(self, out_refund_no: str) -> Decided | RefundRefusal:
        """A closed refund once more, under a new number: the same sum and tickets. They were taken back before.

        Only the order's latest refund: an older one was made again already. The caller has asked WeChat that nothing
        moved under the old number.
        """
        async with transaction(self._pool) as conn:
            row = await conn.fetchrow(self._sql.find_refund, out_refund_no)
            if row is None:
                return RefundRefusal(RefundCode.UNKNOWN_REFUND)
            standing = (await self._standings(conn, [row["order_no"]])).get(row["order_no"])
            if standing is None:
                return await self._retry_stray(conn, out_refund_no, row["order_no"])
            # Behind the lock: a report may have moved the refund meanwhile.
            row = await conn.fetchrow(self._sql.find_refund, out_refund_no)
            assert row is not None
            items = tuple(Item(*item) for item in zip(row["sku_ids"] or (), row["quantities"] or (), strict=True))
            closed = row["stage"] == Stage.CLOSED and not row["replaced"]
            planned = plan_again(standing, row["amount_fen"], items, closed=closed, spacing_s=self._spacing_s)
            if isinstance(planned, RefundRefusal):
                return planned
            await self._write(conn, [planned], Cause(row["cause"]), row["reason"])
        return _decided(planned)

    async def _retry_stray(self, conn: "Connection", out_refund_no: str, order_no: str) -> Decided | RefundRefusal:
        """The same for money of an order that the book does not have."""
        row = await conn.fetchrow(self._sql.retry_stray, out_refund_no)
        if row is None:
            return RefundRefusal(RefundCode.NOT_REFUNDABLE)
        return Decided(
            order_no=order_no,
            sale_id=row["sale_id"],
            out_refund_no=row["out_refund_no"],
            amount_fen=row["amount_fen"],
            items=(),
            kept=(),
            has_units=False,
        )

    async def _standings(self, conn: "Connection", order_nos: Sequence[str]) -> dict[str, Standing]:
        """The orders, locked and then read: what is read is true until the transaction ends."""
        await conn.execute(self._sql.lock_orders, list(order_nos))
        rows = await conn.fetch(self._sql.read_standings, list(order_nos))
        return {row["order_no"]: standing_of(row) for row in rows}

    async def _write(self, conn: "Connection", plans: Sequence[Plan], cause: Cause, reason: str) -> None:
        items = [
            (one.standing.order_no, item.sku_id, item.quantity, item.quantity if one.units_back else 0)
            for one in plans
            for item in one.items
        ]
        payments = [one.standing.payment for one in plans]
        moved = await conn.fetch(
            self._sql.decide,
            [one.standing.order_no for one in plans],
            [one.state.value for one in plans],
            [one.amount_fen for one in plans],
            [one.standing.refunded_fen + one.amount_fen for one in plans],
            [one.has_units for one in plans],
            [one.out_refund_no for one in plans],
            [payment.transaction_id if payment else None for payment in payments],
            [payment.mchid if payment else None for payment in payments],
            [payment.total_fen if payment else None for payment in payments],
            [one.next_check_at for one in plans],
            *([row[at] for row in items] for at in range(4)),
            list({one.standing.state.value for one in plans}),
            reason,
            cause.value,
        )
        assert len(moved) == len(plans), "a locked order moves"

    async def _find_request(
        self, conn: "Connection", key: RequestKey, standing: Standing
    ) -> Decided | RefundRefusal | None:
        """What an earlier request with this key decided."""
        row = await conn.fetchrow(self._sql.find_request, key.request_id)
        if row is None:
            return None
        if row["digest"] != key.digest or row["order_no"] != standing.order_no:
            return RefundRefusal(RefundCode.KEY_REUSED)
        return Decided(
            order_no=standing.order_no,
            sale_id=standing.sale_id,
            out_refund_no=row["out_refund_no"],
            amount_fen=row["amount_fen"],
            items=tuple(Item(*item) for item in zip(row["sku_ids"] or (), row["quantities"] or (), strict=True)),
            kept=kept_of(standing),
            has_units=standing.has_units,
            repeated=True,
        )


def _decided(planned: Plan) -> Decided:
    return Decided(
        order_no=planned.standing.order_no,
        sale_id=planned.standing.sale_id,
        out_refund_no=planned.out_refund_no,
        amount_fen=planned.amount_fen,
        items=planned.items,
        kept=kept_of(planned.standing, planned),
        has_units=planned.has_units,
    )


def standing_of(row: "asyncpg.Record") -> Standing:
    """A row of read_standings."""
    payment = None
    if row["transaction_id"] is not None:
        payment = Payment(
            transaction_id=row["transaction_id"],
            mchid=row["mchid"],
            total_fen=row["total_fen"],
            success_at=row["success_at"],
        )
    columns = ("sku_ids", "session_ids", "quantities", "prices_fen", "returned", "taken")
    return Standing(
        order_no=row["order_no"],
        sale_id=row["sale_id"],
        state=State(row["state"]),
        has_units=row["has_units"],
        payment=payment,
        refunded_fen=row["refunded_fen"],
        refunds=row["refunds"],
        last_sent_at=row["last_sent_at"],
        tickets=tuple(Ticket(*line) for line in zip(*(row[column] for column in columns), strict=True)),
        now=row["now"],
    )
