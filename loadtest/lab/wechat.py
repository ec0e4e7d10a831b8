"""WeChat's simulator during a run: its faults set and put back, the orders it knew before, what its signatures cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from yarl import URL

from loadtest.books.stack import Ground, StackError
from loadtest.crowd.population import Behaviour
from loadtest.profiles.profile import Profile
from loadtest.wires.port import Wire


class Wechat:
    """Everything here may raise Outage."""

    def __init__(self, wire: Wire, ground: Ground) -> None:
        self._wire = wire
        self._ground = ground

    def _at(self, path: str) -> URL:
        return URL(self._ground.addresses().simulator_url) / "_admin" / path

    async def knobs(self) -> Mapping[str, Any]:
        return (await self._wire.ask("faults", "GET", self._at("faults"))).body

    async def turn(self, knobs: Mapping[str, Any]) -> None:
        """Those named change, the others stay. Raises StackError when it does not know one."""
        reply = await self._wire.ask("faults", "PUT", self._at("faults"), body=orjson.dumps(knobs))
        if reply.status != 200:
            raise StackError(f"WeChat's simulator refuses the profile's faults: {orjson.dumps(reply.body).decode()}")

    async def known_orders(self) -> frozenset[str]:
        ledger = await self._wire.ask("ledger", "GET", self._at("ledger"))
        return frozenset(row["out_trade_no"] for row in ledger.body["orders"])

    async def signing_s(self) -> dict[int, float] | None:
        """Process to the CPU that its signatures took since it began; None where the simulator does not say."""
        reply = await self._wire.ask("costs", "GET", self._at("costs"))
        if reply.status != 200:
            return None
        return {row["pid"]: row["sign_cpu_s"] + row["verify_cpu_s"] for row in reply.body["processes"]}


def loss_ends(profile: Profile) -> bool:
    """Whether notices must be lost no more once holds lapse: of money that arrives unannounced for an order that is
    closed nobody could learn, except from the next day's bill."""
    behaviours = profile.people.behaviours
    has_anomaly = behaviours is None or Behaviour.MONEY_AFTER_RELEASE in behaviours
    return has_anomaly and profile.wechat.get("callback_loss", 0) > 0


def spent_s(before: dict[int, float] | None, after: dict[int, float] | None) -> float | None:
    """By process: one that was killed takes its count with it, and its successor begins at nothing."""
    if before is None or after is None:
        return None
    return sum(max(0.0, seconds - before.get(pid, 0.0)) for pid, seconds in after.items())
