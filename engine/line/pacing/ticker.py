"""The ticker of one sale in one worker: looks at the line, and ticks when a tick is due.

Every worker has one. What they send is a compare-and-set, so together they move the line as one would. A worker that
cannot reach PostgreSQL does not tick: nobody could be admitted, so nobody's time may run.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.catalog.board import LiveSale
from engine.catalog.records import Entry, Sale
from engine.line.codes import TickCode
from engine.line.pacing.estimates import Estimates
from engine.line.pacing.heads import people_between
from engine.line.pacing.health import Pulse
from engine.line.pacing.keeper import Keeper
from engine.line.pacing.lanes import LaneTerms
from engine.line.pacing.ledger import PaceLedger
from engine.line.pacing.memory import Memory
from engine.line.pacing.pace import Knobs, Paced, limit_of, pace
from engine.line.pacing.scripts import PaceScripts, Ticked
from engine.line.sight import LineSight

EARLY_MS = 50  # workers look at their own times: who comes almost in time need not come again
LAG_STEP_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The settings of the pacing: how often a tick is due, how long a called person is waited for and how long a pass
    is good in serving time, and how many people may be saved up."""

    tick_ms: int = 250
    window_ms: int = 90_000
    pass_ms: int = 120_000
    burst_count: int = 100


def knobs_of(sale: Sale, beat: Beat, *, strain: float = 0.0) -> Knobs:
    """What the organizer and the settings say, and how hard this worker finds its work."""
    return Knobs(
        rate=sale.line_rate,
        concurrency=sale.line_concurrency,
        burst_count=beat.burst_count,
        window_ms=beat.window_ms,
        pass_ms=beat.pass_ms,
        lanes=tuple(
            LaneTerms(weight=lane.weight, public=lane.entry is Entry.EVERYONE, quota_units=lane.quota_units)
            for lane in sale.lanes
        ),
        strain=strain,
    )


def untaught(sale: Sale) -> Memory:
    """What the pacing goes by before anything has happened."""
    most = max((sku.per_order_max for sku in sale.skus), default=1)
    return Memory(estimates=Estimates.untaught(units_max=min(most, sale.per_buyer_max)))


class Ticker:
    """Sight and pace of one sale. `sight` is None until the line was seen, and while the sale is fenced."""

    def __init__(
        self,
        live: LiveSale,
        scripts: PaceScripts,
        ledger: PaceLedger,
        pulse: Pulse,
        beat: Beat,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.live = live
        self._scripts = scripts
        self._pulse = pulse
        self._beat = beat
        self._monotonic_s = monotonic_s
        self._seen_at_s = 0.0
        self.keeper = Keeper(
            live.sale.sale_id,
            ledger,
            monotonic_s=monotonic_s,
            took=lambda took_s: pulse.commits.add(took_s, monotonic_s()),
        )
        self.sight: LineSight | None = None
        self.memory = Memory()

    @property
    def limit(self) -> int:
        """How many people may be at the till at once, now."""
        return limit_of(self.memory, self.live.sale.line_concurrency)

    def age_s(self) -> float:
        """How old the sight is; infinite when there is none."""
        return self._monotonic_s() - self._seen_at_s if self.sight else float("inf")

    def redis_now_ms(self) -> int | None:
        """What the clock of Redis says now, as far as the sight knows."""
        return None if self.sight is None else self.sight.now_ms + int(self.age_s() * 1000)

    async def refresh(self) -> LineSight | None:
        """Look, and tick if it is time; None when the sale is fenced. Raises RedisAway; the old sight then ages out."""
        asked_at_s = self._monotonic_s()
        sight = await self._scripts.look(self.live, pass_ms=self._beat.pass_ms)
        self._pulse.redis.add(self._monotonic_s() - asked_at_s, asked_at_s)
        if sight is None or sight.epoch != self.live.epoch:
            if sight is None:
                self.live.fence()
            self.sight = None
            return None
        memory = Memory.unpack(sight.pace) if sight.pace else untaught(self.live.sale)
        self.sight, self.memory, self._seen_at_s = sight, memory, asked_at_s
        if self.keeper.healthy and self._is_due(sight):
            paced = pace(sight, memory, self._strained_knobs())
            ticked = await self._scripts.tick(self.live, sight.epoch, sight.tick, paced.move)
            if ticked.code is TickCode.TICKED:
                self.sight, self.memory = sight, memory = _after(sight, paced, ticked), paced.memory
        sale = self.live.sale
        self.keeper.note(sight, memory.trail, sale_round=sight.round or sale.round, final_round=sale.final_round)
        return sight

    def _is_due(self, sight: LineSight) -> bool:
        """Also while the sale is paused: such a tick moves nothing, and the pause counts as no time afterwards."""
        in_window = sight.opens_ms <= sight.now_ms < sight.closes_ms
        elapsed_ms = sight.now_ms - sight.ticked_ms
        # A clock that was put back is taken as it is now: waiting for the old time would stop the line for so long.
        timely = elapsed_ms < 0 or elapsed_ms >= self._beat.tick_ms - EARLY_MS
        return in_window and sight.drawn and not sight.final and timely

    def _strained_knobs(self) -> Knobs:
        strain = self._pulse.health(self._monotonic_s()).strain
        return knobs_of(self.live.sale, self._beat, strain=strain)


def _after(sight: LineSight, paced: Paced, ticked: Ticked) -> LineSight:
    """The sight with what the tick has just changed."""
    lanes = tuple(
        replace(lane, head=head, called=lane.called + people_between(lane, lane.head, head))
        for lane, head in zip(sight.lanes, paced.move.heads, strict=True)
    )
    return replace(
        sight,
        lanes=lanes,
        tick=ticked.tick,
        now_ms=ticked.ticked_ms,
        ticked_ms=ticked.ticked_ms,
        serving_ms=ticked.serving_ms,
        final=ticked.final,
        pace=paced.move.pace,
    )


class LagProbe:
    """Measures how late this worker's loop wakes who wants to be woken."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse

    async def run_once(self) -> bool:
        """One measurement. A job: there is never more to do at once."""
        began_s = time.monotonic()
        await asyncio.sleep(LAG_STEP_S)
        now_s = time.monotonic()
        self._pulse.lags.add(max(0.0, now_s - began_s - LAG_STEP_S), now_s)
        return False
