"""The desk of one sale in one worker."""

from dataclasses import dataclass

from engine.catalog.board import LiveSale
from engine.line.front.desk import LineDesk
from engine.orders.placing import Placer
from engine.stock.desk import StockDesk


@dataclass(slots=True)
class Desk:
    """One sale in this worker."""

    live: LiveSale
    stock: StockDesk
    line: LineDesk
    placer: Placer
