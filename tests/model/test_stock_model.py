"""The stock scripts against a small model, in any order of any calls, with the conservation law after every step.

The model is the promise in plain Python: who holds what, who has bought what, through which lane, with which pass, and
what is therefore free.
"""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from engine.infra.keys import SaleKeys
from engine.infra.redis import open_redis
from engine.stock.claim import Claim, Item
from engine.stock.codes import (
    ClearCode,
    ConfirmCode,
    OpenCode,
    ReleaseCode,
    ReserveCode,
    RetakeCode,
    ShrinkCode,
)
from engine.stock.stock import LaneUnits, Shelf, Stock, Terms

BUYER_MAX = 5
BUYERS = [bytes([65 + n]) * 16 for n in range(4)]
LANES = {buyer: n % 2 for n, buyer in enumerate(BUYERS)}
QUOTAS = (None, 6)
NONCE = b"nonce---"
SKUS = ["floor", "stand"]
items_of_an_order = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 3), min_size=1).map(
    lambda wanted: tuple(Item(sku, quantity) for sku, quantity in sorted(wanted.items()))
)


@dataclass
class Model:
    """What must be true."""

    capacity: dict[str, int] = field(default_factory=lambda: {"floor": 8, "stand": 4})
    held: dict[str, Claim] = field(default_factory=dict)
    sold: dict[str, Claim] = field(default_factory=dict)
    requests: dict[bytes, Claim] = field(default_factory=dict)
    passes: set[bytes] = field(default_factory=set)

    def units(self, claims: dict[str, Claim], sku: str) -> int:
        return sum(item.quantity for claim in claims.values() for item in claim.items if item.sku_id == sku)

    def free(self, sku: str) -> int:
        return self.capacity[sku] - self.units(self.held, sku) - self.units(self.sold, sku)

    def of_buyer(self, buyer: bytes) -> int:
        claims = [*self.held.values(), *self.sold.values()]
        return sum(item.quantity for claim in claims if claim.buyer == buyer for item in claim.items)

    def of_lane(self, lane: int) -> int:
        claims = [*self.held.values(), *self.sold.values()]
        return sum(item.quantity for claim in claims if claim.lane == lane for item in claim.items)

    def beyond_quota(self, claim: Claim) -> bool:
        quota = QUOTAS[claim.lane]
        return quota is not None and self.of_lane(claim.lane) + sum(item.quantity for item in claim.items) > quota

    def decide(self, claim: Claim) -> ReserveCode:
        first = self.requests.get(claim.request_id)
        if first is not None:
            same = first.body_digest == claim.body_digest
            return ReserveCode.REPEATED if same else ReserveCode.KEY_REUSED
        if claim.buyer not in self.passes:
            return ReserveCode.PASS_SPENT
        if self.of_buyer(claim.buyer) + sum(item.quantity for item in claim.items) > BUYER_MAX:
            return ReserveCode.BUYER_LIMIT
        if self.beyond_quota(claim):
            return ReserveCode.LANE_QUOTA
        for item in claim.items:
            free = self.free(item.sku_id)
            if free < item.quantity:
                if free > 0:
                    return ReserveCode.TOO_FEW_LEFT
                held = self.units(self.held, item.sku_id)
                return ReserveCode.HELD_BY_OTHERS if held else ReserveCode.SOLD_OUT
        self.requests[claim.request_id] = self.held[claim.order_no] = claim
        self.passes.discard(claim.buyer)
        return ReserveCode.HELD


class StockMachine(RuleBasedStateMachine):
    redis_url = ""
    orders: Bundle[Claim] = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.store = self.run(open_redis(self.redis_url, connections_max=2, timeout_s=5, connect_timeout_s=5))
        self.run(self.store.client.flushall())
        self.stock, self.keys, self.epoch = Stock(self.store), SaleKeys.of("model"), 1
        self.model, self.number = Model(), 0
        self.run(self.stock.clear(self.keys, self.epoch))
        self.run(self.stock.open(self.keys, self.epoch, self.terms()))

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def terms(self) -> Terms:
        capacities = tuple(self.model.capacity.items())
        return Terms(0, 1 << 45, 60_000, BUYER_MAX, paused=False, capacities=capacities, quotas=QUOTAS)

    @rule(buyers=st.sets(st.sampled_from(BUYERS), min_size=1))
    def admit(self, buyers: set[bytes]) -> None:
        self.model.passes |= buyers
        passes = {buyer: NONCE + f"1000{LANES[buyer]}".encode() for buyer in buyers}
        self.run(self.store.client.hset(self.keys.passes, mapping=passes))
        self.run(self.store.client.zadd(self.keys.admitted, dict.fromkeys(buyers, 1000)))

    def teardown(self) -> None:
        self.run(self.store.close())
        self.loop.close()

    @rule(
        target=orders,
        wishes=st.lists(
            st.tuples(st.sampled_from(BUYERS), st.integers(0, 9), items_of_an_order), min_size=1, max_size=6
        ),
    )
    def reserve(self, wishes: list[tuple[bytes, int, tuple[Item, ...]]]) -> Any:
        claims = []
        for buyer, key, items in wishes:
            self.number += 1
            request_id = buyer[:15] + bytes([key])
            digest = repr(items).encode()[-8:].rjust(8)
            claims.append(Claim(request_id, digest, buyer, f"N{self.number:025d}", items, LANES[buyer], NONCE))
        decisions = self.run(self.stock.reserve(self.keys, self.epoch, claims))
        assert [decision.code for decision in decisions] == [self.model.decide(claim) for claim in claims]
        for claim, decision in zip(claims, decisions, strict=True):
            if decision.code is ReserveCode.REPEATED:
                assert decision.order_no == self.model.requests[claim.request_id].order_no
        return multiple(*claims)

    @rule(claim=orders, sold=st.booleans())
    def release(self, claim: Claim, sold: bool) -> None:
        (code,) = self.run(self.stock.release(self.keys, self.epoch, [claim.order_no], sold=sold))
        right, wrong = (self.model.sold, self.model.held) if sold else (self.model.held, self.model.sold)
        if claim.order_no in right:
            assert code is ReleaseCode.RELEASED
            del right[claim.order_no]
        else:
            assert code is (ReleaseCode.WRONG_STATE if claim.order_no in wrong else ReleaseCode.MISSING)

    @rule(claim=orders)
    def confirm(self, claim: Claim) -> None:
        (code,) = self.run(self.stock.confirm(self.keys, self.epoch, [claim.order_no]))
        if claim.order_no in self.model.held:
            assert code is ConfirmCode.CONFIRMED
            self.model.sold[claim.order_no] = self.model.held.pop(claim.order_no)
        else:
            assert code is (ConfirmCode.REPEATED if claim.order_no in self.model.sold else ConfirmCode.MISSING)

    @rule(claim=orders)
    def retake(self, claim: Claim) -> None:
        code = self.run(self.stock.retake(self.keys, self.epoch, claim))
        total = sum(item.quantity for item in claim.items)
        if claim.order_no in self.model.held or claim.order_no in self.model.sold:
            assert code is RetakeCode.REPEATED
        elif self.model.of_buyer(claim.buyer) + total > BUYER_MAX:
            assert code is RetakeCode.BUYER_LIMIT
        elif self.model.beyond_quota(claim):
            assert code is RetakeCode.LANE_QUOTA
        elif any(self.model.free(item.sku_id) < item.quantity for item in claim.items):
            assert code is RetakeCode.TOO_FEW_LEFT
        else:
            assert code is RetakeCode.TAKEN
            self.model.sold[claim.order_no] = claim

    @rule(claim=orders, keeps=st.dictionaries(st.sampled_from(SKUS), st.integers(1, 3)))
    def shrink(self, claim: Claim, keeps: dict[str, int]) -> None:
        kept = tuple(Item(*item) for item in keeps.items())
        codes = self.run(self.stock.shrink(self.keys, self.epoch, {claim.order_no: kept}))
        assert codes == {claim.order_no: self.shrunk(claim.order_no, keeps)}

    def shrunk(self, order_no: str, keeps: dict[str, int]) -> ShrinkCode:
        if order_no in self.model.held:
            return ShrinkCode.WRONG_STATE
        sold = self.model.sold.get(order_no)
        if sold is None:
            return ShrinkCode.MISSING
        left = [Item(item.sku_id, min(item.quantity, keeps.get(item.sku_id, 0))) for item in sold.items]
        items = tuple(item for item in left if item.quantity)
        if items == sold.items:
            return ShrinkCode.REPEATED
        self.model.sold[order_no] = replace(sold, items=items)
        if not items:
            del self.model.sold[order_no]
        return ShrinkCode.SHRUNK

    @rule(sku=st.sampled_from(SKUS), capacity=st.integers(0, 12))
    def amend(self, sku: str, capacity: int) -> None:
        self.model.capacity[sku] = capacity
        self.run(self.stock.amend(self.keys, self.epoch, self.terms()))

    @rule()
    def lose_everything_and_rebuild(self) -> None:
        self.run(self.store.client.flushall())
        self.epoch += 1
        claims = [(claim, 1 << 44) for claim in self.model.held.values()]
        claims += [(claim, 0) for claim in self.model.sold.values()]
        assert self.run(self.stock.clear(self.keys, self.epoch))[0] is ClearCode.CLEARED
        if claims:
            self.run(self.stock.load(self.keys, self.epoch, claims))
        assert self.run(self.stock.open(self.keys, self.epoch, self.terms())) is OpenCode.OPENED
        # Requests whose orders were released are known to PostgreSQL alone from now on.
        alive = {claim.request_id: claim for claim, _ in claims}
        self.model.requests = alive
        self.model.passes = set()

    @rule()
    def speak_under_an_old_epoch(self) -> None:
        claim = Claim(b"z" * 16, b"z" * 8, BUYERS[0], "Z" * 26, (Item("floor", 1),))
        (decision,) = self.run(self.stock.reserve(self.keys, self.epoch - 1, [claim]))
        assert decision.code is ReserveCode.FENCED

    @invariant()
    def units_are_conserved(self) -> None:
        seen = self.run(self.stock.observe(self.keys, self.epoch))
        for sku in SKUS:
            held, sold = self.model.units(self.model.held, sku), self.model.units(self.model.sold, sku)
            assert seen.shelves[sku] == Shelf(self.model.capacity[sku], self.model.free(sku), held, sold)
        for lane, quota in enumerate(QUOTAS):
            assert seen.lanes[lane] == LaneUnits(self.model.of_lane(lane), quota)

    @invariant()
    def passes_are_there_until_an_order_takes_them(self) -> None:
        client = self.store.client
        assert set(self.run(client.hkeys(self.keys.passes))) == self.model.passes
        assert set(self.run(client.zrange(self.keys.admitted, 0, -1))) == self.model.passes

    @invariant()
    def buyers_have_what_they_hold_and_bought(self) -> None:
        counts = self.run(self.store.client.hgetall(self.keys.buyers))
        expected = {buyer: self.model.of_buyer(buyer) for buyer in BUYERS}
        assert {buyer: int(count) for buyer, count in counts.items()} == {b: n for b, n in expected.items() if n}


@pytest.mark.timeout(300)
def test_the_scripts_do_what_the_model_says(redis_url: str) -> None:
    StockMachine.redis_url = redis_url
    case = StockMachine.TestCase
    case.settings = settings(
        max_examples=60,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    case().runTest()
