"""The desk of one sale in one worker: asks for reservations, and keeps a snapshot that answers a sold-out storm.

The snapshot is one observation of Redis, a quarter of a second old at most. It may refuse, never promise: a unit
is given out by Redis alone. It refuses only what cannot change by itself: before the opening, and once every unit is
sold and none is held. Even then it asks for buyers who had won an order by that instant, so that nobody who repeats
a successful request is told that the sale is sold out.
"""

import time

from engine import telemetry
from engine.catalog.board import LiveSale
from engine.stock.claim import Claim, Item
from engine.stock.codes import ReserveCode
from engine.stock.stock import Decision, Observation, Stock

SNAPSHOT_AGE_S_MAX = 1.0  # an older snapshot says nothing: the worker asks Redis
OPENING_MARGIN_MS = 100  # this close to the opening only the clock of Redis decides


class StockDesk:
    """Reservations and snapshot of one sale."""

    def __init__(self, live: LiveSale, stock: Stock) -> None:
        self.live = live
        self._stock = stock
        self._claimants: set[bytes] = set()
        self._epoch = -1  # the epoch of snapshot and claimants
        self._claimants_read = 0
        self._taken_at_s = 0.0
        self.snapshot: Observation | None = None

    async def reserve(self, claims: list[Claim]) -> list[Decision]:
        """Redis' decisions on a batch. Raises RedisAway: the outcome is unknown."""
        telemetry.RESERVE_CLAIMS.observe(len(claims))
        with telemetry.RESERVE_SECONDS.time():
            decisions = await self._stock.reserve(self.live.keys, self.live.epoch, claims)
        if decisions[0].code is ReserveCode.FENCED:
            self.live.fence()
        return decisions

    async def refresh(self) -> None:
        """Take a new snapshot. A fenced sale has none. Raises RedisAway; the old snapshot then ages out."""
        epoch = self.live.epoch
        if epoch != self._epoch:
            self.snapshot, self._epoch, self._claimants, self._claimants_read = None, epoch, set(), 0
        asked_at_s = time.monotonic()
        seen = await self._stock.observe(self.live.keys, epoch, self._claimants_read)
        if epoch != self.live.epoch:
            return
        if seen is None:
            self.snapshot = None
            self.live.fence()
            return
        self._claimants.update(seen.new_claimants)
        self._claimants_read += len(seen.new_claimants)
        self.snapshot, self._taken_at_s = seen, asked_at_s

    def age_s(self) -> float:
        """How old the snapshot is; infinite when there is none."""
        return time.monotonic() - self._taken_at_s if self.snapshot else float("inf")

    def redis_now_ms(self) -> int | None:
        """What the clock of Redis says now, as far as the snapshot knows."""
        if self.snapshot is None:
            return None
        return self.snapshot.now_ms + int(self.age_s() * 1000)

    def rules_out(self, buyer: bytes, items: tuple[Item, ...]) -> ReserveCode | None:
        """The refusal that the snapshot already knows, or None: ask Redis."""
        snapshot = self.snapshot
        if snapshot is None:
            return None
        age_s = time.monotonic() - self._taken_at_s
        if age_s > SNAPSHOT_AGE_S_MAX:
            return None
        if snapshot.now_ms + age_s * 1000 < snapshot.opens_ms - OPENING_MARGIN_MS:
            return ReserveCode.NOT_OPEN
        if buyer in self._claimants:
            return None
        for item in items:
            shelf = snapshot.shelves.get(item.sku_id)
            if shelf is not None and shelf.free <= 0 and shelf.held <= 0:
                return ReserveCode.SOLD_OUT
        return None
