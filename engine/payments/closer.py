"""The closer asks WeChat about orders whose payment is open, and acts on nothing but a definite answer.

`paying`: a payment whose notification never came is found by asking on a schedule. `closing`: asked, then closed at
WeChat; the units are released only after WeChat said "unpaid" and "closed". Any doubt keeps them held.
"""

import asyncio

import structlog

from engine import telemetry
from engine.catalog.board import Board
from engine.infra.outage import Outage
from engine.orders.book import OrderBook
from engine.orders.records import Order
from engine.orders.states import Event, State
from engine.orders.telling import tell_released
from engine.payments.ledger import PaymentLedger
from engine.payments.port import CloseResult, PaymentProvider, TradeState
from engine.payments.settling import QUERY, Settler
from engine.stock.stock import Stock

log = structlog.get_logger(__name__)

PAYING_WAITS_S = (30.0, 60.0, 180.0, 300.0, 600.0, 1800.0)  # after the first question at 5 s
CLOSING_WAITS_S = (1.0, 3.0, 10.0, 10.0, 30.0, 60.0, 300.0)
CHECK_COUNT_MAX = 64  # questions at WeChat at a time
# An order that WeChat does not know may still be on its way there, for as long as a request for its payment may run.
# Time counts, not questions: a buyer in a hurry can bring about many of those in a few seconds.
UNKNOWN_AFTER_S = 13.0


class Closer:
    """One turn takes the orders that are due and asks about all of them at once."""

    def __init__(
        self,
        board: Board,
        stock: Stock,
        book: OrderBook,
        ledger: PaymentLedger,
        provider: PaymentProvider,
        settler: Settler,
        *,
        unknown_after_s: float = UNKNOWN_AFTER_S,
    ) -> None:
        """`unknown_after_s`: when an order that closes and that WeChat does not know will not come to be known; longer
        than any request for a payment may run."""
        self._unknown_after_s = unknown_after_s
        self._board = board
        self._stock = stock
        self._book = book
        self._ledger = ledger
        self._provider = provider
        self._settler = settler

    async def run_once(self) -> bool:
        """Ask about everything that is due. Raises PostgresAway."""
        paying = await self._ledger.take_checks(State.PAYING, PAYING_WAITS_S, count_max=CHECK_COUNT_MAX)
        closing = await self._ledger.take_checks(State.CLOSING, CLOSING_WAITS_S, count_max=CHECK_COUNT_MAX)
        orders = await self._book.read_orders([*paying, *closing])
        await asyncio.gather(*(self._check(order, closing.get(order.order_no, 0.0)) for order in orders.values()))
        return CHECK_COUNT_MAX in (len(paying), len(closing))

    async def _check(self, order: Order, closing_s: float) -> None:
        if self._mchid_of(order) not in self._provider.mchids:
            telemetry.ALARMS.labels("unknown_merchant").inc()
            log.error("the_settings_have_no_such_merchant", order=order.order_no, mchid=order.mchid)
            return
        try:
            await self._resolve(order, closing_s)
        except Outage as outage:
            log.warning("check_waits", order=order.order_no, reason=str(outage))

    async def _resolve(self, order: Order, closing_s: float) -> None:
        report = await self._provider.query(order.order_no, self._mchid_of(order))
        telemetry.PROVIDER_CALLS.labels("query", report.state).inc()
        match report.state:
            case TradeState.PAID:
                assert report.paid is not None
                await self._settler.settle(report.paid, QUERY)
            case TradeState.CLOSED:
                await self._found_unpaid(order)
            case TradeState.NOT_PAID if order.state is State.CLOSING:
                await self._close(order)
            case TradeState.UNKNOWN_ORDER if order.state is State.CLOSING and closing_s >= self._unknown_after_s:
                await self._found_unpaid(order)
            case _:
                pass  # still open, or no definite answer: the units stay held and the next question is scheduled

    async def _close(self, order: Order) -> None:
        result = await self._provider.close(order.order_no, self._mchid_of(order))
        telemetry.PROVIDER_CALLS.labels("close", result).inc()
        if result is CloseResult.CLOSED:
            await self._found_unpaid(order)
        elif result is CloseResult.PAID:
            report = await self._provider.query(order.order_no, self._mchid_of(order))
            if report.paid is not None:
                await self._settler.settle(report.paid, QUERY)

    def _mchid_of(self, order: Order) -> str:
        return order.mchid or self._provider.merchant_for(order.order_no)

    async def _found_unpaid(self, order: Order) -> None:
        """Nobody paid and nobody can any more. An order found so before its deadline closes first."""
        if order.state is State.PAYING:
            await self._book.start_closing([order.order_no], Event.LAPSED)
        if not await self._book.release([order.order_no], Event.FOUND_UNPAID):
            return
        telemetry.ORDERS_RELEASED.labels("unpaid").inc()
        live = self._board.sales.get(order.sale_id)
        if live is not None:
            await tell_released(live, self._stock, self._book, [order.order_no])
