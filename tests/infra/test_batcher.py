"""The micro-batcher: grows with load, answers each in order, sheds beyond its bound."""

import asyncio

import pytest

from engine.infra.batcher import Batcher
from engine.infra.outage import Overloaded, RedisAway


def batcher_of(flush, *, batch_count_max: int = 100, queue_count_max: int = 1000):  # type: ignore[no-untyped-def]
    return Batcher(flush, batch_count_max=batch_count_max, queue_count_max=queue_count_max)


async def test_what_arrives_in_one_turn_travels_together() -> None:
    batches: list[list[int]] = []

    async def flush(items: list[int]) -> list[int]:
        batches.append(items)
        return [item * 2 for item in items]

    batcher = batcher_of(flush)
    assert await asyncio.gather(*(batcher.submit(n) for n in range(5))) == [0, 2, 4, 6, 8]
    assert batches == [[0, 1, 2, 3, 4]]


async def test_the_next_batch_forms_while_one_is_away() -> None:
    batches: list[list[int]] = []
    back = asyncio.Event()

    async def flush(items: list[int]) -> list[int]:
        batches.append(items)
        await back.wait()
        return items

    batcher = batcher_of(flush)
    first = batcher.submit(1)
    await asyncio.sleep(0)
    others = [batcher.submit(n) for n in (2, 3, 4)]
    await asyncio.sleep(0)
    assert batches == [[1]]
    back.set()
    assert await asyncio.gather(first, *others) == [1, 2, 3, 4]
    assert batches == [[1], [2, 3, 4]]


async def test_a_batch_is_never_longer_than_its_bound() -> None:
    sizes: list[int] = []

    async def flush(items: list[int]) -> list[int]:
        sizes.append(len(items))
        return items

    batcher = batcher_of(flush, batch_count_max=4)
    await asyncio.gather(*(batcher.submit(n) for n in range(10)))
    assert sizes == [4, 4, 2]


async def test_beyond_the_queue_bound_a_request_is_shed_at_once() -> None:
    async def flush(items: list[int]) -> list[int]:
        return items

    batcher = batcher_of(flush, queue_count_max=2)
    kept = [batcher.submit(1), batcher.submit(2)]
    with pytest.raises(Overloaded):
        batcher.submit(3)
    assert await asyncio.gather(*kept) == [1, 2]


async def test_an_outage_reaches_everybody_in_the_batch_and_nobody_after_it() -> None:
    calls = 0

    async def flush(items: list[int]) -> list[int]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RedisAway("gone")
        return items

    batcher = batcher_of(flush)
    failed = await asyncio.gather(batcher.submit(1), batcher.submit(2), return_exceptions=True)
    assert [type(one) for one in failed] == [RedisAway, RedisAway]
    assert await batcher.submit(3) == 3


async def test_a_caller_who_left_does_not_disturb_the_others() -> None:
    async def flush(items: list[int]) -> list[int]:
        return items

    batcher = batcher_of(flush)
    left, stayed = batcher.submit(1), batcher.submit(2)
    left.cancel()
    assert await stayed == 2


async def test_batches_begin_apart_and_a_lone_request_waits_for_nothing() -> None:
    began_s: list[float] = []
    clock = asyncio.get_running_loop().time

    async def flush(items: list[int]) -> list[int]:
        began_s.append(clock())
        return items

    batcher: Batcher[int, int] = Batcher(flush, batch_count_max=10, queue_count_max=10, spacing_s=0.2)
    asked_s = clock()
    await batcher.submit(1)
    await asyncio.gather(batcher.submit(2), batcher.submit(3))
    assert began_s[0] - asked_s < 0.1
    assert len(began_s) == 2
    assert began_s[1] - began_s[0] >= 0.19
