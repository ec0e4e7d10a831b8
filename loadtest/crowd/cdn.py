"""How phones come by the line document: through a CDN, or each from the engine itself.

The document is the same for everybody and may be kept for a moment, so in front of a real drop a CDN answers the crowd
and asks the engine a few times a second, however many people wait. `Cdn` does the same for simulated buyers: one
request per `REFRESH_S`, the last good document while the engine is away (a CDN's stale-if-error), and every buyer
computes their own distance from it. `Direct` is a drop without one: every look is a request.
"""

from __future__ import annotations

from typing import Protocol

from yarl import URL

from loadtest.crowd.answers import Refusal
from loadtest.crowd.calls import Calls
from loadtest.crowd.line import LineDocument, line_from
from loadtest.crowd.protocol import Phone
from loadtest.wires.port import Outage, Wire

REFRESH_S = 0.25


class Screen(Protocol):
    """What shows a phone the line."""

    async def look(self, phone: Phone) -> LineDocument:
        """The document as this phone gets it now."""


class LineCache:
    """The newest line document that this process has seen, and when it called whom."""

    def __init__(self, wire: Wire, url: URL) -> None:
        self._wire = wire
        self._url = url
        self._document: LineDocument | None = None
        self._seen: LineDocument | None = None
        self.calls = Calls()
        self.over = wire.signal()
        """The document says that nobody gets anything any more; the next look of whoever waits will tell them so."""
        self.read_count = 0

    async def first(self) -> LineDocument:
        while self._document is None:
            await self.refresh()
        return self._document

    def newest(self) -> LineDocument:
        """The last document that came."""
        assert self._document is not None, "first() comes before newest()"
        return self._document

    def seen(self) -> LineDocument:
        """The last document that told of lanes; a worker that is being restored knows none."""
        return self._seen or self.newest()

    def keep(self, document: LineDocument) -> None:
        self._document = document
        if document.lanes:
            self._seen = document
        self.calls.note(document.lanes, at_s=self._wire.now())
        if document.is_over:
            self.over.set()
        else:
            self.over.clear()

    def note(self, document: LineDocument) -> None:
        """Somebody saw this without asking the cache: whom it calls is known from now on."""
        self.calls.note(document.lanes, at_s=self._wire.now())

    async def run(self) -> None:
        """Ask again and again, as a CDN does, until cancelled."""
        while True:
            await self._wire.sleep(REFRESH_S)
            await self.refresh()

    async def refresh(self) -> None:
        """Ask the engine once; the old document stays while it is away."""
        try:
            reply = await self._wire.ask("line", "GET", self._url)
        except Outage:
            return
        if reply.status == 200:
            self.keep(line_from(reply.body))


class Cdn:
    """A look costs the engine nothing."""

    def __init__(self, cache: LineCache) -> None:
        self._cache = cache

    async def look(self, phone: Phone) -> LineDocument:
        self._cache.read_count += 1
        return self._cache.newest()


class Past:
    """A look goes past the cache, for whoever asks the engine although a CDN stands there. Raises Outage."""

    def __init__(self, cache: LineCache) -> None:
        self._cache = cache

    async def look(self, phone: Phone) -> LineDocument:
        answer = await phone.line()
        if isinstance(answer, Refusal):
            return self._cache.newest()
        document = line_from(answer)
        self._cache.note(document)
        return document


class Direct:
    """A look is a request. Raises Outage."""

    def __init__(self, cache: LineCache) -> None:
        self._cache = cache

    async def look(self, phone: Phone) -> LineDocument:
        answer = await phone.line()
        self._cache.read_count += 1
        if isinstance(answer, Refusal):
            return self._cache.newest()
        document = line_from(answer)
        self._cache.keep(document)
        return document
