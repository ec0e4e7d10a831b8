"""Writes down how far a line has come, behind the ticks and never in their way.

At most one write is on its way, and one begins a second at most; that a round is over is written at once. While
PostgreSQL is away the newest numbers wait, and the log as far as it is bounded. The keeper also is how a worker
notices that PostgreSQL is away: then it ticks no more, and the serving clock stands still for everybody.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

import structlog

from engine.infra.outage import PostgresAway
from engine.line.pacing.ledger import PaceLedger
from engine.line.pacing.memory import TickRow
from engine.line.sight import LineSight

log = structlog.get_logger(__name__)

EVERY_S = 1.0
ROWS_MAX = 5_000  # twenty minutes of ticks
LOG_COUNT_MAX = 500


class Keeper:
    """The write-behind of one sale in one worker."""

    def __init__(
        self,
        sale_id: str,
        ledger: PaceLedger,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        took: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`took` is told how long each write took, in seconds."""
        self._sale_id = sale_id
        self._ledger = ledger
        self._monotonic_s = monotonic_s
        self._took = took
        self._newest: LineSight | None = None
        self._kept: tuple[int, ...] | None = None
        self._rows: deque[tuple[int, TickRow]] = deque(maxlen=ROWS_MAX)
        self._logged = (0, 0)  # epoch and tick of the newest row that is written or waits
        self._final_round = 0
        self._began_s = -EVERY_S
        self._writing: asyncio.Task[None] | None = None
        self.healthy = True

    def note(self, sight: LineSight, trail: tuple[TickRow, ...], *, sale_round: int, final_round: int) -> None:
        """Take what was seen. `final_round` is what the catalog says of it already."""
        self._newest = sight
        for row in trail:
            if (sight.epoch, row.tick) > self._logged:
                self._rows.append((sight.epoch, row))
                self._logged = (sight.epoch, row.tick)
        ends = sight.final and max(self._final_round, final_round) < sale_round
        due = self._monotonic_s() - self._began_s >= EVERY_S
        if self._writing is None and (due or (ends and self.healthy)) and (ends or self._unkept()):
            self._began_s = self._monotonic_s()
            self._writing = asyncio.get_running_loop().create_task(self._write(sale_round if ends else 0))

    async def settled(self) -> None:
        """Wait for the write that is on its way, if any."""
        if self._writing is not None:
            await self._writing

    def _unkept(self) -> bool:
        return bool(self._rows) or not self.healthy or _numbers(self._newest) != self._kept

    async def _write(self, final_round: int) -> None:
        try:
            sight = self._newest
            if sight is not None and sight.drawn and _numbers(sight) != self._kept:
                began_s = self._monotonic_s()
                await self._ledger.keep(self._sale_id, sight)
                self._took(self._monotonic_s() - began_s)
                self._kept = _numbers(sight)
            if final_round:
                await self._ledger.keep_final(self._sale_id, final_round)
                self._final_round = final_round
            await self._write_rows()
            self.healthy = True
        except PostgresAway as away:
            if self.healthy:
                log.warning("line_not_written_down", sale=self._sale_id, reason=str(away))
            self.healthy = False
        except Exception:  # nobody waits for this task: what goes wrong in it is told here, and tried again
            log.exception("line_not_written_down", sale=self._sale_id)
        finally:
            self._writing = None

    async def _write_rows(self) -> None:
        while self._rows:
            rows = [self._rows[at] for at in range(min(LOG_COUNT_MAX, len(self._rows)))]
            await self._ledger.log(self._sale_id, rows)
            for _ in rows:
                self._rows.popleft()


def _numbers(sight: LineSight | None) -> tuple[int, ...] | None:
    """What is written down of a sight."""
    if sight is None or not sight.drawn:
        return None
    lanes = (number for lane in sight.lanes for number in (lane.head, lane.tail))
    return (sight.epoch, sight.serving_ms, *lanes)
