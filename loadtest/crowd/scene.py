"""What everybody of one process shares before the first of them comes: the sale as it is published, the line document,
the moment of the opening on this process's clock.
"""

from __future__ import annotations

import time

from loadtest.crowd.answers import Sale, sale_from
from loadtest.crowd.buyer import Drop
from loadtest.crowd.cdn import Cdn, Direct, LineCache
from loadtest.crowd.journal import Journal
from loadtest.crowd.protocol import Shop
from loadtest.wires.port import Outage, Wire

SALE_MAX_S = 10.0
SALE_POLL_S = 0.1


async def set_scene(wire: Wire, shop: Shop, journal: Journal, *, cdn: bool) -> Drop:
    """Raises Outage when the engine does not answer or does not sell this."""
    sale = await read_sale(wire, shop)
    cache = LineCache(wire, shop.line)
    document = await cache.first()
    return Drop(
        sale=sale,
        cache=cache,
        screen=Cdn(cache) if cdn else Direct(cache),
        journal=journal,
        opens_at=wire.now() + (sale.opens_ms - document.now_ms) / 1000,
        wall_ms=lambda: time.time_ns() // 1_000_000,
    )


async def read_sale(wire: Wire, shop: Shop) -> Sale:
    """The workers learn of a new sale within a moment of its being applied. Raises Outage."""
    until = wire.now() + SALE_MAX_S
    while True:
        reply = await wire.ask("sale", "GET", shop.sale)
        if reply.status == 200:
            return sale_from(reply.body)
        if wire.now() > until:
            raise Outage(f"the sale is not there: {reply.status} {reply.outcome}")
        await wire.sleep(SALE_POLL_S)
