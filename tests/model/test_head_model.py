"""The line's pace with the real scripts, whatever happens in whatever order: people join, come forward, order, pay,
let their orders lapse; the sale is paused; several workers tick from sights of any age; Redis loses everything.

What must hold is said in plain Python beside it, and looked at after every step.
"""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.catalog.board import LiveSale
from engine.catalog.records import Entry, Event, Lane, Sale
from engine.infra.keys import SaleKeys
from engine.infra.redis import open_redis
from engine.line.admission.passes import Claiming, Passes
from engine.line.admission.passes import Terms as ClaimTerms
from engine.line.codes import ClaimCode, TickCode
from engine.line.joining.roster import Roster
from engine.line.pacing.lanes import PUBLIC_FLOOR
from engine.line.pacing.memory import Memory
from engine.line.pacing.pace import pace
from engine.line.pacing.scripts import PaceScripts
from engine.line.pacing.ticker import Beat, knobs_of
from engine.line.place import Cohort, Place
from engine.line.sight import LineSight
from engine.stock.claim import Claim, Item
from engine.stock.codes import ReserveCode
from engine.stock.stock import Stock, Terms

LIMIT = 6
CAPACITY = 3
LANES = (
    Lane(ordinal=0, lane_id="public", weight=1),
    Lane(ordinal=1, lane_id="fans", weight=19, entry=Entry.MEMBERS),
)
SALE = Sale(
    sale_id="heads",
    title="Heads",
    event=Event(event_id="spring", title="Spring"),
    sessions=(),
    skus=(),
    lanes=LANES,
    opens_ms=0,
    closes_ms=1 << 45,
    time_zone="Asia/Shanghai",
    hold_s=60,
    per_buyer_max=100,
    line_rate=8,
    line_concurrency=LIMIT,
)
TERMS = Terms(0, 1 << 45, 60_000, 100, paused=False, capacities=(("floor", CAPACITY),), quotas=(None, None), round=1)
BEAT = Beat(tick_ms=250, window_ms=3_000, burst_count=4)
CLAIM = ClaimTerms(limit=LIMIT, pass_ms=2_000, claimers_max=4 * LIMIT)


@dataclass
class Known:
    """What was seen so far, to hold the next sight against."""

    heads: tuple[int, ...] = (0, 0)
    serving_ms: int = 0
    final: bool = False
    called_all: int = 0
    called_public: int = 0
    passes: dict[bytes, bytes] = field(default_factory=dict)


class HeadMachine(RuleBasedStateMachine):
    redis_url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.store = self.run(open_redis(self.redis_url, connections_max=2, timeout_s=5, connect_timeout_s=5))
        self.client, self.keys = self.store.client, SaleKeys.of(SALE.sale_id)
        self.run(self.client.flushall())
        self.stock, self.scripts, self.passes = Stock(self.store), PaceScripts(self.store), Passes(self.store)
        self.roster = Roster(SALE.sale_id)
        self.live = LiveSale(SALE, self.keys, 1)
        self.known, self.sights, self.number, self.paused = Known(), {}, 0, False
        self.open_orders: list[str] = []
        self.begin(tails=(0, 0), heads=(0, 0), gaps=((0, 0), (0, 0)))

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.run(self.store.close())
        self.loop.close()

    def begin(self, *, tails: tuple[int, int], heads: tuple[int, int], gaps: tuple[tuple[int, int], ...]) -> None:
        """A sale whose draw is made, as a rebuild leaves it: three people were in each lobby."""
        self.run(self.stock.clear(self.keys, self.live.epoch))
        fields: dict[str, int] = {"drawn": 1}
        for lane in (0, 1):
            fields |= {f"lobby:{lane}": 3, f"tail:{lane}": tails[lane], f"head:{lane}": heads[lane]}
            fields |= {f"gap_from:{lane}": gaps[lane][0], f"gap_to:{lane}": gaps[lane][1]}
        self.run(self.client.hset(self.keys.line, mapping=fields))
        self.run(self.stock.open(self.keys, self.live.epoch, replace(TERMS, paused=self.paused)))

    def line(self) -> dict[str, int]:
        found = self.run(self.client.hgetall(self.keys.line))
        return {name.decode(): int(value) for name, value in found.items() if name != b"pace"}

    def look(self) -> LineSight:
        sight = self.run(self.scripts.look(self.live))
        assert sight is not None
        return sight

    def nonce(self) -> bytes:
        self.number += 1
        return self.number.to_bytes(8, "big")

    @rule(lane=st.sampled_from([0, 1]), people=st.integers(1, 20))
    def join(self, lane: int, people: int) -> None:
        self.run(self.client.hincrby(self.keys.line, f"tail:{lane}", people))

    @rule(worker=st.integers(0, 2))
    def see(self, worker: int) -> None:
        self.sights[worker] = self.look()

    @rule(ms=st.integers(0, 2_000))
    def time_passes(self, ms: int) -> None:
        if self.run(self.client.hexists(self.keys.line, "ticked_ms")):
            self.run(self.client.hincrby(self.keys.line, "ticked_ms", -ms))

    @rule(worker=st.integers(0, 2))
    def tick_from_what_was_seen(self, worker: int) -> None:
        sight = self.sights.get(worker)
        if sight is not None:
            self.send(sight)

    @rule(ms=st.integers(0, 2_000), workers=st.integers(1, 3))
    def tick(self, ms: int, workers: int) -> None:
        """Several workers look at once and all send their tick: it is one."""
        self.time_passes(ms)
        before = self.look()
        codes = [self.send(before) for _ in range(workers)]
        assert codes.count(TickCode.OVERTAKEN) == workers - 1
        assert self.look().tick == before.tick + 1

    def send(self, sight: LineSight) -> TickCode:
        paced = pace(sight, Memory.unpack(sight.pace), knobs_of(SALE, BEAT))
        ticked = self.run(self.scripts.tick(self.live, sight.epoch, sight.tick, paced.move))
        if ticked.code is TickCode.TICKED:
            waits = all(lane.head + 60 < lane.end for lane in sight.lanes)
            if waits:
                self.known.called_all += paced.released
                self.known.called_public += paced.move.called[0]
        return TickCode(ticked.code)

    @rule(lane=st.sampled_from([0, 1]), back=st.integers(1, 30), people=st.integers(1, 8))
    def come_forward(self, lane: int, back: int, people: int) -> None:
        """Some of those who were called last, and maybe some who were not."""
        sight = self.look()
        first = max(0, sight.lanes[lane].head - back)
        claimings = []
        for position in range(first, min(first + people, sight.lanes[lane].end)):
            buyer = b"%d-%010d----" % (lane, position)
            cohort, index = (Cohort.LOBBY, position) if position < 3 else (Cohort.LIVE, position - 3)
            place = Place(buyer, SALE.sale_id, lane, cohort, self.live.epoch, index)
            claimings.append(Claiming(place, position, (position + 1) / LANES[lane].weight, self.nonce()))
        if not claimings:
            return
        answers = self.run(self.passes.claim(self.live, self.roster, claimings, CLAIM))
        for claiming, answer in zip(claimings, answers, strict=True):
            if answer.admission is not None:
                assert claiming.position < sight.lanes[lane].head
                assert not self.paused
                self.known.passes[answer.admission.buyer] = answer.admission.nonce
            assert answer.code is not ClaimCode.FENCED

    @rule(lane=st.sampled_from([0, 1]))
    def those_called_last_come_and_buy(self, lane: int) -> None:
        self.tick(500, 1)
        self.come_forward(lane, 3, 3)
        for buyer in sorted(self.known.passes):
            self.order_of(buyer)
        while self.open_orders:
            self.decide_the_oldest_order(True)

    @precondition(lambda self: self.known.passes)
    @rule(data=st.data())
    def order(self, data: st.DataObject) -> None:
        self.order_of(data.draw(st.sampled_from(sorted(self.known.passes))))

    def order_of(self, buyer: bytes) -> None:
        nonce = self.known.passes[buyer]
        order_no = f"N{self.number:025d}"
        claim = Claim(self.nonce() * 2, b"d" * 8, buyer, order_no, (Item("floor", 1),), int(buyer[:1]), nonce)
        (decision,) = self.run(self.stock.reserve(self.keys, self.live.epoch, [claim]))
        if decision.code is ReserveCode.HELD:
            self.open_orders.append(order_no)
            del self.known.passes[buyer]

    @precondition(lambda self: self.open_orders)
    @rule(paid=st.booleans())
    def decide_the_oldest_order(self, paid: bool) -> None:
        order_no = self.open_orders.pop(0)
        decide = self.stock.confirm if paid else self.stock.release
        self.run(decide(self.keys, self.live.epoch, [order_no]))

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        self.paused = paused
        self.run(self.stock.amend(self.keys, self.live.epoch, replace(TERMS, paused=paused)))

    @rule(behind=st.integers(0, 5), gap=st.integers(0, 10))
    def lose_everything(self, behind: int, gap: int) -> None:
        """The rebuild goes on at the ceiling, with a head as it was written down a moment before."""
        before = self.look()
        self.run(self.client.flushall())
        self.live.reopened(self.live.epoch + 1)
        tails = tuple(lane.tail + gap for lane in before.lanes)
        heads = tuple(max(0, lane.head - behind) for lane in before.lanes)
        gaps = tuple((lane.tail, lane.tail + gap) for lane in before.lanes)
        self.begin(tails=tails, heads=heads, gaps=gaps)  # type: ignore[arg-type]
        self.known, self.open_orders = Known(heads=heads), []

    @invariant()
    def nothing_goes_back(self) -> None:
        sight, known = self.look(), self.known
        heads = tuple(lane.head for lane in sight.lanes)
        assert all(now >= before for now, before in zip(heads, known.heads, strict=True))
        assert sight.serving_ms >= known.serving_ms
        assert sight.final or not known.final
        if self.paused or known.final:
            assert (heads, sight.serving_ms) == (known.heads, known.serving_ms)
        if sight.final and not known.final:
            assert (sight.shelves.free, sight.shelves.held, sight.orders_open) == (0, 0, 0)
        known.heads, known.serving_ms, known.final = heads, sight.serving_ms, sight.final

    @invariant()
    def nobody_is_called_who_is_not_there(self) -> None:
        assert all(lane.head <= lane.end for lane in self.look().lanes)

    @invariant()
    def those_at_the_till_are_within_the_limit(self) -> None:
        sight = self.look()
        assert sight.admitted + sight.orders_open <= LIMIT

    @invariant()
    def who_has_a_pass_was_called(self) -> None:
        heads = [lane.head for lane in self.look().lanes]
        for buyer in self.run(self.client.hkeys(self.keys.passes)):
            assert int(buyer[2:12]) < heads[int(buyer[:1])]

    @invariant()
    def the_public_has_its_floor(self) -> None:
        assert self.known.called_public >= PUBLIC_FLOOR * self.known.called_all - len(LANES)


@pytest.mark.timeout(300)
def test_the_pace_does_what_is_promised_whatever_happens(redis_url: str) -> None:
    HeadMachine.redis_url = redis_url
    case = HeadMachine.TestCase
    case.settings = settings(
        max_examples=25,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    case().runTest()
