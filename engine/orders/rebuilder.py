"""The rebuilder makes a sale whole again in Redis, from the ledger, whenever Redis has forgotten or may have.

It runs in every process; an advisory lock lets one of them work and the others wait. The lock only saves work: two
rebuilds at once have two epochs, and the older one stops. So it is a lease: PostgreSQL ends the transaction that holds
it when its process gives no sign of life, frozen or cut off, and another one takes over.

The new epoch is written to PostgreSQL before anything is read: from then on no order of an older epoch can be placed,
so what is read is complete. A sale that Redis has never seen takes the same way: there is one way into Redis, not two.
"""

import time
from typing import TYPE_CHECKING

import structlog

from engine import telemetry
from engine.catalog.board import Board, LiveSale
from engine.infra.jobs import for_each
from engine.infra.postgres import transaction
from engine.line.line import Line
from engine.orders.book import OrderBook
from engine.orders.telling import tell_decided
from engine.stock.codes import ClearCode, LoadCode, OpenCode
from engine.stock.stock import Stock, Terms

if TYPE_CHECKING:
    from engine.infra.postgres import Connection

log = structlog.get_logger(__name__)

LOAD_COUNT_MAX = 250  # claims per script: well under a millisecond
STATEMENT_S = 10.0  # no statement that decides an order takes longer between its first moment and its end
LEASE_MS = 5_000  # a page of claims takes some tens of milliseconds, even where everything is slow


class Rebuilder:
    """Restores fenced sales."""

    def __init__(self, board: Board, stock: Stock, line: Line, book: OrderBook) -> None:
        self._board = board
        self._stock = stock
        self._line = line
        self._book = book

    async def run_once(self) -> bool:
        """Restore every sale this process finds fenced. Raises Outage when a store is away."""
        fenced = [live for live in self._board.sales.values() if live.fenced]
        telemetry.SALE_FENCED.set(len(fenced))
        await for_each(fenced, self.restore)
        return False

    async def restore(self, live: LiveSale, *, even_if_whole: bool = False) -> bool:
        """Rebuild the sale, or find that it is whole already; False when another process is at it."""
        async with transaction(self._book.pool) as conn:
            if not await self._book.lease_rebuild(conn, live.sale.sale_id, lease_ms=LEASE_MS):
                return False
            await self._restore(live, conn, even_if_whole=even_if_whole)
        return True

    async def _restore(self, live: LiveSale, lease: "Connection", *, even_if_whole: bool) -> None:
        sale_id, keys = live.sale.sale_id, live.keys
        began_s = time.monotonic()
        epoch = await self._book.read_epoch(sale_id)
        whole = epoch > 0 and await self._stock.observe(keys, epoch) is not None
        if whole and not even_if_whole:
            live.reopened(epoch)
            return
        epoch = await self._book.raise_epoch(sale_id, epoch)
        code, redis_epoch = await self._stock.clear(keys, epoch)
        if code is ClearCode.STALE_EPOCH:  # PostgreSQL was restored from an older state than Redis has seen
            epoch = await self._book.raise_epoch(sale_id, redis_epoch)
            await self._stock.clear(keys, epoch)
        claims_count = 0
        async for page in self._book.read_claims(sale_id):
            for at in range(0, len(page), LOAD_COUNT_MAX):
                if await self._stock.load(keys, epoch, page[at : at + LOAD_COUNT_MAX]) is LoadCode.STALE_EPOCH:
                    return  # a later rebuild has taken over
            claims_count += len(page)
            await self._book.show_life(lease)
        if not await self._line.restore(live, epoch, lambda: self._book.show_life(lease)):
            return
        # A sale that was paused while it was rebuilt must not open as this process last knew it.
        sale = await self._board.read(sale_id) or live.sale
        if await self._stock.open(keys, epoch, Terms.of(sale)) is OpenCode.STALE_EPOCH:
            return
        live.reopened(epoch)
        took_s = time.monotonic() - began_s
        # What was decided after its page had been read was told to a fenced sale.
        await tell_decided(live, self._stock, self._book, age_s=took_s + STATEMENT_S)
        telemetry.REBUILDS.inc()
        telemetry.REBUILD_SECONDS.observe(took_s)
        log.warning("sale_rebuilt", sale=sale_id, epoch=epoch, claims=claims_count, took_s=round(took_s, 3))
