"""The sealer closes lobbies at their time, makes the draw and publishes it. The builder prepares for that moment.

Both run in several processes without knowing of each other: each step is made once, by whoever comes first, and the
next step finds what the last one left, also after a crash. Once a draw is published a turn costs nothing.
"""

import asyncio
from collections.abc import Callable

import structlog

from engine.catalog.board import Board, LiveSale
from engine.infra.clock import ClockMs, wall_ms
from engine.infra.jobs import for_each
from engine.line.draw.beacon import Beacon
from engine.line.draw.draws import Draws
from engine.line.draw.merkle import CHUNK
from engine.line.draw.records import BeaconRecord, Drawing

log = structlog.get_logger(__name__)

SEAL_EVERY_S = 0.2
BUILD_EVERY_S = 0.5
BEACON_EVERY_S = 1.0
BEACON_TURN_S = 0.3  # a turn waits no longer for an answer: other sales have their draws to make


class Sealer:
    """Brings every sale whose lobby has closed to its published draw."""

    def __init__(
        self,
        board: Board,
        draws: Draws,
        beacon: Beacon,
        *,
        monotonic_s: Callable[[], float],
        now_ms: ClockMs = wall_ms,
    ) -> None:
        self._board = board
        self._draws = draws
        self._beacon = beacon
        self._monotonic_s = monotonic_s
        self._now_ms = now_ms
        self._published: dict[str, int] = {}
        self._asked_s: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[BeaconRecord | str]] = {}

    async def run_once(self) -> bool:
        """One turn over all sales at once, so that a slow beacon keeps nobody else waiting. Raises Outage."""
        due = [live for live in self._board.sales.values() if self._is_due(live)]
        for failure in await asyncio.gather(*(self.settle(live) for live in due), return_exceptions=True):
            if isinstance(failure, BaseException):
                raise failure
        return False

    @property
    def asking(self) -> bool:
        """Whether a beacon has yet to answer."""
        return bool(self._asking)

    async def settle(self, live: LiveSale) -> bool:
        """Seal, draw and publish as far as it goes now; True once the draw is published. Raises Outage."""
        sale_id, epoch = live.sale.sale_id, live.epoch
        drawing = await self._draws.read(sale_id, fresh=True)
        if drawing is not None and not drawing.sealed:
            if not await self._draws.ledger.seal(sale_id):
                return False
            drawing = await self._draws.read(sale_id, fresh=True)
        if drawing is None:
            return False
        if not drawing.drawn:
            record = await self._record(drawing)
            if drawing.beacon_url is not None and record is None:
                return False
            await self._draws.ledger.draw(sale_id, record)
            log.info("drawn", sale=sale_id, people=sum(one.count for one in drawing.lanes))
        # A fenced sale hears of its draw when it has been rebuilt.
        if live.fenced or not await self._draws.publish(live, epoch):
            return False
        self._published[sale_id] = epoch
        return True

    def _is_due(self, live: LiveSale) -> bool:
        if self._now_ms() < live.sale.draws_ms:
            return False
        return self._published.get(live.sale.sale_id) != live.epoch

    async def _record(self, drawing: Drawing) -> BeaconRecord | None:
        """The beacon's round, asked for once a second until it is there; an answer that is late is taken in a later
        turn."""
        url, number = drawing.beacon_url, drawing.beacon_round
        if url is None or number is None:
            return None
        asking = self._asking.get(drawing.sale_id)
        if asking is None:
            now_s = self._monotonic_s()
            if now_s - self._asked_s.get(drawing.sale_id, -BEACON_EVERY_S) < BEACON_EVERY_S:
                return None
            self._asked_s[drawing.sale_id] = now_s
            asking = self._asking[drawing.sale_id] = asyncio.create_task(self._beacon.record(url, number))
        await asyncio.wait({asking}, timeout=BEACON_TURN_S)
        if not asking.done():
            return None
        self._asking.pop(drawing.sale_id, None)
        found = asking.result()
        if isinstance(found, str):
            log.warning("waiting_for_beacon", sale=drawing.sale_id, reason=found)
            return None
        return found


class Builder:
    """Computes the roots of full chunks while lobbies are open."""

    def __init__(self, board: Board, draws: Draws, *, now_ms: ClockMs = wall_ms) -> None:
        self._board = board
        self._ledger = draws.ledger
        self._now_ms = now_ms
        self._built: dict[tuple[str, int], int] = {}

    async def run_once(self) -> bool:
        """Catch up with every open lobby. Raises Outage."""
        now_ms = self._now_ms()
        opened = [one.sale for one in self._board.sales.values() if now_ms < one.sale.draws_ms]
        gathering = [sale.sale_id for sale in opened if now_ms >= (sale.lobby_opens_ms or 0)]
        lobbies = await self._ledger.lobbies(gathering) if gathering else []
        grown = [one for one in lobbies if one[2] // CHUNK > self._built.get(one[:2], 0)]
        return await for_each(grown, self._build)

    async def _build(self, lobby: tuple[str, int, int]) -> None:
        sale_id, lane, count = lobby
        await self._ledger.build(sale_id, lane, count)
        self._built[sale_id, lane] = count // CHUNK
