"""`reserve` on the real server: every code in its order of precedence, and what it leaves behind."""

import asyncio
from collections import Counter

import pytest

from engine.stock.claim import Claim
from engine.stock.codes import ReserveCode as Code
from engine.stock.stock import Shelf
from tests.stock.conftest import HOUR_MS, OpenSale


async def test_free_units_are_held_for_the_buyer(sale: OpenSale) -> None:
    (decision,) = await sale.reserve(sale.claim(floor=3))

    assert decision.code is Code.HELD
    assert await sale.shelf() == Shelf(capacity=10, free=7, held=3, sold=0)


async def test_the_deadline_is_the_time_of_redis_plus_the_hold(sale: OpenSale) -> None:
    before_s, _ = await sale.store.client.time()
    (decision,) = await sale.reserve(sale.claim())
    after_s, _ = await sale.store.client.time()

    assert before_s * 1000 + 60_000 <= decision.deadline_ms <= (after_s + 1) * 1000 + 60_000


async def test_everything_that_a_hold_needs_is_written_and_nothing_else(sale: OpenSale) -> None:
    claim = sale.claim("ann", floor=2, stand=1)
    (decision,) = await sale.reserve(claim)

    state, keys = await sale.state(), sale.keys
    assert state[keys.buyers] == {claim.buyer: b"3"}
    assert state[keys.requests] == {claim.request_id: claim.body_digest + claim.order_no.encode()}
    assert state[keys.claims] == {claim.order_no.encode(): claim.pack()}
    assert state[keys.deadlines] == [(claim.order_no.encode(), float(decision.deadline_ms))]
    assert state[keys.claimants] == [claim.buyer]


async def test_a_claim_reads_back_as_it_was_packed(sale: OpenSale) -> None:
    claim = sale.claim("ann", floor=2, stand=1)
    assert Claim.unpack(claim.pack()) == claim


async def test_a_sale_that_redis_does_not_know_is_fenced(sale: OpenSale) -> None:
    await sale.store.client.flushall()
    (decision,) = await sale.reserve(sale.claim())
    assert decision.code is Code.FENCED


async def test_another_epoch_is_fenced(sale: OpenSale) -> None:
    sale.epoch = 2
    (decision,) = await sale.reserve(sale.claim())
    assert decision.code is Code.FENCED


async def test_another_run_of_the_server_is_fenced(sale: OpenSale) -> None:
    await sale.store.client.hset(sale.keys.control, "run", "0" * 40)
    (decision,) = await sale.reserve(sale.claim())
    assert decision.code is Code.FENCED


async def test_the_same_request_gets_the_same_order(sale: OpenSale) -> None:
    (first,) = await sale.reserve(sale.claim("ann", request="tap"))
    (second,) = await sale.reserve(sale.claim("ann", request="tap"))

    assert second.code is Code.REPEATED
    assert (second.order_no, second.deadline_ms) == (first.order_no, first.deadline_ms)
    assert (await sale.shelf()).held == 1


async def test_the_same_request_twice_in_one_batch_gets_one_order(sale: OpenSale) -> None:
    first, second = await sale.reserve(sale.claim("ann", request="tap"), sale.claim("ann", request="tap"))

    assert [first.code, second.code] == [Code.HELD, Code.REPEATED]
    assert (second.order_no, second.deadline_ms) == (first.order_no, first.deadline_ms)


async def test_the_same_request_with_another_body_is_refused(sale: OpenSale) -> None:
    await sale.reserve(sale.claim("ann", request="tap", body="one"))
    (second,) = await sale.reserve(sale.claim("ann", request="tap", body="two"))
    assert second.code is Code.KEY_REUSED


async def test_a_repeat_is_recognised_after_the_sale_has_ended(sale: OpenSale) -> None:
    (first,) = await sale.reserve(sale.claim("ann", request="tap"))
    await sale.amend(closes_ms=(await sale.terms()).opens_ms + 1)
    (second,) = await sale.reserve(sale.claim("ann", request="tap"))
    assert (second.code, second.order_no) == (Code.REPEATED, first.order_no)


async def test_a_repeat_of_a_released_order_says_that_it_is_no_longer_held(sale: OpenSale) -> None:
    (first,) = await sale.reserve(sale.claim("ann", request="tap"))
    await sale.stock.release(sale.keys, sale.epoch, [first.order_no])
    (second,) = await sale.reserve(sale.claim("ann", request="tap"))
    assert (second.code, second.order_no, second.deadline_ms) == (Code.REPEATED, first.order_no, 0)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"paused": True}, Code.PAUSED),
        ({"opens_ms": 1 << 42}, Code.NOT_OPEN),
        ({"closes_ms": 1}, Code.ENDED),
    ],
)
async def test_the_window_refuses(sale: OpenSale, changes: dict[str, object], code: Code) -> None:
    await sale.amend(**changes)
    (decision,) = await sale.reserve(sale.claim())
    assert decision.code is code


async def test_a_claim_one_millisecond_before_the_opening_is_refused_and_one_at_it_is_held(sale: OpenSale) -> None:
    seconds, micros = await sale.store.client.time()
    now_ms = seconds * 1000 + micros // 1000
    await sale.amend(opens_ms=now_ms + HOUR_MS)
    (early,) = await sale.reserve(sale.claim())
    await sale.amend(opens_ms=now_ms)
    (on_time,) = await sale.reserve(sale.claim())
    assert [early.code, on_time.code] == [Code.NOT_OPEN, Code.HELD]


async def test_an_unknown_sku_is_refused_with_the_whole_order(sale: OpenSale) -> None:
    (decision,) = await sale.reserve(sale.claim(floor=1, balcony=1))
    assert decision.code is Code.UNKNOWN_SKU
    assert (await sale.shelf()).free == 10


async def test_an_unknown_sku_does_not_disturb_its_neighbours(sale: OpenSale) -> None:
    decisions = await sale.reserve(sale.claim(balcony=1), sale.claim(floor=1), sale.claim(stand=1))
    assert [decision.code for decision in decisions] == [Code.UNKNOWN_SKU, Code.HELD, Code.HELD]


async def test_the_buyers_limit_counts_all_orders_of_the_buyer(sale: OpenSale) -> None:
    await sale.reserve(sale.claim("ann", floor=3))
    (over,) = await sale.reserve(sale.claim("ann", stand=2))
    (exact,) = await sale.reserve(sale.claim("ann", stand=1))
    assert [over.code, exact.code] == [Code.BUYER_LIMIT, Code.HELD]


async def test_sold_out_is_said_only_when_every_unit_is_sold(sale: OpenSale) -> None:
    held = await sale.reserve(*(sale.claim(stand=1) for _ in range(5)))
    (waiting,) = await sale.reserve(sale.claim(stand=1))
    await sale.stock.confirm(sale.keys, sale.epoch, [decision.order_no for decision in held])
    (final,) = await sale.reserve(sale.claim(stand=1))
    assert [waiting.code, final.code] == [Code.HELD_BY_OTHERS, Code.SOLD_OUT]


async def test_fewer_units_than_asked_for_are_not_called_sold_out(sale: OpenSale) -> None:
    await sale.reserve(sale.claim(stand=4))
    (decision,) = await sale.reserve(sale.claim(stand=2))
    assert decision.code is Code.TOO_FEW_LEFT


async def test_an_order_of_two_skus_takes_both_or_none(sale: OpenSale) -> None:
    await sale.reserve(sale.claim(stand=4))
    (decision,) = await sale.reserve(sale.claim(floor=2, stand=2))
    assert decision.code is Code.TOO_FEW_LEFT
    assert (await sale.shelf("floor")).free == 10


async def test_a_refusal_changes_nothing(sale: OpenSale) -> None:
    await sale.reserve(sale.claim("ann", stand=4, request="tap"))
    refused = [
        sale.claim("ann", floor=1),
        sale.claim(stand=2),
        sale.claim(balcony=1),
        sale.claim("ann", request="tap", body="other"),
        sale.claim("ann", request="tap", stand=4),
    ]
    await sale.grant(*refused)
    before = await sale.state()
    await sale.decide(*refused)
    assert await sale.state() == before


async def test_the_last_units_go_to_whoever_came_first_in_the_batch(sale: OpenSale) -> None:
    claims = [sale.claim(stand=1) for _ in range(7)]
    decisions = await sale.reserve(*claims)
    assert [decision.code for decision in decisions] == [Code.HELD] * 5 + [Code.HELD_BY_OTHERS] * 2


async def test_500_buyers_at_once_for_100_units_get_exactly_100(sale: OpenSale) -> None:
    await sale.amend(capacities=(("floor", 100), ("stand", 5)))
    decisions = await asyncio.gather(*(sale.reserve(sale.claim()) for _ in range(500)))

    codes = Counter(decision.code for (decision,) in decisions)
    assert codes == {Code.HELD: 100, Code.HELD_BY_OTHERS: 400}
    assert await sale.shelf() == Shelf(capacity=100, free=0, held=100, sold=0)


async def test_the_largest_batch_fits_into_one_script(sale: OpenSale) -> None:
    await sale.amend(capacities=(("floor", 1000), ("stand", 5)))
    decisions = await sale.reserve(*(sale.claim() for _ in range(1000)))
    assert {decision.code for decision in decisions} == {Code.HELD}
