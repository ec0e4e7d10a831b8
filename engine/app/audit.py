"""A single audit, of its own process."""

from contextlib import AsyncExitStack

from engine.app.house import build_house
from engine.config import Config
from engine.orders.auditor import Auditor, AuditReport


async def audit(config: Config) -> AuditReport:
    async with AsyncExitStack() as stack:
        house = await build_house(config, stack, "floodgate-audit", patient=False)
        await house.board.refresh()
        return await Auditor(house.board, house.stock, house.book, house.rebuilder).audit()
