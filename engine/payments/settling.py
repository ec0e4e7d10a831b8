"""Settling: every report of money becomes one paid order or one refund, whatever comes twice, late or wrong.

Reports arrive as notifications and as answers to queries, and take the same way. The usual report, right in
amount, merchant, application and buyer, for an order that still has its units, is settled in a group commit
together with its notice. Whatever that commit did not move is decided one by one.

A notification is one word of WeChat's; an answer to our own question is a second one. Money that fits no order is
therefore given back only when a query reports it, too; until then the notice waits in the inbox.
"""

import asyncio
import enum
from collections.abc import Callable, Sequence

import structlog

from engine import telemetry
from engine.catalog.board import Board, LiveSale
from engine.infra.batcher import Batcher
from engine.infra.outage import RedisAway
from engine.orders.book import NoUnitsLeft, OrderBook, StaleEpoch
from engine.orders.records import Order, is_order_no
from engine.orders.states import OPEN, Event, State
from engine.orders.telling import tell_paid, tell_released
from engine.payments.ledger import NoticeRow, PaymentLedger, SessionCancelled, Settlement
from engine.payments.port import PaidReport
from engine.stock.codes import RetakeCode
from engine.stock.stock import Stock

log = structlog.get_logger(__name__)

SETTLE_COUNT_MAX = 200
SETTLE_QUEUE_COUNT_MAX = 20_000
TELL_SPACING_S = 0.05  # nobody waits for it
SETTLE_SPACING_S = 0.02  # WeChat waits up to five seconds

NOTIFY = "notify"  # WeChat told us by itself
QUERY = "query"  # WeChat answered our question: a mismatch is then a fact

LATE_REASON = "sold out before the payment arrived"
CANCELLED_REASON = "the session was cancelled before the payment arrived"
MISPAID_REASON = "the payment does not fit its order"
STRAY_REASON = "there is no order for this payment"


class Settled(enum.StrEnum):
    """What became of a report of money."""

    PAID = "paid"
    REPEATED = "repeated"
    RETAKEN = "retaken"
    REFUNDING = "refunding"
    MISMATCH = "mismatch"
    UNKNOWN_ORDER = "unknown_order"
    FOREIGN = "foreign"  # of another application or merchant account: not ours to decide

    @property
    def decided(self) -> bool:
        """Whether nothing is left to find out."""
        return self not in (Settled.MISMATCH, Settled.UNKNOWN_ORDER)


def refund_no_of(order_no: str) -> str:
    """The number of the one refund that late or wrong money can cause: the same on every try."""
    return f"R{order_no}"


class Settler:
    """Settles reports of money. `buyer_of` turns an openid into a buyer; money for an order that nobody here knows
    goes back when `refund_strays` is set, else it stays open for a person."""

    def __init__(
        self,
        board: Board,
        stock: Stock,
        book: OrderBook,
        ledger: PaymentLedger,
        *,
        buyer_of: Callable[[str], bytes],
        appid: str,
        mchids: frozenset[str],
        refund_strays: bool = True,
    ) -> None:
        self._board = board
        self._stock = stock
        self._book = book
        self._ledger = ledger
        self._buyer_of = buyer_of
        self._appid = appid
        self._mchids = mchids
        self._refund_strays = refund_strays
        self._tells: Batcher[tuple[str, str], None] = Batcher(
            self._tell,
            batch_count_max=SETTLE_COUNT_MAX,
            queue_count_max=SETTLE_QUEUE_COUNT_MAX,
            spacing_s=TELL_SPACING_S,
        )
        self._batcher: Batcher[Settlement, bool] = Batcher(
            self._commit,
            batch_count_max=SETTLE_COUNT_MAX,
            queue_count_max=SETTLE_QUEUE_COUNT_MAX,
            spacing_s=SETTLE_SPACING_S,
        )

    async def settle(self, report: PaidReport, learned_by: str) -> Settled:
        """Decide this money. Raises Outage: then nothing is decided yet and the report must come again."""
        settlement = self._settlement(report, learned_by, None)
        if settlement is None:
            return self._counted(report, learned_by, Settled.FOREIGN)
        if await self._batcher.submit(settlement):
            return self._counted(report, learned_by, Settled.PAID)
        return self._counted(report, learned_by, await self._decide(settlement))

    async def keep_and_settle(self, report: PaidReport, notice: NoticeRow, *, patience_s: float) -> Settled | None:
        """As `settle`, for a notification: when this returns, the notice is in the inbox and may be acknowledged.

        None when deciding takes longer than the patience or meets an outage: the inbox goes on with it. Raises Outage
        when nothing was written.
        """
        settlement = self._settlement(report, NOTIFY, notice)
        if settlement is None:
            await self._ledger.keep_notice(notice)
            outcome = Settled.FOREIGN
        elif await self._batcher.submit(settlement):
            return self._counted(report, NOTIFY, Settled.PAID)
        else:
            try:
                async with asyncio.timeout(patience_s):
                    outcome = await self._decide(settlement)
            except (TimeoutError, RedisAway) as error:
                log.warning("notice_left_to_the_inbox", order=report.order_no, reason=str(error))
                return None
        if outcome.decided:
            await self._ledger.decide_notice(notice.digest, outcome)
        return self._counted(report, NOTIFY, outcome)

    def _settlement(self, report: PaidReport, learned_by: str, notice: NoticeRow | None) -> Settlement | None:
        if report.appid != self._appid or report.mchid not in self._mchids:
            return None
        return Settlement(
            order_no=report.order_no,
            transaction_id=report.transaction_id,
            mchid=report.mchid,
            buyer=self._buyer_of(report.openid),
            total_fen=report.total_fen,
            success_at=report.success_at,
            learned_by=learned_by,
            notice=notice,
        )

    def _counted(self, report: PaidReport, learned_by: str, outcome: Settled) -> Settled:
        telemetry.PAYMENTS.labels(learned_by, outcome).inc()
        if outcome in (Settled.MISMATCH, Settled.UNKNOWN_ORDER, Settled.FOREIGN):
            telemetry.ALARMS.labels(f"payment_{outcome}").inc()
            log.error("payment_does_not_fit", outcome=outcome, order=report.order_no, total_fen=report.total_fen)
        return outcome

    async def _commit(self, settlements: list[Settlement]) -> list[bool]:
        """The group commit; whether each one moved its order. The first of several for one order does."""
        moved = await self._ledger.settle(settlements)
        for order_no, sale_id in moved.items():
            self._tells.submit((sale_id, order_no)).add_done_callback(_forget)
        return [moved.pop(settlement.order_no, None) is not None for settlement in settlements]

    async def _tell(self, paid: list[tuple[str, str]]) -> list[None]:
        """Tell Redis that held is sold. If it does not hear, the sweeper repeats it."""
        by_sale: dict[str, list[str]] = {}
        for sale_id, order_no in paid:
            by_sale.setdefault(sale_id, []).append(order_no)
        for sale_id, order_nos in by_sale.items():
            await self._confirm(sale_id, order_nos)
        return [None] * len(paid)

    async def _confirm(self, sale_id: str, order_nos: Sequence[str]) -> None:
        live = self._board.sales.get(sale_id)
        if live is not None:
            await tell_paid(live, self._stock, self._book, order_nos)

    async def _decide(self, settlement: Settlement) -> Settled:
        order = await self._book.read(settlement.order_no)
        if order is None:
            return await self._stray(settlement)
        fits = order.buyer == settlement.buyer and order.amount_fen == settlement.total_fen
        if not fits or order.mchid not in (None, settlement.mchid):
            return await self._mispaid(order, settlement)
        if order.state is State.RELEASED:
            return await self._late(order, settlement)
        if order.state in OPEN:
            raise RedisAway("the order changed while its payment was settled; the report must come again")
        # Paid already. A second transaction for the same order is money too: it is written down and the audit tells.
        await self._ledger.write_payment(settlement, order.sale_id)
        if order.has_units:
            await self._confirm(order.sale_id, [order.order_no])  # whoever was first may have died before that
        return Settled.REPEATED

    async def _late(self, order: Order, settlement: Settlement) -> Settled:
        """Money for a released order: the same units again if they are free, else the money goes back."""
        if await self._ledger.is_cancelled(order.order_no):
            return await self._refund(order, settlement, Event.PAID_TOO_LATE, CANCELLED_REASON, "session_cancelled")
        live = self._board.find(order.sale_id)
        if live is None:
            return await self._refund(order, settlement, Event.PAID_TOO_LATE, LATE_REASON, "late")
        keys, epoch = live.keys, live.epoch
        code = await self._stock.retake(keys, epoch, order.claim())
        if code is RetakeCode.FENCED:
            live.fence()
            raise RedisAway("the sale is being restored")
        if code not in (RetakeCode.TAKEN, RetakeCode.REPEATED):
            return await self._refund(order, settlement, Event.PAID_TOO_LATE, LATE_REASON, "late")
        try:
            moved = await self._ledger.retake(settlement, order.sale_id, epoch)
        except StaleEpoch as stale:
            raise RedisAway("the sale was restored meanwhile; the report must come again") from stale
        except (NoUnitsLeft, SessionCancelled) as why:
            await self._stock.release(keys, epoch, [order.order_no], sold=True)
            if isinstance(why, SessionCancelled):
                return await self._refund(order, settlement, Event.PAID_TOO_LATE, CANCELLED_REASON, "session_cancelled")
            return await self._refund(order, settlement, Event.PAID_TOO_LATE, LATE_REASON, "late")
        if not moved:
            await self._leave_to_the_first(order, live, epoch)
            return Settled.REPEATED
        await self._confirm(order.sale_id, [order.order_no])  # where Redis had not heard of the release
        log.warning("late_payment_retaken", order=order.order_no)
        return Settled.RETAKEN

    async def _leave_to_the_first(self, order: Order, live: LiveSale, epoch: int) -> None:
        """Another report of the same money was faster. If it was refunded, what we took in Redis goes back."""
        now = await self._book.read(order.order_no)
        if now is not None and not now.has_units:
            await self._stock.release(live.keys, epoch, [order.order_no], sold=True)

    async def _mispaid(self, order: Order, settlement: Settlement) -> Settled:
        """Another amount, buyer or account than the order's. Confirmed, it goes back, and the order ends with it: its
        number is spent at WeChat."""
        if settlement.learned_by == NOTIFY:
            return Settled.MISMATCH
        outcome = await self._refund(order, settlement, Event.MISPAID, MISPAID_REASON, "mispaid")
        live = self._board.sales.get(order.sale_id)
        if outcome is Settled.REFUNDING and live is not None:
            await tell_released(live, self._stock, self._book, [order.order_no])
        return outcome

    async def _stray(self, settlement: Settlement) -> Settled:
        """Money for an order that the book does not have, as after a restored backup."""
        if settlement.learned_by == NOTIFY or not self._refund_strays or not is_order_no(settlement.order_no):
            return Settled.UNKNOWN_ORDER
        telemetry.ALARMS.labels("payment_unknown_order").inc()
        log.error("stray_payment_refunded", order=settlement.order_no, total_fen=settlement.total_fen)
        decided = await self._ledger.refund_stray(
            settlement, out_refund_no=refund_no_of(settlement.order_no), reason=STRAY_REASON
        )
        return Settled.REFUNDING if decided else Settled.REPEATED

    async def _refund(self, order: Order, settlement: Settlement, event: Event, reason: str, cause: str) -> Settled:
        decided = await self._ledger.decide_refund(
            settlement,
            order.sale_id,
            event,
            out_refund_no=refund_no_of(order.order_no),
            reason=reason,
            cause=cause,
        )
        log.warning("payment_goes_back", order=order.order_no, cause=cause, decided=decided)
        return Settled.REFUNDING if decided else Settled.REPEATED


def _forget(told: "asyncio.Future[None]") -> None:
    if not told.cancelled() and (error := told.exception()) is not None:
        log.warning("confirm_left_to_the_sweeper", reason=str(error))
