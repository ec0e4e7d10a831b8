"""Telling Redis what the book has decided: an order has no units any more, or it is paid.

The book comes first, so telling may be repeated, and losing it costs time only: the sweeper finds the claim at its
deadline. A process that has not heard of a rebuild yet speaks under an old epoch; then it asks for the new one, and
the units need not wait for their deadline.
"""

from collections.abc import Sequence

import structlog

from engine.catalog.board import LiveSale
from engine.infra.outage import Outage
from engine.orders.book import OrderBook
from engine.stock.codes import ConfirmCode, ReleaseCode
from engine.stock.stock import Stock

log = structlog.get_logger(__name__)


async def tell_released(live: LiveSale, stock: Stock, book: OrderBook, order_nos: Sequence[str]) -> None:
    """The units of these orders are free."""
    try:
        if ReleaseCode.FENCED in await stock.release(live.keys, live.epoch, order_nos):
            await stock.release(live.keys, await book.read_epoch(live.sale.sale_id), order_nos)
    except Outage as outage:
        log.warning("release_left_to_the_sweeper", reason=str(outage))


async def tell_paid(live: LiveSale, stock: Stock, book: OrderBook, order_nos: Sequence[str]) -> None:
    """The units of these orders are sold."""
    try:
        if ConfirmCode.FENCED in await stock.confirm(live.keys, live.epoch, order_nos):
            await stock.confirm(live.keys, await book.read_epoch(live.sale.sale_id), order_nos)
    except Outage as outage:
        log.warning("confirm_left_to_the_sweeper", reason=str(outage))
