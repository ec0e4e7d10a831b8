"""Waiting costs nothing: polls of the line are answered from memory."""

import asyncio

import redis

from tests.support.buyer import Crowd
from tests.support.engine import Engine, OnSale

POLLS_COUNT = 2000


def commands_served(redis_url: str) -> int:
    with redis.Redis.from_url(redis_url) as client:
        return sum(stats["calls"] for stats in client.info("commandstats").values())


async def test_polls_ask_redis_nothing(engine: Engine, crowd: Crowd, sale: OnSale) -> None:
    path = f"/v1/sales/{sale.sale_id}/line"
    clock = asyncio.get_running_loop().time
    began, before = clock(), commands_served(engine.stores.redis_url)
    for _ in range(POLLS_COUNT // 50):
        answers = await asyncio.gather(*(crowd.ask("GET", path) for _ in range(50)))
        assert {answer.status for answer in answers} == {200}
    took_s, during = clock() - began, commands_served(engine.stores.redis_url) - before
    await asyncio.sleep(took_s)
    idle = commands_served(engine.stores.redis_url) - before - during
    assert during - idle < POLLS_COUNT / 5


async def test_line_document_is_the_same_bytes_for_everybody(crowd: Crowd, sale: OnSale) -> None:
    path = f"/v1/sales/{sale.sale_id}/line"
    answers = await asyncio.gather(*(crowd.ask("GET", path) for _ in range(200)))
    assert len({answer.raw for answer in answers}) <= 1 + 200 // 50  # a few refreshes may come between


async def test_document_gets_younger_by_itself(crowd: Crowd, sale: OnSale) -> None:
    path = f"/v1/sales/{sale.sale_id}/line"
    first = (await crowd.ask("GET", path)).json
    await asyncio.sleep(1.0)
    later = (await crowd.ask("GET", path)).json
    assert 500 <= later["now_ms"] - first["now_ms"] <= 2500
    assert later["phase"] == "live"
