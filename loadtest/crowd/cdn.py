"""The CDN in front of the line document.

The document is the same for everybody and may be kept for a moment, so in front of a real drop a CDN
answers the crowd and asks the engine a few times a second, however many people wait. This cache does the
same for simulated buyers: one request per `REFRESH_S`, the last good document while the engine is away (a
CDN's stale-if-error), and every buyer computes their own distance from it. What the engine can answer
without a CDN is the bench's question.
"""

from __future__ import annotations

import asyncio

from yarl import URL

from loadtest.crowd.calls import Calls
from loadtest.crowd.line import LineDocument, line_from
from loadtest.wires.loop import Outage, Wire

REFRESH_S = 0.25


class LineCache:
    """Holds the newest line document, and when it called whom; `run` refreshes it until cancelled."""

    def __init__(self, wire: Wire, url: URL) -> None:
        self._wire = wire
        self._url = url
        self._document: LineDocument | None = None
        self._seen: LineDocument | None = None
        self.calls = Calls()
        self.over = asyncio.Event()
        """The document says that nobody gets anything any more; the next look of whoever waits will tell them so."""
        self.read_count = 0

    async def first(self) -> LineDocument:
        while self._document is None:
            await self._refresh()
        return self._document

    def look(self) -> LineDocument:
        """What a buyer's poll gets; costs the engine nothing."""
        assert self._document is not None, "first() comes before look()"
        self.read_count += 1
        return self._document

    def seen(self) -> LineDocument:
        """The last document that told of lanes; a worker that is being restored knows none."""
        return self._seen or self.look()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            await self._refresh()

    async def _refresh(self) -> None:
        try:
            reply = await self._wire.ask("line", "GET", self._url)
        except Outage:
            return
        if reply.status == 200:
            self._document = line_from(reply.body)
            if self._document.lanes:
                self._seen = self._document
            self.calls.note(self._document.lanes, at_s=asyncio.get_running_loop().time())
            if self._document.is_over:
                self.over.set()
            else:
                self.over.clear()
