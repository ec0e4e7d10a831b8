"""The engine's own view of a sale, sampled from whichever admin listener answers."""

from __future__ import annotations

import asyncio

from yarl import URL

from loadtest.books.stack import Ground
from loadtest.books.verdict import HOLDING, Stock
from loadtest.wires.port import NOTHING_CAME, Body, Reply, Wire

SAMPLE_S = 0.4
IN_MOTION = HOLDING | {"refunding"}


class Watch:
    """Holds the newest sample; `run` refreshes it until cancelled."""

    def __init__(self, wire: Wire, ground: Ground, *, sale: str) -> None:
        self._wire = wire
        self._ground = ground
        self._sale = sale
        self.stock: dict[str, Stock] = {}
        self.orders_by_state: dict[str, int] = {}

    async def run(self) -> None:
        while True:
            await self.sample()
            await asyncio.sleep(SAMPLE_S)

    async def sample(self) -> bool:
        """Take one sample; False, and the old one stays, when no listener knows the stock now."""
        for url in self._ground.addresses().admin_urls:
            reply = await self._ask(url)
            if reply is not None:
                self.stock = {
                    row["sku"]: Stock(row["capacity"], row["free"], row["held"], row["sold"])
                    for row in reply.body["stock"]
                }
                self.orders_by_state = {state: n for state, n in reply.body["orders"].items() if n}
                return True
        return False

    async def everywhere(self) -> None:
        """Until every worker sells the sale: each learns of it by itself within a second."""
        for url in self._ground.addresses().admin_urls:
            while await self._ask(url) is None:  # noqa: ASYNC110 - nobody announces it
                await asyncio.sleep(SAMPLE_S)

    async def line(self) -> Body | None:
        """The engine's numbers of the line, as an operator sees them; None when no listener tells them."""
        for url in self._ground.addresses().admin_urls:
            reply = await self._get(f"{url}/admin/v1/sales/{self._sale}/line")
            if reply is not None:
                return reply.body
        return None

    async def _ask(self, url: str) -> Reply | None:
        reply = await self._get(f"{url}/admin/v1/sales/{self._sale}")
        return reply if reply is not None and reply.body["stock"] else None

    async def _get(self, url: str) -> Reply | None:
        headers = {"Authorization": f"Bearer {self._ground.addresses().admin_key}"}
        try:
            reply = await self._wire.once("GET", URL(url), headers=headers)
        except NOTHING_CAME:
            return None
        return reply if reply.status == 200 else None

    def in_motion(self) -> list[str]:
        """What has not come to rest; empty once every order has its end."""
        moving = [f"{count} {state} orders" for state, count in self.orders_by_state.items() if state in IN_MOTION]
        held = sum(row.held for row in self.stock.values())
        return moving + ([f"{held} held units"] if held else [])
