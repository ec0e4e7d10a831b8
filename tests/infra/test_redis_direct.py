"""Scripts on connections kept in hand: as many at once as the pool allows, and none lost when something breaks."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest

from engine.embedded.valkey import ValkeyServer
from engine.infra.outage import RedisAway
from engine.infra.redis import RedisStore, Script, open_redis

CONNECTIONS_MAX = 4
SLOW = "for _ = 1, 100000 do end return 7"


def script(source: str) -> Script:
    return Script("test/verb", source, "0" * 40)  # an unknown SHA: every call also meets NOSCRIPT


@pytest.fixture
async def store(clean_redis_url: str) -> AsyncIterator[RedisStore]:
    opened = await open_redis(clean_redis_url, connections_max=CONNECTIONS_MAX, timeout_s=2, connect_timeout_s=2)
    yield opened
    await opened.close()


async def test_more_callers_than_connections_are_all_answered(store: RedisStore) -> None:
    calls = [store.run(script(SLOW), [], []) for _ in range(CONNECTIONS_MAX * 10)]
    assert await asyncio.gather(*calls) == [7] * (CONNECTIONS_MAX * 10)


async def test_the_pool_has_connections_for_others_while_scripts_keep_some(store: RedisStore) -> None:
    await asyncio.gather(*(store.run(script("return 1"), [], []) for _ in range(CONNECTIONS_MAX)))
    assert await asyncio.gather(*(store.client.echo("here") for _ in range(CONNECTIONS_MAX * 3)))


async def test_a_connection_that_the_server_closed_costs_the_next_call_nothing(store: RedisStore) -> None:
    await asyncio.gather(*(store.run(script(SLOW), [], []) for _ in range(CONNECTIONS_MAX)))
    await store.client.client_kill_filter(_type="normal", skipme=True)
    await store.ping()
    assert await store.run(script("return 5"), [], []) == 5


async def test_a_caller_who_gives_up_leaves_no_answer_for_the_next(store: RedisStore) -> None:
    patient = asyncio.create_task(store.run(script(SLOW), [], []))
    await asyncio.sleep(0)
    patient.cancel()
    await asyncio.gather(patient, return_exceptions=True)
    assert await asyncio.gather(*(store.run(script(f"return {n}"), [], []) for n in range(8))) == list(range(8))


async def test_a_script_that_fails_raises_and_the_connection_serves_on(store: RedisStore) -> None:
    with pytest.raises(RedisAway):
        await store.run(script("return redis.call('NO SUCH COMMAND')"), [], [])
    assert await store.run(script("return 3"), [], []) == 3


async def test_a_connection_that_was_asked_for_while_the_server_was_away_serves_again(own_redis: ValkeyServer) -> None:
    store = await open_redis(own_redis.url, connections_max=CONNECTIONS_MAX, timeout_s=2, connect_timeout_s=2)
    await store.run(script("return 1"), [], [])
    own_redis.kill()
    for _ in range(CONNECTIONS_MAX):
        with pytest.raises(RedisAway):
            await store.run(script("return 1"), [], [])
    own_redis.start()

    assert await store.run(script("return 2"), [], []) == 2
    await store.close()


async def test_a_server_that_lost_its_office_is_left_for_whoever_has_it_now(own_redis: ValkeyServer) -> None:
    store = await open_redis(own_redis.url, connections_max=CONNECTIONS_MAX, timeout_s=2, connect_timeout_s=2)
    await asyncio.gather(*(store.run(script(SLOW), [], []) for _ in range(CONNECTIONS_MAX)))
    with own_redis.client() as admin:
        admin.replicaof("127.0.0.1", 1)
        before = {client["id"] for client in admin.client_list() if client["id"] != str(admin.client_id())}
        with pytest.raises(RedisAway):
            await store.run(script("return redis.call('SET', KEYS[1], 1)"), ["key"], [])
        admin.replicaof("NO", "ONE")
        await store.run(script("return redis.call('SET', KEYS[1], 1)"), ["key"], [])
        after = {client["id"] for client in admin.client_list()}
    await store.close()
    assert (len(before), before & after) == (CONNECTIONS_MAX, set())


async def answered(store: RedisStore) -> None:
    """A call has been answered, maybe not the first: this server stands still now and again."""
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(RedisAway):
                await store.run(script("return 1"), [], [])
                return


async def test_a_worker_that_stood_still_does_not_wait_without_an_end_for_a_server_that_does(
    own_redis: ValkeyServer,
) -> None:
    store = await open_redis(own_redis.url, connections_max=CONNECTIONS_MAX, timeout_s=0.3, connect_timeout_s=2)
    assert own_redis.pid is not None
    try:
        for turns in range(4):  # of the loop, from the call to the moment when both stand still
            await answered(store)
            os.kill(own_redis.pid, signal.SIGSTOP)
            call = asyncio.create_task(store.run(script("return 2"), [], []))
            for _ in range(turns):
                await asyncio.sleep(0)
            time.sleep(0.35)  # noqa: ASYNC251 - this is the worker that stands still
            done, _ = await asyncio.wait([call], timeout=5)
            os.kill(own_redis.pid, signal.SIGCONT)
            assert done, f"after {turns} turns the call never ends"
            assert isinstance(call.exception(), RedisAway)
    finally:
        os.kill(own_redis.pid, signal.SIGCONT)
        await store.close()
