"""The board: the catalog as one process knows it, read again every second.

A worker decides nothing from it that Redis or PostgreSQL would decide otherwise; it saves them the questions.
When PostgreSQL is away the last reading stays in force.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.catalog.records import Sale, Sku
from engine.catalog.store import load_sales
from engine.infra.clock import ClockMs, wall_ms
from engine.infra.keys import SaleKeys
from engine.infra.outage import PostgresAway
from engine.infra.postgres import connection

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

# Longer than any payment of the sale can be on its way; nobody watches older sales four times a second.
KEPT_AFTER_CLOSING_MS = 7 * 86_400_000


@dataclass(slots=True)
class LiveSale:
    """A sale and what this process knows of its life: the epoch it speaks under, and whether it is fenced."""

    sale: Sale
    keys: SaleKeys
    epoch: int
    fenced: bool = False
    skus: dict[str, Sku] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.renew(self.sale)

    def renew(self, sale: Sale) -> None:
        """Take what the catalog says now."""
        self.sale = sale
        self.skus = {sku.sku_id: sku for sku in sale.skus}
        if sale.epoch > self.epoch:
            self.reopened(sale.epoch)

    def fence(self) -> None:
        """Redis does not know this sale, or knows it under another epoch: sell nothing until it is restored."""
        self.fenced = True

    def reopened(self, epoch: int) -> None:
        """The sale was found or made whole under this epoch."""
        self.epoch, self.fenced = epoch, False


@dataclass(slots=True)
class Board:
    """Every sale of the catalog that is to come, is running, or has closed lately."""

    pool: "Pool"
    now_ms: ClockMs = wall_ms
    sales: dict[str, LiveSale] = field(default_factory=dict)
    loaded: bool = False

    def find(self, sale_id: str) -> LiveSale | None:
        """The sale, or None when there is no such sale. Raises PostgresAway until the catalog was read once."""
        live = self.sales.get(sale_id)
        if live is None and not self.loaded:
            raise PostgresAway("this process has not read the catalog yet")
        return live

    async def read(self, sale_id: str) -> Sale | None:
        """The sale as the catalog has it at this moment. Raises PostgresAway."""
        async with connection(self.pool) as conn:
            return next((sale for sale in await load_sales(conn) if sale.sale_id == sale_id), None)

    async def refresh(self) -> bool:
        """Read the catalog again. Raises PostgresAway. A job: there is never more to do at once."""
        async with connection(self.pool) as conn:
            every = await load_sales(conn)
        oldest_ms = self.now_ms() - KEPT_AFTER_CLOSING_MS
        found = [sale for sale in every if sale.closes_ms > oldest_ms]
        for sale in found:
            live = self.sales.get(sale.sale_id)
            if live is None:
                self.sales[sale.sale_id] = LiveSale(sale, SaleKeys.of(sale.sale_id), sale.epoch)
            else:
                live.renew(sale)
        for gone in self.sales.keys() - {sale.sale_id for sale in found}:
            del self.sales[gone]
        self.loaded = True
        return False
