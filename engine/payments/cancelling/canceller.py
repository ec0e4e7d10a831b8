"""The canceller ends what a cancelled session leaves behind: open orders end, paid ones are refunded, late money too.

Nothing is remembered that could be lost: what is left to do is read from the orders. A turn ends the open orders,
decides refunds for those that were open a turn ago and may have been paid since, and goes one page further through
the sale's paid orders. When a pass through them is over it rests, the longer the older the cancellation, and begins
again: so it finds whatever became paid without being seen open, and orders whose earlier refund was under way.
Killed anywhere, it goes on where the ledger stands. An order is locked while its refund is decided, so two of these
decide it once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from engine import telemetry
from engine.catalog.board import Board
from engine.infra.jobs import for_each
from engine.infra.postgres import connection
from engine.orders.book import OrderBook
from engine.orders.states import Event, State
from engine.orders.telling import tell_kept, tell_released
from engine.payments.cancelling.book import CancelledSession, OpenOrder, find_cancelled, find_open, find_paid
from engine.payments.refunds.book import DECIDE_COUNT_MAX, RefundBook
from engine.payments.refunds.wishes import Cause, Decided, RefundCode
from engine.stock.stock import Stock

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

log = structlog.get_logger(__name__)

OPEN_COUNT_MAX = 10_000  # more than that wait for the next turn
END_COUNT_MAX = 500  # orders released in one transaction
REST_S = 30.0
REST_SHARE = (
    0.001  # of the time since the cancellation: after a day 86 seconds, after a month three quarters of an hour
)

# What ends by itself: the order is not paid, or is found again after its refund.
PASSING = (RefundCode.REFUND_UNDER_WAY, RefundCode.NOT_REFUNDABLE)


@dataclass(slots=True)
class _Watch:
    """What this process knows of a cancelled session; losing it costs a pass."""

    open: set[str] = field(default_factory=set)
    sales_left: list[str] = field(default_factory=list)
    after: bytes = b""
    rests_until_s: float = float("-inf")


class Canceller:
    """One turn attends to every cancelled session."""

    def __init__(
        self,
        pool: "Pool",
        board: Board,
        stock: Stock,
        book: OrderBook,
        refunds: RefundBook,
        *,
        monotonic_s: Callable[[], float],
        page_count: int = DECIDE_COUNT_MAX,
    ) -> None:
        self._pool = pool
        self._board = board
        self._stock = stock
        self._book = book
        self._refunds = refunds
        self._monotonic_s = monotonic_s
        self._page_count = page_count
        self._watches: dict[str, _Watch] = {}

    async def run_once(self) -> bool:
        """Whether a pass is not over yet. Raises PostgresAway."""
        async with connection(self._pool) as conn:
            sessions = await find_cancelled(conn)
        return await for_each(sessions, self._attend)

    async def _attend(self, session: CancelledSession) -> bool:
        watch = self._watches.setdefault(session.session_id, _Watch())
        still_open = await self._end_open(session)
        closed = sorted(watch.open - still_open)
        for at in range(0, len(closed), self._page_count):
            await self._decide(session, closed[at : at + self._page_count])
        watch.open = still_open
        return await self._go_on(session, watch)

    async def _go_on(self, session: CancelledSession, watch: _Watch) -> bool:
        """One page of the pass; whether there are more."""
        if not watch.sales_left:
            if self._monotonic_s() < watch.rests_until_s:
                return False
            watch.sales_left, watch.after = list(session.sale_ids), b""
        if watch.sales_left:
            async with connection(self._pool) as conn:
                page, after = await find_paid(
                    conn, watch.sales_left[0], session.sku_ids, after=watch.after, count_max=self._page_count
                )
            if page:
                await self._decide(session, page)
            watch.after = after
            if len(page) < self._page_count:
                watch.sales_left, watch.after = watch.sales_left[1:], b""
        if not watch.sales_left:
            watch.rests_until_s = self._monotonic_s() + max(REST_S, session.age_s * REST_SHARE)
        return bool(watch.sales_left)

    async def _end_open(self, session: CancelledSession) -> set[str]:
        """Release what is held, close what is under payment; the orders that are open still."""
        async with connection(self._pool) as conn:
            found = await find_open(conn, session, count_max=OPEN_COUNT_MAX)
        paying = [order.order_no for order in found if order.state is State.PAYING]
        if paying:
            await self._book.start_closing(paying, Event.CANCELLED)
        released = await self._release([order for order in found if order.state is State.HELD])
        return {order.order_no for order in found} - released

    async def _release(self, held: Sequence[OpenOrder]) -> set[str]:
        sale_of = {order.order_no: order.sale_id for order in held}
        order_nos = sorted(sale_of)
        released: set[str] = set()
        for at in range(0, len(order_nos), END_COUNT_MAX):
            moved = await self._book.release(order_nos[at : at + END_COUNT_MAX], Event.CANCELLED)
            telemetry.ORDERS_RELEASED.labels("session_cancelled").inc(len(moved))
            released.update(moved)
            for sale_id in {sale_of[order_no] for order_no in moved}:
                live = self._board.sales.get(sale_id)
                if live is not None:
                    of_sale = [order_no for order_no in moved if sale_of[order_no] == sale_id]
                    await tell_released(live, self._stock, self._book, of_sale)
        return released

    async def _decide(self, session: CancelledSession, order_nos: Sequence[str]) -> None:
        """Write the refunds down, then tell Redis. The tickets count no more for the buyer, who may buy others."""
        answers = await self._refunds.decide_many(
            order_nos,
            cause=Cause.SESSION_CANCELLED,
            reason=session.reason,
            units_back=True,
            session_id=session.session_id,
        )
        decided = [answer for answer in answers.values() if isinstance(answer, Decided)]
        for sale_id in {one.sale_id for one in decided}:
            live = self._board.sales.get(sale_id)
            if live is not None:
                kept = {one.order_no: one.kept for one in decided if one.sale_id == sale_id}
                await tell_kept(live, self._stock, self._book, kept)
        if decided:
            telemetry.SESSION_REFUNDS.inc(len(decided))
            log.info("session_refunds_decided", session=session.session_id, count=len(decided))
        for order_no, answer in answers.items():
            if not isinstance(answer, Decided) and answer.code not in PASSING:
                telemetry.ALARMS.labels("session_refund_refused").inc()
                log.error("session_refund_needs_a_person", order=order_no, code=answer.code)
