"""Telling Redis what the book has decided: an order has no units any more, it is paid, or a refund returned some.

The book comes first, so telling may be repeated, and whoever tells may die on the way: what was decided lately is told
again by every audit and every rebuild, and the sweeper finds the rest at its deadline. A process that has not heard
of a rebuild yet speaks under an old epoch; then it asks for the new one.
"""

from collections.abc import Mapping, Sequence

import structlog

from engine.catalog.board import LiveSale
from engine.infra.outage import Outage
from engine.orders.book import OrderBook
from engine.orders.states import OPEN
from engine.stock.claim import Item
from engine.stock.codes import ConfirmCode, ReleaseCode, ShrinkCode
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
        await _take_again(live, stock, book, epoch, missing)
    except Outage as outage:
        log.warning("payment_will_be_told_again", reason=str(outage))


async def tell_kept(live: LiveSale, stock: Stock, book: OrderBook, kept: Mapping[str, Sequence[Item]]) -> None:
    """A refund was decided for each of these orders, and they keep only these units; the others are free."""
    order_nos = list(kept)
    for at in range(0, len(order_nos), TELL_COUNT_MAX):
        some = {order_no: kept[order_no] for order_no in order_nos[at : at + TELL_COUNT_MAX]}
        try:
            await _tell_kept(live, stock, book, some)
        except Outage as outage:
            log.warning("refund_will_be_told_again", reason=str(outage))


async def _tell_kept(live: LiveSale, stock: Stock, book: OrderBook, kept: Mapping[str, Sequence[Item]]) -> None:
    epoch = live.epoch
    codes = await stock.shrink(live.keys, epoch, kept)
    if ShrinkCode.FENCED in codes.values():
        epoch = await book.read_epoch(live.sale.sale_id)
        codes = await stock.shrink(live.keys, epoch, kept)
    held = {order_no: kept[order_no] for order_no, code in codes.items() if code is ShrinkCode.WRONG_STATE}
    if held:  # Redis has not heard yet that they were paid, or released before that
        await stock.confirm(live.keys, epoch, list(held))
        await stock.shrink(live.keys, epoch, held)
    missing = [order_no for order_no, code in codes.items() if code is ShrinkCode.MISSING and kept[order_no]]
    await _take_again(live, stock, book, epoch, missing)


async def _take_again(live: LiveSale, stock: Stock, book: OrderBook, epoch: int, missing: Sequence[str]) -> None:
    """Late money took back a released order, and Redis heard of the release only after that."""
    for order in (await book.read_orders(missing)).values() if missing else ():
        if order.has_units and order.state not in OPEN:
            await stock.retake(live.keys, epoch, order.claim())


async def tell_decided(live: LiveSale, stock: Stock, book: OrderBook, *, age_s: float) -> None:
    """Everything that was decided within this time, again. Raises PostgresAway."""
    found = await book.find_decided(live.sale.sale_id, age_s=age_s)
    for at in range(0, len(found.released), TELL_COUNT_MAX):
        await tell_released(live, stock, book, found.released[at : at + TELL_COUNT_MAX])
    for at in range(0, len(found.paid), TELL_COUNT_MAX):
        await tell_paid(live, stock, book, found.paid[at : at + TELL_COUNT_MAX])
    await tell_kept(live, stock, book, found.kept)
