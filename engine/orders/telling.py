"""Telling Redis what the book has decided: an order has no units any more, or it is paid.

The book comes first, so telling may be repeated, and whoever tells may die on the way: what was decided lately is told
again by every audit and every rebuild, and the sweeper finds the rest at its deadline. A process that has not heard
of a rebuild yet speaks under an old epoch; then it asks for the new one.
"""

from collections.abc import Sequence

import structlog

from engine.catalog.board import LiveSale
from engine.infra.outage import Outage
from engine.orders.book import OrderBook
from engine.orders.states import OPEN
from engine.stock.codes import ConfirmCode, ReleaseCode
from engine.stock.stock import Stock

log = structlog.get_logger(__name__)

TELL_COUNT_MAX = 250  # order numbers per script: well under a millisecond


async def tell_released(live: LiveSale, stock: Stock, book: OrderBook, order_nos: Sequence[str]) -> None:
    """The units of these orders are free."""
    try:
        if ReleaseCode.FENCED in await stock.release(live.keys, live.epoch, order_nos):
            await stock.release(live.keys, await book.read_epoch(live.sale.sale_id), order_nos)
    except Outage as outage:
        log.warning("release_will_be_told_again", reason=str(outage))


async def tell_paid(live: LiveSale, stock: Stock, book: OrderBook, order_nos: Sequence[str]) -> None:
    """The units of these orders are sold."""
    epoch = live.epoch
    try:
        codes = await stock.confirm(live.keys, epoch, order_nos)
        if ConfirmCode.FENCED in codes:
            epoch = await book.read_epoch(live.sale.sale_id)
            codes = await stock.confirm(live.keys, epoch, order_nos)
        missing = [order_no for order_no, code in zip(order_nos, codes, strict=True) if code is ConfirmCode.MISSING]
        # Late money took back a released order, and Redis heard of the release only after that.
        for order in (await book.read_orders(missing)).values() if missing else ():
            if order.has_units and order.state not in OPEN:
                await stock.retake(live.keys, epoch, order.claim())
    except Outage as outage:
        log.warning("payment_will_be_told_again", reason=str(outage))


async def tell_decided(live: LiveSale, stock: Stock, book: OrderBook, *, age_s: float) -> None:
    """Everything that was decided within this time, again. Raises PostgresAway."""
    released, paid = await book.find_decided(live.sale.sale_id, age_s=age_s)
    for at in range(0, len(released), TELL_COUNT_MAX):
        await tell_released(live, stock, book, released[at : at + TELL_COUNT_MAX])
    for at in range(0, len(paid), TELL_COUNT_MAX):
        await tell_paid(live, stock, book, paid[at : at + TELL_COUNT_MAX])
