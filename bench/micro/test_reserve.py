"""Deciding 250 reservations on a real server: one batched script, against 250 small ones in one pipeline.

The yardstick is the obvious design's script at its best, pipelined: it checks one counter and takes a unit.
`reserve` also knows the window, repeats, limits and deadlines, and still has to be the faster one.
"""

import asyncio
import time
from collections.abc import Iterator

import pytest
import redis.asyncio
import uvloop
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.claims import SKU, fresh_claims, let_through
from bench.reference.obvious import TAKE
from engine.embedded.valkey import ValkeyServer
from engine.infra.keys import SaleKeys
from engine.infra.redis import RedisStore, open_redis
from engine.stock.claim import Claim
from engine.stock.codes import OpenCode, ReserveCode
from engine.stock.stock import Stock, Terms

BATCH = 250
ROUNDS = 100
UNITS = 10_000_000
EPOCH = 1
KEYS = SaleKeys.of("micro")


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as own:
        yield own


@pytest.fixture(scope="module")
def store(runner: asyncio.Runner, valkey: ValkeyServer) -> Iterator[RedisStore]:
    opened = runner.run(open_redis(valkey.url, connections_max=2, timeout_s=5, connect_timeout_s=5))
    yield opened
    runner.run(opened.close())


@pytest.mark.benchmark(group="250 reservations are decided")
def test_yardstick_250_scripts_in_one_pipeline(
    benchmark: BenchmarkFixture, runner: asyncio.Runner, store: RedisStore
) -> None:
    client = store.client
    assert isinstance(client, redis.asyncio.Redis)

    async def prepare() -> str:
        await client.set("micro:free", UNITS)
        return str(await client.script_load(TAKE))

    sha = runner.run(prepare())

    async def take_all() -> None:
        pipeline = client.pipeline(transaction=False)
        for _ in range(BATCH):
            pipeline.evalsha(sha, 1, "micro:free", 1)
        assert set(await pipeline.execute()) == {1}

    benchmark.pedantic(lambda: runner.run(take_all()), rounds=ROUNDS, warmup_rounds=5)  # type: ignore[no-untyped-call]


@pytest.mark.benchmark(group="250 reservations are decided")
def test_reserve_a_batch(benchmark: BenchmarkFixture, runner: asyncio.Runner, store: RedisStore) -> None:
    stock = Stock(store)
    now_ms = int(time.time() * 1000)
    terms = Terms(
        opens_ms=now_ms - 60_000,
        closes_ms=now_ms + 3_600_000,
        hold_ms=300_000,
        buyer_max=6,
        paused=False,
        capacities=((SKU, UNITS),),
    )
    runner.run(stock.clear(KEYS, EPOCH))
    assert runner.run(stock.open(KEYS, EPOCH, terms)) is OpenCode.OPENED

    def batch() -> tuple[tuple[list[Claim]], dict[str, object]]:
        claims = fresh_claims(BATCH)
        runner.run(let_through(store, KEYS, claims))
        return (claims,), {}

    def reserve(claims: list[Claim]) -> None:
        decisions = runner.run(stock.reserve(KEYS, EPOCH, claims))
        assert {decision.code for decision in decisions} == {ReserveCode.HELD}

    benchmark.pedantic(reserve, setup=batch, rounds=ROUNDS, warmup_rounds=5)  # type: ignore[no-untyped-call]
