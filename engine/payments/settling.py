"""Settling: every report of money becomes one paid order or one refund, whatever comes twice, late or wrong.

Reports arrive as notifications and as answers to queries, and take the same way. The usual report, right in
amount, merchant, application and buyer, for an order that still has its units, is settled in a group commit.
Whatever that commit did not move is decided one by one.
"""

import asyncio
import enum
from collections.abc import Callable, Sequence

import structlog

from engine import telemetry
from engine.catalog.board import Board, LiveSale
from engine.infra.batcher import Batcher
from engine.infra.outage import RedisAway
from engine.orders.book import NoUnitsLeft, OrderBook, Settlement, StaleEpoch
from engine.orders.records import Order
from engine.orders.states import OPEN, State
from engine.orders.telling import tell_paid
from engine.payments.port import PaidReport
from engine.stock.codes import RetakeCode
from engine.stock.stock import Stock

log = structlog.get_logger(__name__)

SETTLE_COUNT_MAX = 200
SETTLE_QUEUE_COUNT_MAX = 20_000
TELL_SPACING_S = 0.05  # nobody waits for it
SETTLE_SPACING_S = 0.02  # WeChat waits up to five seconds
LATE_REASON = "sold out before the payment arrived"


class Settled(enum.StrEnum):
    """What became of a report of money."""

    PAID = "paid"
    REPEATED = "repeated"
    RETAKEN = "retaken"
    REFUNDING = "refunding"
    MISMATCH = "mismatch"
    UNKNOWN_ORDER = "unknown_order"

    @property
    def decided(self) -> bool:
        """Whether the provider may stop telling us."""
        return self not in (Settled.MISMATCH, Settled.UNKNOWN_ORDER)


def refund_no_of(order_no: str) -> str:
    """The number of the one refund that late money can cause: the same on every try."""
    return f"R{order_no}"


class Settler:
    """Settles reports of money. `buyer_of` turns an openid into a buyer."""

    def __init__(
        self,
        board: Board,
        stock: Stock,
        book: OrderBook,
        *,
        buyer_of: Callable[[str], bytes],
        appid: str,
        mchid: str,
    ) -> None:
        self._board = board
        self._stock = stock
        self._book = book
        self._buyer_of = buyer_of
        self._appid = appid
        self._mchid = mchid
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
        outcome = await self._settle(report, learned_by)
        telemetry.PAYMENTS.labels(learned_by, outcome).inc()
        if not outcome.decided:
            telemetry.ALARMS.labels(f"payment_{outcome}").inc()
            log.error("payment_needs_a_person", outcome=outcome, order=report.order_no, total_fen=report.total_fen)
        return outcome

    async def _settle(self, report: PaidReport, learned_by: str) -> Settled:
        if report.appid != self._appid or report.mchid != self._mchid:
            return Settled.MISMATCH
        settlement = Settlement(
            order_no=report.order_no,
            transaction_id=report.transaction_id,
            mchid=report.mchid,
            buyer=self._buyer_of(report.openid),
            total_fen=report.total_fen,
            success_at=report.success_at,
            learned_by=learned_by,
        )
        if await self._batcher.submit(settlement):
            return Settled.PAID
        return await self._decide(settlement)

    async def _commit(self, settlements: list[Settlement]) -> list[bool]:
        """The group commit; whether each one moved its order. The first of several for one order does."""
        moved = await self._book.settle(settlements)
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
            return Settled.UNKNOWN_ORDER
        if order.buyer != settlement.buyer or order.amount_fen != settlement.total_fen:
            return Settled.MISMATCH
        if order.mchid not in (None, settlement.mchid):
            return Settled.MISMATCH
        if order.state is State.RELEASED:
            return await self._late(order, settlement)
        if order.state in OPEN:
            raise RedisAway("the order changed while its payment was settled; the report must come again")
        # Paid already. A second transaction for the same order is money too: it is written down and the audit tells.
        await self._book.write_payment(settlement, order.sale_id)
        if order.has_units:
            await self._confirm(order.sale_id, [order.order_no])  # whoever was first may have died before that
        return Settled.REPEATED

    async def _late(self, order: Order, settlement: Settlement) -> Settled:
        """Money for a released order: the same units again if they are free, else the money goes back."""
        live = self._board.find(order.sale_id)
        if live is None:
            return await self._refund(order, settlement)
        keys, epoch = live.keys, live.epoch
        code = await self._stock.retake(keys, epoch, order.claim())
        if code is RetakeCode.FENCED:
            live.fence()
            raise RedisAway("the sale is being restored")
        if code not in (RetakeCode.TAKEN, RetakeCode.REPEATED):
            return await self._refund(order, settlement)
        try:
            moved = await self._book.retake(settlement, order.sale_id, epoch)
        except StaleEpoch as stale:
            raise RedisAway("the sale was restored meanwhile; the report must come again") from stale
        except NoUnitsLeft:
            await self._stock.release(keys, epoch, [order.order_no], sold=True)
            return await self._refund(order, settlement)
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

    async def _refund(self, order: Order, settlement: Settlement) -> Settled:
        decided = await self._book.decide_refund(
            settlement, order.sale_id, out_refund_no=refund_no_of(order.order_no), reason=LATE_REASON
        )
        log.warning("late_payment_refunded", order=order.order_no)
        return Settled.REFUNDING if decided else Settled.REPEATED


def _forget(told: "asyncio.Future[None]") -> None:
    if not told.cancelled() and (error := told.exception()) is not None:
        log.warning("confirm_left_to_the_sweeper", reason=str(error))
