"""The desk of one sale in one worker."""

from dataclasses import dataclass, field

from engine.catalog.board import LiveSale
from engine.line.front.desk import LineDesk
from engine.orders.placing import Placer
from engine.orders.request import OrderBodies
from engine.stock.desk import StockDesk


@dataclass(slots=True)
class Desk:
    """One sale in this worker."""

    live: LiveSale
    stock: StockDesk
    line: LineDesk
    placer: Placer
    bodies: OrderBodies = field(default_factory=OrderBodies)
