"""One visitor's whole visit, whoever it is: what every engine calls, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from loadtest.crowd.bots import Bot
from loadtest.crowd.bots.forger import Forger
from loadtest.crowd.bots.forwarder import Forwarder
from loadtest.crowd.bots.hoarder import Hoarder
from loadtest.crowd.bots.poller import Poller
from loadtest.crowd.bots.robot import Robot
from loadtest.crowd.buyer import Buyer, Drop
from loadtest.crowd.population import Persona
from loadtest.crowd.protocol import Phone, Shop
from loadtest.wires.port import Wire

ROBOTS: Mapping[str, type[Robot]] = {
    "poller": Poller,
    "forger": Forger,
    "forwarder": Forwarder,
    "hoarder": Hoarder,
}


async def act(visitor: Persona | Bot, *, wire: Wire, shop: Shop, drop: Drop, seal: str | None = None) -> None:
    """From before the arrival to the end. Cancelled when the run ends, which counts as still asking.

    `seal` is what the engine gave a person on an earlier visit; a bot never has one.
    """
    if isinstance(visitor, Bot):
        await ROBOTS[visitor.kind](visitor, wire=wire, shop=shop, drop=drop).act()
    else:
        await Buyer(visitor, Phone(wire, shop, openid=visitor.openid, seal=seal), drop).act()
