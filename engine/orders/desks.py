"""The desks of every sale in this worker, and the refresher that keeps their snapshots young.

This is where stock and line meet: the public document tells of both.
"""

import asyncio
from collections.abc import Callable

import structlog

from engine.catalog.board import Board, LiveSale
from engine.infra.outage import Outage
from engine.line.front.desk import LineDesk
from engine.line.front.document import Band, LineDocument, band_of
from engine.orders.desk import Desk
from engine.orders.gauges import tell_gauges

log = structlog.get_logger(__name__)


class Desks:
    """Finds the desk of a sale; `open_desk` makes one for a sale seen for the first time."""

    def __init__(
        self,
        board: Board,
        open_desk: Callable[[LiveSale], Desk],
        *,
        publish: Callable[[str, LineDocument], None] = lambda _sale_id, _document: None,
    ) -> None:
        """`publish` is told every new document."""
        self._board = board
        self._open_desk = open_desk
        self._publish = publish
        self._desks: dict[str, Desk] = {}

    def of(self, sale_id: str) -> Desk | None:
        """The sale's desk, or None when there is no such sale. Raises PostgresAway until the catalog was read once."""
        desk = self._desks.get(sale_id)
        if desk is None or desk.live is not self._board.sales.get(sale_id):
            live = self._board.find(sale_id)
            if live is None:
                return None
            desk = self._desks[sale_id] = self._open_desk(live)
        return desk

    def line_of(self, sale_id: str) -> LineDesk | None:
        """The line of the sale."""
        desk = self.of(sale_id)
        return desk.line if desk else None

    async def run_once(self) -> bool:
        """Refresh every sale's snapshot and document."""
        desks = [desk for sale_id in list(self._board.sales) if (desk := self.of(sale_id))]
        await asyncio.gather(*(self._refresh(desk) for desk in desks))
        tell_gauges(desks)
        return False

    async def _refresh(self, desk: Desk) -> None:
        if not desk.live.fenced:
            for failure in await asyncio.gather(desk.stock.refresh(), desk.line.refresh(), return_exceptions=True):
                if isinstance(failure, Outage):
                    log.warning("snapshot_not_refreshed", sale=desk.live.sale.sale_id, reason=str(failure))
                elif failure is not None:
                    raise failure
        self._publish(desk.live.sale.sale_id, desk.line.write(_bands(desk)))


def _bands(desk: Desk) -> dict[str, Band]:
    """How much is left of each SKU, as far as this worker knows."""
    shelves = desk.stock.snapshot.shelves if desk.stock.snapshot else {}
    return {
        sku.sku_id: band_of(capacity=shelf.capacity, free=shelf.free, held=shelf.held)
        for sku in desk.live.sale.skus
        if (shelf := shelves.get(sku.sku_id))
    }
