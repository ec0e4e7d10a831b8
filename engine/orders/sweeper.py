"""The sweeper returns what nobody holds any more. PostgreSQL decides every release; Redis follows.

Three kinds of holds end here: an order whose deadline passed before payment began goes back at once; an order under
payment goes to `closing`, where only WeChat's definite word releases it; and a hold in Redis without any order (its
worker died before the COMMIT, nobody was told) goes back after a grace that is longer than any COMMIT can take.
The clock of Redis is the only clock.
"""

import structlog

from engine import telemetry
from engine.catalog.board import Board, LiveSale
from engine.infra.jobs import for_each
from engine.orders.book import OrderBook
from engine.orders.states import Event, State
from engine.stock.codes import ConfirmCode
from engine.stock.stock import Stock

log = structlog.get_logger(__name__)

SWEEP_COUNT_MAX = 500  # holds per turn and kind, so that one transaction stays short


class Sweeper:
    """One turn looks at every live sale."""

    def __init__(self, board: Board, stock: Stock, book: OrderBook, *, grace_ms: int) -> None:
        self._board = board
        self._stock = stock
        self._book = book
        self._grace_ms = grace_ms

    async def run_once(self) -> bool:
        """Sweep; whether a sale had more than one turn's worth. Raises Outage."""
        return await for_each([live for live in self._board.sales.values() if not live.fenced], self._sweep)

    async def _sweep(self, live: LiveSale) -> bool:
        # Closing orders stay in the list until WeChat has answered, so the list is longer than one turn.
        due = await self._stock.due(live.keys, live.epoch, grace_ms=self._grace_ms, count_max=SWEEP_COUNT_MAX * 10)
        if due is None:
            live.fence()
            return False
        sale_id = live.sale.sale_id
        lapsed = await self._book.find_lapsed(sale_id, State.HELD, now_ms=due.now_ms, count_max=SWEEP_COUNT_MAX)
        if lapsed:
            released = await self._book.release(lapsed, Event.LAPSED)
            telemetry.ORDERS_RELEASED.labels("lapsed").inc(len(released))
            if released:
                await self._stock.release(live.keys, live.epoch, released)
        unpaid = await self._book.find_lapsed(sale_id, State.PAYING, now_ms=due.now_ms, count_max=SWEEP_COUNT_MAX)
        if unpaid:
            await self._book.start_closing(unpaid, Event.LAPSED)
        if due.order_nos:
            await self._follow(live, due.order_nos)
        return len(lapsed) == SWEEP_COUNT_MAX or len(unpaid) == SWEEP_COUNT_MAX

    async def _follow(self, live: LiveSale, order_nos: list[str]) -> None:
        """Holds that outlived their deadline: tell Redis what the book has decided, and return the orphans."""
        known = await self._book.read_orders(order_nos)
        orphans = [order_no for order_no in order_nos if order_no not in known]
        released = [order_no for order_no, order in known.items() if not order.has_units]
        paid = [
            order_no
            for order_no, order in known.items()
            if order.has_units and order.state not in (State.HELD, State.PAYING, State.CLOSING)
        ]
        if orphans:
            await self._stock.release(live.keys, live.epoch, orphans, forget=True)
            telemetry.ORPHANS_RELEASED.inc(len(orphans))
            log.warning("orphan_holds_released", sale=live.sale.sale_id, count=len(orphans))
        if released:
            await self._stock.release(live.keys, live.epoch, released)
            telemetry.REPAIRS.labels("release").inc(len(released))
        if paid:
            codes = await self._stock.confirm(live.keys, live.epoch, paid)
            telemetry.REPAIRS.labels("confirm").inc(codes.count(ConfirmCode.CONFIRMED))
            # What a refund has returned since was refused while Redis took them for holds.
            kept = {order_no: known[order_no].claim().items for order_no in paid if known[order_no].gave_units_back}
            await self._stock.shrink(live.keys, live.epoch, kept)
