"""One visitor's whole visit, whoever it is: what every engine calls, and nothing else."""

from __future__ import annotations

from loadtest.crowd.bots import Bot
from loadtest.crowd.buyer import Buyer, Drop
from loadtest.crowd.population import Persona
from loadtest.crowd.protocol import Phone, Shop
from loadtest.wires.port import Wire


async def act(visitor: Persona | Bot, *, wire: Wire, shop: Shop, drop: Drop) -> None:
    """From before the arrival to the end. Cancelled when the run ends, which counts as still asking."""
    phone = Phone(wire, shop, openid=visitor.openid)
    if isinstance(visitor, Bot):
        raise NotImplementedError
    await Buyer(visitor, phone, drop).act()
