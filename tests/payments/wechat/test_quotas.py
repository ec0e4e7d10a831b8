"""Quotas: never more than their rate, over all processes, with and without Redis; and who waits how long."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.embedded.valkey import ValkeyServer
from engine.infra.redis import RedisStore, load_script, open_redis
from engine.payments.port import Prepaid, ProviderRefusal, RefundState, RefusalKind, TradeState
from engine.payments.wechat.client import WeChatPay
from engine.payments.wechat.codes import LeaseCode
from engine.payments.wechat.endpoints import Endpoint
from engine.payments.wechat.quotas import Budget, Meter, Quota, Quotas, TokenBucket
from tests.payments.wechat.conftest import MakePay, Reply, Script
from tests.payments.wechat.platform import MCHID, refund, to_json, trade
from tests.payments.wechat.test_client import GOOD, NOT_FOUND, ORDER, REFUND, fails

FOREVER_S = 60.0


@given(
    rate_per_s=st.floats(0.1, 1000),
    depth=st.floats(0, 200),
    steps=st.lists(st.tuples(st.floats(-1, 5), st.integers(1, 50)), min_size=1, max_size=40),
)
@settings(deadline=None)
def test_a_bucket_never_gives_more_than_its_depth_and_its_rate(
    rate_per_s: float, depth: float, steps: Sequence[tuple[float, int]]
) -> None:
    bucket = TokenBucket(rate_per_s, depth)
    at_s = latest_s = given_back_s = 0.0
    taken = 0
    for number, (step_s, wanted) in enumerate(steps):
        at_s += step_s if number else 0.0
        # A clock that is set back and runs on gives its second time over again.
        given_back_s += max(0.0, latest_s - at_s) if step_s < 0 and number else 0.0
        latest_s = at_s
        got, wait_s = bucket.take(wanted, at_s)
        assert 0 <= got <= wanted
        assert (wait_s > 0) == (got == 0)
        taken += got
    assert taken <= max(1.0, depth) + rate_per_s * (at_s + given_back_s) + 1e-6 * len(steps)


def test_a_bucket_that_is_empty_says_when_there_is_a_token_again() -> None:
    bucket = TokenBucket(10.0, 1.0)
    assert bucket.take(5, 0.0) == (1, 0.0)
    taken, wait_s = bucket.take(1, 0.0)
    assert (taken, wait_s) == (0, 0.1)
    assert bucket.take(1, wait_s) == (1, 0.0)


@contextmanager
def metered(meter: Meter) -> Iterator[Meter]:
    yield meter
    meter.close()


async def test_tokens_are_given_first_come_first_served() -> None:
    granted = [3]

    async def lease(wanted: int) -> tuple[int, float]:
        given, granted[0] = min(wanted, granted[0]), 0
        return given, FOREVER_S

    order: list[int] = []

    async def wait(meter: Meter, number: int) -> None:
        if await meter.take(0.05):
            order.append(number)

    with metered(Meter(lease, ahead=0)) as meter:
        await asyncio.gather(*(wait(meter, number) for number in range(10)))
    assert order == [0, 1, 2]


async def test_who_stopped_waiting_costs_no_token() -> None:
    wanted_each_time: list[int] = []
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def lease(wanted: int) -> tuple[int, float]:
        wanted_each_time.append(wanted)
        asked.set()
        await go_on.wait()
        return wanted, 0.0

    with metered(Meter(lease, ahead=0)) as meter:
        first, second = (asyncio.create_task(meter.take(FOREVER_S)) for _ in range(2))
        await asked.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        go_on.set()
        assert await second
        # One token was for the one who left; it serves the next.
        assert await meter.take(0.0)
    assert wanted_each_time == [2]


async def test_a_busy_process_asks_redis_once_for_many() -> None:
    asked: list[int] = []

    async def lease(wanted: int) -> tuple[int, float]:
        asked.append(wanted)
        return wanted, 0.0

    with metered(Meter(lease, ahead=10)) as meter:
        await asyncio.gather(*(meter.take(FOREVER_S) for _ in range(100)))
        for _ in range(10):
            assert await meter.take(0.0)
    assert asked == [110]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[RedisStore]:
    store = await open_redis(url, connections_max=4, timeout_s=2.0, connect_timeout_s=2.0)
    yield store
    await store.close()


def quota(store: RedisStore | None, per_s: float, share_alone: float = 1.0) -> Quota:
    return Quotas(store, per_s=dict.fromkeys(Budget, per_s), share_alone=share_alone).of(MCHID)


async def lease(store: RedisStore, wanted: int, *, per_s: float = 1.0, depth: int = 10) -> tuple[LeaseCode, int, int]:
    script = load_script("payments", "lease")
    code, leased, wait_ms = await store.run(script, ["fg:quota:{1}:order"], [repr(per_s), depth, wanted])
    return LeaseCode(code), leased, wait_ms


async def test_a_fresh_quota_is_full_and_then_empty(clean_redis_url: str) -> None:
    async with opened(clean_redis_url) as store:
        assert await lease(store, 4, per_s=0.001) == (LeaseCode.LEASED, 4, 0)
        assert await lease(store, 40, per_s=0.001) == (LeaseCode.LEASED, 6, 0)
        code, leased, wait_ms = await lease(store, 1, per_s=0.001)
    assert (code, leased) == (LeaseCode.EMPTY, 0)
    assert 990_000 < wait_ms <= 1_000_000


async def test_a_quota_of_redis_is_forgotten_when_it_would_be_full(clean_redis_url: str) -> None:
    async with opened(clean_redis_url) as store:
        await lease(store, 1, per_s=1.0, depth=10)
        lives_ms = await store.client.pttl("fg:quota:{1}:order")
    assert 0 < lives_ms <= 11_000


async def test_a_quota_with_a_time_in_the_future_gives_what_it_has_and_grows_from_now(clean_redis_url: str) -> None:
    async with opened(clean_redis_url) as store:
        far_us = str(int((time.time() + 3600) * 1_000_000))
        await store.client.hset("fg:quota:{1}:order", mapping={"tokens": "2", "at_us": far_us})
        assert await lease(store, 5, per_s=0.001) == (LeaseCode.LEASED, 2, 0)
        at_us = int(await store.client.hget("fg:quota:{1}:order", "at_us"))
    assert at_us < int(far_us)


async def test_three_processes_share_one_quota(clean_redis_url: str) -> None:
    per_s, count = 200.0, 150
    async with opened(clean_redis_url) as store:
        quotas = [quota(store, per_s) for _ in range(3)]
        began_s = time.monotonic()
        let = await asyncio.gather(*(quotas[n % 3].take(Endpoint.QUERY, FOREVER_S) for n in range(count)))
        took_s = time.monotonic() - began_s
        for each in quotas:
            each.close()
    assert all(let)
    assert count <= math.floor(per_s * 0.2) + per_s * took_s + 1


async def test_endpoints_and_merchants_have_quotas_of_their_own(clean_redis_url: str) -> None:
    async with opened(clean_redis_url) as store:
        quotas = Quotas(store, per_s=dict.fromkeys(Budget, 0.01), share_alone=1.0)
        one, other = quotas.of("1900000001"), quotas.of("1900000002")
        assert await one.take(Endpoint.ORDER, FOREVER_S)
        assert not await one.take(Endpoint.ORDER, 0.02)
        assert await one.take(Endpoint.QUERY, FOREVER_S)
        assert await other.take(Endpoint.ORDER, FOREVER_S)
        one.close()
        other.close()


async def test_an_endpoint_without_a_quota_is_never_held_back() -> None:
    each = quota(None, 0.01)
    assert [await each.take(Endpoint.FAPIAO, 0.0) for _ in range(5)] == [True] * 5


async def test_while_redis_is_away_a_process_takes_its_share(own_redis: ValkeyServer) -> None:
    async with opened(own_redis.url) as store:
        own_redis.stop()
        each = quota(store, 100.0, share_alone=0.25)
        # A share of 25 a second gathers 5 at most; the sixth has to wait for its turn, and gets it.
        assert [await each.take(Endpoint.ORDER, FOREVER_S) for _ in range(6)] == [True] * 6
        each.close()


async def test_a_redis_that_hangs_is_counted_as_away(own_redis: ValkeyServer) -> None:
    store = await open_redis(own_redis.url, connections_max=4, timeout_s=FOREVER_S, connect_timeout_s=2.0)
    each = quota(store, 100.0)
    os.kill(own_redis.pid, signal.SIGSTOP)
    try:
        assert await each.take(Endpoint.ORDER, FOREVER_S / 2)
    finally:
        os.kill(own_redis.pid, signal.SIGCONT)
        each.close()
        await store.close()


async def test_a_redis_that_is_back_keeps_the_quota_again(own_redis: ValkeyServer) -> None:
    async with opened(own_redis.url) as store:
        own_redis.stop()
        each = quota(store, 1000.0)
        assert await each.take(Endpoint.ORDER, FOREVER_S)
        own_redis.start()
        key = "fg:quota:{1900000777}:order"
        while not await store.client.exists(key):
            assert await each.take(Endpoint.ORDER, FOREVER_S)
            await asyncio.sleep(0.05)
        each.close()


async def test_an_order_over_the_quota_waits_a_moment_and_is_refused_unsent(make_pay: MakePay, script: Script) -> None:
    pay = make_pay(script.url, order_per_s=0.01, timeout_s=1.0)
    script.says(GOOD)
    assert isinstance(await pay.create(ORDER), Prepaid)
    refusal = await pay.create(ORDER)
    assert isinstance(refusal, ProviderRefusal)
    assert (refusal.kind, refusal.maybe_created) == (RefusalKind.RATE_LIMITED, False)
    assert len(script.requests) == 1


async def test_an_order_whose_repeat_is_over_the_quota_may_exist(make_pay: MakePay, script: Script) -> None:
    pay = make_pay(script.url, order_per_s=0.01, timeout_s=1.0)
    script.says(fails(500, "SYSTEM_ERROR"))
    refusal = await pay.create(ORDER)
    assert isinstance(refusal, ProviderRefusal)
    assert (refusal.kind, refusal.maybe_created) == (RefusalKind.UNKNOWN, True)


async def test_queries_go_on_while_orders_are_over_their_quota(make_pay: MakePay, script: Script) -> None:
    pay = make_pay(script.url, order_per_s=0.01, timeout_s=1.0)
    script.says(GOOD, Reply(body=to_json(trade())))
    await pay.create(ORDER)
    refusal, report = await asyncio.gather(pay.create(ORDER), pay.query(ORDER.order_no, MCHID))
    assert isinstance(refusal, ProviderRefusal)
    assert report.state is TradeState.PAID


async def test_a_job_waits_for_its_turn_longer_than_a_request_may_take(make_pay: MakePay, script: Script) -> None:
    pay = make_pay(script.url, per_s=2.0, timeout_s=0.9)
    script.says(*[Reply(body=to_json(trade()))] * 3)
    reports = await asyncio.gather(*(pay.query(ORDER.order_no, MCHID) for _ in range(3)))
    assert [report.state for report in reports] == [TradeState.PAID] * 3


@pytest.fixture
def pay(make_pay: MakePay, script: Script) -> WeChatPay:
    return make_pay(script.url, timeout_s=2.0)


async def test_no_refund_begins_while_a_refused_one_is_not_paid_for() -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def lease(wanted: int) -> tuple[int, float]:
        asked.set()
        await go_on.wait()
        return wanted, 0.0

    owed = Quota({Budget.REFUND_FAILURES: Meter(lease, ahead=0)})
    await owed.failures_paid()
    paying = [asyncio.create_task(owed.pay_failure()) for _ in range(2)]
    await asked.wait()
    next_one = asyncio.create_task(owed.failures_paid())
    await asyncio.sleep(0)
    assert not next_one.done()
    go_on.set()
    await asyncio.gather(*paying, next_one)


async def test_a_refused_refund_is_paid_for(pay: WeChatPay, script: Script) -> None:
    script.says(fails(403, "NOT_ENOUGH"), NOT_FOUND)
    assert (await pay.refund(REFUND)).state is RefundState.REFUSED
    assert pay.account(MCHID)._quota._meters[Budget.REFUND_FAILURES]._leasing is not None


async def test_an_accepted_refund_costs_nothing_of_the_failures(pay: WeChatPay, script: Script) -> None:
    script.says(Reply(body=to_json(refund())))
    await pay.refund(REFUND)
    assert pay.account(MCHID)._quota._meters[Budget.REFUND_FAILURES]._leasing is None
