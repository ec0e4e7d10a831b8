"""Joining a sale's line in one worker: the lobby's way or the live one, whichever is open."""

import asyncio

from engine.catalog.board import LiveSale
from engine.infra.clock import ClockMs, wall_ms
from engine.line.joining.enrolling import Enroller
from engine.line.joining.ledger import JoinLedger
from engine.line.joining.live import LiveDesk
from engine.line.joining.lobby import LobbyDesk
from engine.line.joining.records import Joining, JoinRefusal
from engine.line.joining.roster import Roster
from engine.line.joining.scripts import JoinScripts
from engine.line.phases import Phase, phase_of
from engine.line.place import Place


class JoinDesk:
    """One place for each buyer of one sale, however often and wherever it is asked for."""

    def __init__(
        self,
        live: LiveSale,
        scripts: JoinScripts,
        ledger: JoinLedger,
        *,
        block_count: int,
        batch_count_max: int,
        queue_count_max: int,
        now_ms: ClockMs = wall_ms,
    ) -> None:
        self._live_sale = live
        self._now_ms = now_ms
        roster = Roster(live.sale.sale_id)
        self.enroller = Enroller(live, roster, scripts, ledger)
        self._lobby = LobbyDesk(live, roster, scripts, ledger, self.enroller, queue_count_max=queue_count_max)
        self._live = LiveDesk(
            live,
            roster,
            scripts,
            ledger,
            self.enroller,
            block_count=block_count,
            batch_count_max=batch_count_max,
            queue_count_max=queue_count_max,
        )

    def join(self, joining: Joining) -> "asyncio.Future[Place | JoinRefusal]":
        """The buyer's place: the same one every time, whatever lane is asked for. The future raises Outage; Overloaded
        is raised at once.

        This worker's clock only chooses whom to ask. PostgreSQL says whether the lobby is open, Redis whether the
        draw is made.
        """
        match phase_of(self._live_sale.sale, now_ms=self._now_ms(), drawn=False):
            case Phase.DRAFT:
                return _known(JoinRefusal.NOT_OPEN_YET)
            case Phase.ENDED:
                return _known(JoinRefusal.ENDED)
            case Phase.LOBBY:
                return asyncio.ensure_future(self._join_lobby(joining))
            case Phase.SEALED | Phase.LIVE:
                return self._live.join(joining)

    async def _join_lobby(self, joining: Joining) -> Place | JoinRefusal:
        answer = await self._lobby.join(joining)
        return await self._live.join(joining) if answer is JoinRefusal.SEALING else answer

    def refresh(self) -> None:
        """A few times a second: what the roster could not be told is told again, in the background."""
        self.enroller.tell()


def _known(refusal: JoinRefusal) -> "asyncio.Future[Place | JoinRefusal]":
    known: asyncio.Future[Place | JoinRefusal] = asyncio.get_running_loop().create_future()
    known.set_result(refusal)
    return known
