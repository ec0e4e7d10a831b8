"""An account that looks at the line many times a second, past every cache, and otherwise buys as people do: it gains
nothing by it, because a place is called in its order whoever looks."""

from __future__ import annotations

from dataclasses import replace

from loadtest.crowd.bots.robot import Robot
from loadtest.crowd.buyer import Buyer
from loadtest.crowd.cdn import Past


class Poller(Robot):
    async def act(self) -> None:
        every_s = 1 / self._bot.looks_per_s
        persona = replace(self._persona(self._bot.openid), arrives_s=self._bot.arrives_s, looks_every_s=every_s)
        drop = replace(self._drop, screen=Past(self._drop.cache))
        await Buyer(persona, self._phone(self._bot.openid), drop).act()
