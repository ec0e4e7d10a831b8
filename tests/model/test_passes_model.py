"""Passes with the real scripts, whatever happens in whatever order: people claim from several phones, order with passes
that are theirs, used, run out, somebody else's or invented; the line is called further, the serving clock moves, the
sale is paused, the operator changes the limit, claimers go away, Redis loses everything.

The model knows only the promises: who has which pass until when, who stands before whom, and how much room there is.
"""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.catalog.board import LiveSale
from engine.catalog.records import Event, Lane, Sale
from engine.infra.keys import SaleKeys
from engine.infra.redis import open_redis
from engine.line.admission.desk import rank_of
from engine.line.admission.passes import ClaimAnswer, Claiming, Passes
from engine.line.admission.passes import Terms as ClaimTerms
from engine.line.codes import ClaimCode
from engine.line.joining.roster import Roster
from engine.line.place import Cohort, Place
from engine.stock.claim import Claim, Item
from engine.stock.codes import ReleaseCode, ReserveCode
from engine.stock.stock import Stock, Terms

PASS_MS = 1000
WEIGHTS = (1, 3)
# Everybody's lane and position.
PEOPLE = {bytes([97 + n]) * 16: (n % 2, n) for n in range(8)}
BUYERS = sorted(PEOPLE)
SALE = Sale(
    sale_id="passes",
    title="Passes",
    event=Event(event_id="spring", title="Spring"),
    sessions=(),
    skus=(),
    lanes=tuple(Lane(ordinal=lane, lane_id=f"lane{lane}", weight=weight) for lane, weight in enumerate(WEIGHTS)),
    opens_ms=0,
    closes_ms=1 << 45,
    time_zone="Asia/Shanghai",
    hold_s=60,
    per_buyer_max=1000,
    line_rate=100,
)
TERMS = Terms(0, 1 << 45, 60_000, 1000, paused=False, capacities=(("floor", 1000),), quotas=(None, None), round=1)


@dataclass
class Model:
    """What must be true. A pass is its nonce and its end by the serving clock."""

    heads: list[int] = field(default_factory=lambda: [2, 2])
    serving_ms: int = 0
    paused: bool = False
    limit: int = 3
    passes: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    orders: dict[str, bytes] = field(default_factory=dict)
    claimers: set[bytes] = field(default_factory=set)
    shown: set[bytes] = field(default_factory=set)
    used: set[bytes] = field(default_factory=set)
    units: dict[bytes, int] = field(default_factory=dict)
    turns: dict[bytes, tuple[int, int]] = field(default_factory=dict)  # units at the last pass, passes in vain before
    ranks: dict[bytes, tuple[int, float]] = field(default_factory=dict)  # as they were when the buyer asked last

    def good(self, buyer: bytes) -> bytes | None:
        """The nonce of a pass that serves."""
        nonce, end_ms = self.passes.get(buyer, (None, 0))
        return nonce if end_ms > self.serving_ms else None

    def in_vain(self, buyer: bytes) -> int:
        """How many passes came to nothing."""
        if buyer not in self.turns:
            return 0
        had, before = self.turns[buyer]
        return before if self.units.get(buyer, 0) > had else before + 1

    def called(self, buyer: bytes) -> bool:
        lane, position = PEOPLE[buyer]
        return position < self.heads[lane]


def rank(buyer: bytes) -> float:
    lane, position = PEOPLE[buyer]
    return rank_of(position, WEIGHTS[lane])


class PassMachine(RuleBasedStateMachine):
    redis_url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.store = self.run(open_redis(self.redis_url, connections_max=2, timeout_s=5, connect_timeout_s=5))
        self.client, self.keys = self.store.client, SaleKeys.of(SALE.sale_id)
        self.run(self.client.flushall())
        self.stock, self.passes, self.roster = Stock(self.store), Passes(self.store), Roster(SALE.sale_id)
        self.live, self.model, self.number = LiveSale(SALE, self.keys, 1), Model(), 0
        self.given: list[tuple[bytes, bytes]] = []  # buyer and nonce of every pass there ever was
        self.open()

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.run(self.store.close())
        self.loop.close()

    def open(self) -> None:
        self.run(self.stock.clear(self.keys, self.live.epoch))
        self.set_line(serving_ms=self.model.serving_ms, **{f"head:{n}": self.model.heads[n] for n in (0, 1)})
        self.run(self.stock.open(self.keys, self.live.epoch, replace(TERMS, paused=self.model.paused)))

    def set_line(self, **fields: int) -> None:
        self.run(self.client.hset(self.keys.line, mapping=fields))

    def next_number(self) -> int:
        self.number += 1
        return self.number

    @rule(lane=st.sampled_from([0, 1]), people=st.integers(1, 4))
    def call(self, lane: int, people: int) -> None:
        if not self.model.paused:
            self.model.heads[lane] += people
            self.set_line(**{f"head:{lane}": self.model.heads[lane]})

    @rule(passed_ms=st.sampled_from([1, 300, 999]))
    def serve(self, passed_ms: int) -> None:
        if not self.model.paused:
            self.model.serving_ms += passed_ms
            self.set_line(serving_ms=self.model.serving_ms)

    @rule(paused=st.sampled_from([True, False, False]))
    def pause_or_resume(self, paused: bool) -> None:
        self.model.paused = paused
        self.run(self.stock.amend(self.keys, self.live.epoch, replace(TERMS, paused=paused)))

    @rule(limit=st.integers(0, 6))
    def change_the_limit(self, limit: int) -> None:
        self.model.limit = limit

    @rule(buyer=st.sampled_from(BUYERS))
    def a_claimer_is_forgotten(self, buyer: bytes) -> None:
        self.model.claimers.discard(buyer)
        self.run(self.client.zrem(self.keys.claimers, buyer))
        self.run(self.client.hdel(self.keys.seen, buyer))

    @rule()
    def everybody_claims(self) -> None:
        self.claim(BUYERS)

    @rule(buyers=st.lists(st.sampled_from(BUYERS), min_size=1, max_size=4))
    def some_claim(self, buyers: list[bytes]) -> None:
        self.claim(buyers)

    def claim(self, buyers: list[bytes]) -> None:
        model, limit = self.model, self.model.limit
        before = {buyer: model.good(buyer) for buyer in BUYERS}
        remembered = set(model.claimers)
        model.ranks |= {buyer: (model.in_vain(buyer), rank(buyer)) for buyer in buyers}
        claimings = []
        for buyer in buyers:
            lane, position = PEOPLE[buyer]
            place = Place(buyer, SALE.sale_id, lane, Cohort.LIVE, 1, position)
            claimings.append(Claiming(place, position, rank(buyer), self.next_number().to_bytes(8, "big")))
        terms = ClaimTerms(limit=limit, pass_ms=PASS_MS, claimers_max=100)
        answers = self.run(self.passes.claim(self.live, self.roster, claimings, terms))
        told: dict[bytes, ClaimAnswer] = {}
        for buyer, answer in zip(buyers, answers, strict=True):
            self.check(buyer, answer, before[buyer])
            told.setdefault(buyer, answer)
            assert answer == told[buyer]  # every phone of a buyer hears the same
        admitted = [buyer for buyer, answer in told.items() if answer.code is ClaimCode.ADMITTED]
        turned_away = {buyer for buyer, answer in told.items() if answer.code is ClaimCode.NO_ROOM}
        for buyer in admitted:
            answer = told[buyer]
            assert answer.admission is not None
            assert answer.end_ms == model.serving_ms + PASS_MS
            model.passes[buyer] = (answer.admission.nonce, answer.end_ms)
            model.turns[buyer] = (model.units.get(buyer, 0), model.in_vain(buyer))
            self.given.append((buyer, answer.admission.nonce))
        model.claimers = (remembered | turned_away) - set(admitted)
        model.shown |= {
            buyer for buyer in told if answers and told[buyer].code in (ClaimCode.ADMITTED, ClaimCode.NO_ROOM)
        }
        self.check_the_room(admitted, turned_away)

    def check(self, buyer: bytes, answer: ClaimAnswer, had: bytes | None) -> None:
        """What one claim is told, but for how the room is shared."""
        if self.model.paused:
            assert answer.code is ClaimCode.PAUSED
        elif had is not None:
            assert answer.code is ClaimCode.REPEATED
            assert answer.admission is not None
            assert (answer.admission.nonce, answer.end_ms) == self.model.passes[buyer]
        elif not self.model.called(buyer):
            assert answer.code is ClaimCode.NOT_YOUR_TURN
        else:
            assert answer.code in (ClaimCode.NO_ROOM, ClaimCode.ADMITTED)

    def check_the_room(self, admitted: list[bytes], turned_away: set[bytes]) -> None:
        """Never more people than the limit, everybody for whom there was room, and nobody before those ahead."""
        out = self.run(self.client.zcard(self.keys.admitted))
        left, ranks = self.model.limit - out - len(self.model.orders), self.model.ranks
        if admitted:
            assert left >= 0
            last = max(ranks[buyer] for buyer in admitted)
            assert left >= sum(ranks[buyer] < last for buyer in self.model.claimers)
        if turned_away:
            first = min(turned_away, key=ranks.__getitem__)
            others = self.model.claimers - {first}
            assert left <= sum(ranks[buyer] <= ranks[first] for buyer in others)

    @rule(pick=st.integers(0, 7), twice=st.booleans())
    def order_with_ones_own_pass(self, pick: int, twice: bool) -> None:
        if self.model.passes:
            buyer = sorted(self.model.passes)[pick % len(self.model.passes)]
            nonce = self.model.passes[buyer][0]
            for _ in range(1 + twice):
                self.order(buyer, nonce)

    @rule(buyer=st.sampled_from(BUYERS), pick=st.integers(0, 7))
    def order_with_another_pass(self, buyer: bytes, pick: int) -> None:
        nonces = [b"invented", *(nonce for _, nonce in self.given[-7:])]
        self.order(buyer, nonces[pick % len(nonces)])

    def order(self, buyer: bytes, nonce: bytes) -> None:
        number = self.next_number()
        claim = Claim(
            number.to_bytes(16, "big"),
            b"bodybody",
            buyer,
            f"N{number:025d}",
            (Item("floor", 1),),
            PEOPLE[buyer][0],
            nonce,
        )
        (decision,) = self.run(self.stock.reserve(self.keys, self.live.epoch, [claim]))
        if self.model.paused:
            assert decision.code is ReserveCode.PAUSED
        elif nonce == self.model.good(buyer):
            assert decision.code is ReserveCode.HELD
            assert nonce not in self.model.used
            self.model.used.add(nonce)
            del self.model.passes[buyer]
            self.model.orders[claim.order_no] = buyer
            self.model.units[buyer] = self.model.units.get(buyer, 0) + 1
        else:
            assert decision.code is ReserveCode.PASS_SPENT

    @rule(pick=st.integers(0, 7), paid=st.booleans())
    def an_order_ends(self, pick: int, paid: bool) -> None:
        if not self.model.orders:
            return
        order_no = sorted(self.model.orders)[pick % len(self.model.orders)]
        buyer = self.model.orders.pop(order_no)
        if paid:
            self.run(self.stock.confirm(self.keys, self.live.epoch, [order_no]))
        else:
            codes = self.run(self.stock.release(self.keys, self.live.epoch, [order_no]))
            assert codes == [ReleaseCode.RELEASED]
            self.model.units[buyer] -= 1

    @rule()
    def lose_everything(self) -> None:
        self.run(self.client.flushall())
        self.live.reopened(self.live.epoch + 1)
        self.model.passes, self.model.orders, self.model.claimers, self.model.shown = {}, {}, set(), set()
        self.model.units, self.model.turns = {}, {}
        self.open()

    @invariant()
    def the_good_passes_are_those_that_were_given_and_not_used(self) -> None:
        kept = self.run(self.client.hgetall(self.keys.passes))
        good = {buyer: value[:8] for buyer, value in kept.items() if int(value[8:-1]) > self.model.serving_ms}
        assert good == {buyer: nonce for buyer in BUYERS if (nonce := self.model.good(buyer))}

    @invariant()
    def whoever_came_forward_is_counted_once(self) -> None:
        counts = self.run(self.client.hmget(self.keys.line, "shown:0", "shown:1"))
        expected = [sum(PEOPLE[buyer][0] == lane for buyer in self.model.shown) for lane in (0, 1)]
        assert [int(count or 0) for count in counts] == expected

    @invariant()
    def those_who_wait_for_room_are_remembered(self) -> None:
        assert set(self.run(self.client.zrange(self.keys.claimers, 0, -1))) == self.model.claimers
        assert set(self.run(self.client.hkeys(self.keys.seen))) == self.model.claimers


@pytest.mark.timeout(300)
def test_passes_keep_their_promises_in_any_order_of_events(redis_url: str) -> None:
    PassMachine.redis_url = redis_url
    case = PassMachine.TestCase
    case.settings = settings(
        max_examples=50,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    case().runTest()
