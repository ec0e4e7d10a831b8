"""One buyer's way through the line: joining, waiting, being called, claiming a pass.

Whoever joins before the opening stands in the lobby and learns the position after the draw; whoever comes later
stands behind. The place is kept by the phone and shown again whenever the app was killed or the engine asks for it;
another place than before is a complaint. Whoever is told to come back does so when told.

It refuses to know what is bought: it ends with a pass in hand, or with the reason for leaving without one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from loadtest.crowd.answers import Refusal
from loadtest.crowd.cdn import REFRESH_S, LineCache, Screen
from loadtest.crowd.fairness import Claiming
from loadtest.crowd.journal import Journal
from loadtest.crowd.line import LineDocument, Pass, Place
from loadtest.crowd.population import Persona
from loadtest.crowd.protocol import Phone

AGAIN = frozenset({"NOT_YOUR_TURN", "NO_ROOM", "NOT_OPEN", "DRAWING", "PAUSED", "TOO_OFTEN"})
"""Not now: ask again when told."""
CLOSED = frozenset({"NOT_OPEN", "PAUSED"})
OVER = frozenset({"SOLD_OUT", "ENDED"})
SOON_MS = 500
FORGETS = 12
FORGETS_WITHIN_S = 20.0
"""One phone in so many is restarted within this time after the opening and asks for its place again."""


@dataclass(frozen=True, slots=True)
class Left:
    """Why somebody left the line. `wanting`: they would still have bought."""

    why: str
    wanting: bool = False


class Waiting:
    """The line as one buyer meets it. `opens_at` is a moment of the phone's clock, in seconds."""

    __slots__ = (
        "_cache",
        "_claiming",
        "_journal",
        "_leaves_s",
        "_luck",
        "_opens_at",
        "_persona",
        "_phone",
        "_place",
        "_screen",
    )

    def __init__(
        self,
        persona: Persona,
        phone: Phone,
        *,
        cache: LineCache,
        screen: Screen,
        journal: Journal,
        opens_at: float,
        luck: Callable[[float], float],
    ) -> None:
        self._persona = persona
        self._phone = phone
        self._cache = cache
        self._screen = screen
        self._journal = journal
        self._opens_at = opens_at
        self._luck = luck
        self._leaves_s = math.inf
        self._place: Place | None = None
        self._claiming: Claiming | None = None

    async def join(self) -> Left | None:
        """Take a place, or the same one again. Raises Outage."""
        self._leaves_s = min(self._leaves_s, self._phone.now() + self._persona.leaves_after_s)
        while True:
            answer = await self._phone.join(lane=self._persona.lane, shown=self._place.seal if self._place else None)
            if isinstance(answer, Place):
                self._keep(answer)
                return None
            if answer.code in OVER:
                return Left("sold out while in the line", wanting=True)
            if answer.code not in AGAIN:
                return Left(f"place refused: {answer.code}")
            await self._rest(answer)

    async def until_called(self) -> Left | None:
        """Poll the shared document until it calls this place. Raises Outage."""
        forgets_at = self._opens_at + self._luck(FORGETS_WITHIN_S) if self._persona.whim % FORGETS == 0 else math.inf
        patience_ends = math.inf
        while True:
            document, now = await self._screen.look(self._phone), self._phone.now()
            place = self._known()
            if document.is_over:
                return Left("sold out while in the line", wanting=self._persona.away_s < math.inf)
            if place.position is None and document.is_drawn:
                await self._learn_position()
                continue
            if document.is_live and document.calls(place):
                return await self._come(document)
            if document.is_all_held and not document.calls(place):
                patience_ends = min(patience_ends, now + self._persona.patience_s)
                if now >= patience_ends:
                    return Left("gave up while others hold the rest")
            if now >= self._leaves_s:
                return Left("gave up waiting")
            if now >= forgets_at:
                forgets_at = math.inf
                if (left := await self.join()) is not None:
                    return left
            await self._phone.rest(self._next_look_s(document), unless=self._cache.over)

    async def claim(self) -> Pass | Left:
        """Ask for the pass until there is one. Raises Outage."""
        while True:
            place = self._known()
            asked_s = self._phone.now()
            answer = await self._phone.claim(place)
            self._note(place, answer, asked_s=asked_s)
            if isinstance(answer, Pass):
                return answer
            if answer.code in OVER:
                return Left("sold out when called", wanting=True)
            if answer.code == "PLACE_VOID":
                if (left := await self.join()) is not None:
                    return left
            elif answer.code in AGAIN and self._phone.now() >= self._leaves_s:
                return Left("gave up waiting")
            elif answer.code not in AGAIN:
                self._journal.complain(f"a claim was refused with {answer.status} {answer.code}")
                return Left(f"pass refused: {answer.code}")
            else:
                await self._rest(answer)

    # The place.

    def _known(self) -> Place:
        assert self._place is not None, "join() comes first"
        return self._place

    def _keep(self, place: Place) -> None:
        """One place for good: what was told once stays so."""
        before = self._place
        if before is not None and (before.lane, before.cohort) != (place.lane, place.cohort):
            self._journal.complain("a place changed its lane or cohort", about=self._phone.openid)
        if before is not None and None not in (before.position, place.position) and before.position != place.position:
            what = f"a {place.cohort} place moved"
            self._journal.complain(what, about=f"{self._phone.openid}: {before.position} to {place.position}")
        if before is None or place.position is not None:
            self._place = place
            self._journal.keep_place(self._phone, place)

    async def _learn_position(self) -> None:
        answer = await self._phone.where(self._known())
        if isinstance(answer, Place):
            self._keep(answer)
        elif answer.code not in AGAIN:
            self._journal.complain(f"one's own place was refused with {answer.status} {answer.code}")
        if self._known().position is None:
            await self._phone.rest(REFRESH_S + self._luck(0.5))

    # Being called.

    async def _come(self, document: LineDocument) -> Left | None:
        """Look up after a while; some have gone for good."""
        if self._claiming is None:
            place = self._known()
            assert place.position is not None
            called_s = self._cache.calls.when_s(place.lane, place.position)
            self._claiming = Claiming(lane=place.lane, position=place.position, called_s=called_s)
            self._journal.claimings.append(self._claiming)
            if self._persona.away_s == math.inf:
                return Left("did not come when called")
            await self._phone.rest(self._persona.away_s)
        return None

    def _note(self, place: Place, answer: Pass | Refusal, *, asked_s: float) -> None:
        claiming = self._claiming
        if claiming is None:
            return
        claiming.asked(asked_s)
        if isinstance(answer, Pass):
            claiming.admitted(asked_s=asked_s, answered_s=self._phone.now())
        elif answer.code == "NO_ROOM":
            claiming.refused(asked_s=asked_s, answered_s=self._phone.now())
            self._journal.room_waits += 1
        elif answer.code in CLOSED:
            claiming.paused()

    # Time.

    def _next_look_s(self, document: LineDocument) -> float:
        if self._persona.looks_every_s is not None:
            return self._persona.looks_every_s * (0.75 + self._luck(0.5))
        place, opens_in_s = self._known(), max(0.0, self._opens_at - self._phone.now())
        wait_s = document.look_again_s(place, opens_in_s=opens_in_s, luck=self._luck(1.0))
        # Whoever counts down looks right after the opening, as soon as the CDN can know of it.
        return min(wait_s, opens_in_s + REFRESH_S + 0.1 + self._luck(0.5)) if opens_in_s else wait_s

    async def _rest(self, refusal: Refusal) -> None:
        """As long as told, and a little more, so that those who were told the same do not come together."""
        told_s = (refusal.retry_after_ms or SOON_MS) / 1000
        await self._phone.rest(told_s * (1 + self._luck(0.1)))
