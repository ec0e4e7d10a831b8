"""The line never stands while units are free and people wait, whatever people do: stay away, come late, take a pass and
go, order and not pay. The pure pacing against a small crowd, tick by tick, without a clock or a store."""

import heapq
import random
from dataclasses import dataclass, field

import pytest

from engine.line.pacing.lanes import LaneTerms
from engine.line.pacing.memory import Memory
from engine.line.pacing.pace import Knobs, limit_of, pace
from engine.line.sight import Checkpoint, LaneSight, LineSight, Shelves

TICK_MS, WINDOW_MS, PASS_MS, HOLD_MS = 250, 90_000, 120_000, 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """How people are: which share of those who are called comes, of those with a pass orders, of those with an order
    pays, and how long each takes on average."""

    comes: float = 1.0
    orders: float = 1.0
    pays: float = 1.0
    quantity: int = 1
    slowness_ms: int = 8_000


@dataclass
class Town:
    """Five thousand people in each lane, the shelf, and the till."""

    crowd: Crowd
    units: int
    quotas: tuple[int | None, ...] = (None,)
    rate: int | None = None
    concurrency: int | None = None
    luck: random.Random = field(default_factory=lambda: random.Random(7))

    def __post_init__(self) -> None:
        self.free, self.held, self.sold, self.now_ms = self.units, 0, 0, TICK_MS
        lanes = range(len(self.quotas))
        self.lanes = [LaneSight(tail=5000, ceiling=5000) for _ in lanes]
        self.used, self.taken, self.lapsed = ([0 for _ in lanes] for _ in range(3))
        self.passes: dict[tuple[int, int], int] = {}
        self.claimers: list[tuple[int, int]] = []
        self.orders: set[tuple[int, int]] = set()
        self.coming: list[tuple[float, str, tuple[int, int]]] = []
        self.points: list[Checkpoint] = []
        self.memory, self.serving_ms, self.ticked_ms, self.tick = Memory(), 0, 0, 0
        terms = [LaneTerms(quota_units=quota) for quota in self.quotas]
        self.knobs = Knobs(
            rate=self.rate,
            concurrency=self.concurrency,
            burst_count=100,
            window_ms=WINDOW_MS,
            pass_ms=PASS_MS,
            lanes=terms,
        )

    def later(self, what: str, who: tuple[int, int], after_ms: float | None = None) -> None:
        wait_ms = self.luck.expovariate(1 / self.crowd.slowness_ms) if after_ms is None else after_ms
        heapq.heappush(self.coming, (self.now_ms + wait_ms, what, who))

    def live(self, until_ms: int) -> int:
        """Let time pass until everything is sold, or for so long; how long it took."""
        while self.sold < self.units and self.now_ms < until_ms:
            self.now_ms += TICK_MS
            self.people_act()
            self.the_line_ticks()
        return self.now_ms

    def people_act(self) -> None:
        while self.coming and self.coming[0][0] <= self.now_ms:
            _, what, (lane, position) = heapq.heappop(self.coming)
            getattr(self, what)(lane, position)
        self.passes = {who: end_ms for who, end_ms in self.passes.items() if not self.runs_out(who, end_ms)}
        room = limit_of(self.memory, self.concurrency) - len(self.passes) - len(self.orders)
        for who in sorted(self.claimers)[: max(0, room)]:
            self.claimers.remove(who)
            self.passes[who] = self.serving_ms + PASS_MS
            if self.luck.random() < self.crowd.orders:
                self.later("order", who)

    def runs_out(self, who: tuple[int, int], end_ms: int) -> bool:
        self.lapsed[who[0]] += end_ms <= self.serving_ms
        return end_ms <= self.serving_ms

    def come(self, lane: int, position: int) -> None:
        self.claimers.append((lane, position))
        for at in reversed(range(len(self.points))):
            if (point := self.points[at]).heads[lane] <= position:
                self.points[at] = Checkpoint(serving_ms=point.serving_ms, heads=point.heads, shown=point.shown + 1)
                break

    def order(self, lane: int, position: int) -> None:
        who, quantity, quota = (lane, position), self.crowd.quantity, self.quotas[lane]
        within = quota is None or self.used[lane] + quantity <= quota
        if who not in self.passes or self.free < quantity or not within:
            return
        del self.passes[who]
        self.orders.add(who)
        self.free, self.held = self.free - quantity, self.held + quantity
        self.used[lane] += quantity
        self.taken[lane] += 1
        if self.luck.random() < self.crowd.pays:
            self.later("pay", who)
        else:
            self.later("lapse", who, HOLD_MS)

    def pay(self, lane: int, position: int) -> None:
        self.orders.discard((lane, position))
        self.held, self.sold = self.held - self.crowd.quantity, self.sold + self.crowd.quantity

    def lapse(self, lane: int, position: int) -> None:
        self.orders.discard((lane, position))
        self.held, self.free = self.held - self.crowd.quantity, self.free + self.crowd.quantity
        self.used[lane] -= self.crowd.quantity

    def sight(self) -> LineSight:
        ages = [0] * 8
        for end_ms in self.passes.values():
            ages[min(7, 8 * (self.serving_ms + PASS_MS - end_ms) // PASS_MS)] += 1
        counts = zip(self.lanes, self.taken, self.lapsed, strict=True)
        return LineSight(
            epoch=1,
            now_ms=self.now_ms,
            drawn=True,
            final=False,
            tick=self.tick,
            ticked_ms=self.ticked_ms,
            serving_ms=self.serving_ms,
            pace=b"",
            lanes=tuple(
                LaneSight(
                    head=lane.head, tail=lane.tail, ceiling=lane.ceiling, called=lane.head, taken=taken, lapsed=gone
                )
                for lane, taken, gone in counts
            ),
            admitted=len(self.passes),
            claimers=len(self.claimers),
            orders_open=len(self.orders),
            held_until_ms=0,
            closes_ms=1 << 50,
            shelves=Shelves(free=self.free, held=self.held, sold=self.sold, used=tuple(self.used)),
            checkpoints=tuple(self.points),
            passes=tuple(ages),
        )

    def the_line_ticks(self) -> None:
        paced = pace(self.sight(), self.memory, self.knobs)
        heads = tuple(lane.head for lane in self.lanes)
        self.memory, self.tick = paced.memory, self.tick + 1
        self.serving_ms += min(1000, self.now_ms - self.ticked_ms) if self.ticked_ms else 0
        self.ticked_ms = self.now_ms
        del self.points[: paced.move.drop_count]
        if paced.move.checkpoint:
            self.points.append(Checkpoint(serving_ms=self.serving_ms, heads=heads))
        for lane, (before, head) in enumerate(zip(heads, paced.move.heads, strict=True)):
            self.lanes[lane] = LaneSight(head=head, tail=5000, ceiling=5000)
            for position in range(before, head):
                if self.luck.random() < self.crowd.comes:
                    self.later("come", (lane, position))


MINUTE_MS = 60_000


@pytest.mark.parametrize(
    ("town", "minutes"),
    [
        (Town(Crowd(), 100), 3),
        (Town(Crowd(comes=0.1), 40), 15),
        (Town(Crowd(orders=0.1), 40), 15),
        (Town(Crowd(pays=0.3), 40), 20),
        (Town(Crowd(quantity=4, comes=0.5), 40), 10),
        (Town(Crowd(), 10, concurrency=1), 6),
        (Town(Crowd(comes=0.3), 20, rate=1), 8),
        (Town(Crowd(slowness_ms=40_000), 40), 10),
        (Town(Crowd(comes=0.1), 20, quotas=(20,)), 15),
        (Town(Crowd(comes=0.5, orders=0.5), 40, quotas=(10, None)), 10),
    ],
    ids=[
        "good",
        "absent",
        "idle",
        "unpaid",
        "many each",
        "one at a time",
        "slow rate",
        "slow people",
        "own units",
        "two",
    ],
)
def test_all_units_are_sold_while_people_wait(town: Town, minutes: int) -> None:
    town.live(minutes * MINUTE_MS)
    assert town.sold == town.units
