"""The organizer's person who watches a sale and turns its knobs, over the admin API.

An organizer reads the numbers, and if the run allows it changes how fast people are called, or pauses the sale for a
moment. It always leaves the sale open and with the pace it found. What the engine answers other than it should is a
complaint.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from yarl import URL

from loadtest.crowd.journal import Journal
from loadtest.wires.port import Reply, Wire

May = Literal["looks", "steers", "pauses"]
"""looks: only reads. steers: changes the pace now and then, too. pauses: and pauses the sale for a moment."""

STEERED_FOR_S = 3.0
PAUSED_FOR_S = 2.0
STEERS_SHARE = 0.25
PAUSES_SHARE = 0.15
PACE_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the organizer works: an admin listener, its key, and the sale."""

    admin_url: str
    admin_key: str
    sale: str


class Organizer:
    """One person with the admin API. Everything may raise Outage."""

    def __init__(self, wire: Wire, desk: Desk, *, journal: Journal, dice: random.Random, may: May = "looks") -> None:
        self._wire = wire
        self._sale = URL(desk.admin_url) / "admin/v1/sales" / desk.sale
        self._headers = {"Authorization": f"Bearer {desk.admin_key}"}
        self._journal = journal
        self._dice = dice
        self._may = may

    async def attend(self) -> None:
        """One look at the sale, and what follows from it."""
        await self.numbers()
        line = await self.line()
        lot = self._dice.random()
        if self._may == "pauses" and lot < PAUSES_SHARE:
            await self.pause_for(PAUSED_FOR_S)
        elif self._may != "looks" and lot < PAUSES_SHARE + STEERS_SHARE:
            await self.steer_for(STEERED_FOR_S, line)

    async def numbers(self) -> dict[str, Any]:
        """Stock and orders."""
        return self._well(await self._ask("admin_sale", "GET", self._sale), "the sale's numbers")

    async def line(self) -> dict[str, Any]:
        """The line: lanes, who waits, rate."""
        return self._well(await self._ask("admin_line", "GET", self._sale / "line"), "the line's numbers")

    async def steer(self, *, rate: int | None = None, concurrency: int | None = None) -> None:
        """Set what is given; the rest stays."""
        asked = {"rate": rate, "concurrency": concurrency}
        body = orjson.dumps({name: value for name, value in asked.items() if value is not None})
        self._well(await self._ask("admin_steer", "PATCH", self._sale / "line", body), "a change of pace")

    async def pause(self) -> None:
        self._well(await self._ask("admin_pause", "POST", self._sale / "pause"), "a pause")

    async def resume(self) -> None:
        self._well(await self._ask("admin_resume", "POST", self._sale / "resume"), "going on")

    async def pause_for(self, seconds: float) -> None:
        """Whatever happens meanwhile, the sale goes on afterwards."""
        await self.pause()
        try:
            await self._wire.sleep(seconds)
        finally:
            await self.resume()

    async def steer_for(self, seconds: float, line: dict[str, Any]) -> None:
        """Half or twice as fast, or as many, for a while; then as before."""
        rate, concurrency, by = line.get("line_rate"), line.get("line_concurrency"), self._dice.choice((0.5, 2.0))
        if rate is None and concurrency is None:
            return
        await self.steer(rate=_changed(rate, by), concurrency=_changed(concurrency, by))
        try:
            await self._wire.sleep(seconds)
        finally:
            await self.steer(rate=rate, concurrency=concurrency)

    async def _ask(self, kind: str, method: str, url: URL, body: bytes | None = None) -> Reply:
        return await self._wire.ask(kind, method, url, headers=self._headers, body=body)

    def _well(self, reply: Reply, what: str) -> dict[str, Any]:
        if reply.status != 200:
            self._journal.complain(f"the organizer was refused {what}: {reply.status} {reply.outcome}")
        return reply.body


def _changed(pace: int | None, by: float) -> int | None:
    return None if pace is None else min(PACE_MAX, max(1, round(pace * by)))
