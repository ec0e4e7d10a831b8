"""No script of the stock leaves half of its effect behind, or goes on over a server that forgot the other half."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from engine.embedded.valkey import ValkeyServer
from engine.infra.keys import SaleKeys
from engine.infra.outage import RedisAway
from engine.infra.redis import open_redis
from engine.stock.claim import Claim, Item
from engine.stock.codes import LoadCode, OpenCode, ReserveCode
from engine.stock.stock import Stock
from tests.faults.aof import AppendOnlyFile
from tests.stock.conftest import OpenSale

HELD_UNTIL_MS = 1 << 42

Act = Callable[[OpenSale, Claim, Claim], Awaitable[object]]

VERBS: dict[str, Act] = {
    "reserve": lambda sale, _, new: sale.decide(new),
    "confirm": lambda sale, held, _: sale.stock.confirm(sale.keys, 1, [held.order_no]),
    "release": lambda sale, held, _: sale.stock.release(sale.keys, 1, [held.order_no], forget=True),
    "retake": lambda sale, _, new: sale.stock.retake(sale.keys, 1, new),
    "shrink": lambda sale, held, _: sale.stock.shrink(sale.keys, 1, {held.order_no: []}),
}
# The keys that each verb touches, whether it reads or only writes them.
TOUCHED = {
    "reserve": (
        *("control", "stock", "buyers", "requests", "claims", "deadlines", "claimants"),
        *("line", "passes", "admitted"),
    ),
    "confirm": ("control", "stock", "claims", "deadlines"),
    "release": ("control", "stock", "buyers", "requests", "claims", "deadlines"),
    "retake": ("control", "stock", "buyers", "claims", "claimants"),
    "shrink": ("control", "stock", "buyers", "claims", "deadlines"),
}


@pytest.fixture
async def sale(own_redis: ValkeyServer) -> AsyncIterator[OpenSale]:
    store = await open_redis(own_redis.url, connections_max=8, timeout_s=5, connect_timeout_s=5)
    opened = OpenSale(store, Stock(store), SaleKeys.of("spring"))
    await opened.open()
    yield opened
    await store.close()


@pytest.mark.parametrize(("verb", "key"), [(verb, key) for verb, keys in TOUCHED.items() for key in keys])
async def test_a_key_of_the_wrong_kind_stops_a_script_before_its_first_write(
    sale: OpenSale, verb: str, key: str
) -> None:
    held, new = sale.claim(floor=2), sale.claim(floor=2)
    await sale.reserve(held)
    await sale.grant(new)
    client = sale.store.client
    await client.delete(getattr(sale.keys, key))
    await client.set(getattr(sale.keys, key), "planted")
    before = await sale.state()
    with pytest.raises(RedisAway, match="WRONGTYPE"):
        await VERBS[verb](sale, held, new)
    assert await sale.state() == before


@pytest.mark.parametrize("verb", ["reserve", "retake"])
async def test_a_full_server_refuses_a_script_whole(sale: OpenSale, verb: str) -> None:
    before = await sale.state()
    await sale.store.client.config_set("maxmemory", "1mb")
    with pytest.raises(RedisAway, match=r"OutOfMemory|OOM"):
        await VERBS[verb](sale, sale.claim(), sale.claim())
    assert await sale.state() == before


@pytest.mark.parametrize("verb", ["confirm", "release"])
async def test_a_full_server_still_ends_holds(sale: OpenSale, verb: str) -> None:
    held = sale.claim(floor=2)
    await sale.reserve(held)
    await sale.store.client.config_set("maxmemory", "1mb")
    await VERBS[verb](sale, held, sale.claim())
    assert (await sale.shelf()).held == 0


async def test_a_full_server_still_takes_back_what_a_refund_returns(sale: OpenSale) -> None:
    held = sale.claim(floor=2)
    await sale.reserve(held)
    await sale.stock.confirm(sale.keys, 1, [held.order_no])
    await sale.store.client.config_set("maxmemory", "1mb")
    await sale.stock.shrink(sale.keys, 1, {held.order_no: [Item("floor", 1)]})
    assert (await sale.shelf()).sold == 1


async def test_a_rebuild_whose_first_half_was_lost_with_the_server_never_opens_the_sale(
    sale: OpenSale, own_redis: ValkeyServer
) -> None:
    first, second = sale.claim(floor=4), sale.claim(floor=4)
    written = AppendOnlyFile(own_redis)
    await sale.stock.clear(sale.keys, 2)
    cleared_bytes = written.size()
    await sale.stock.load(sale.keys, 2, [(first, HELD_UNTIL_MS)])
    own_redis.kill()
    written.cut_to(cleared_bytes)
    own_redis.start()

    # The coordinator noticed nothing: it was reading its next page, and its connection is made again by itself.
    assert await retried(lambda: sale.stock.load(sale.keys, 2, [(second, HELD_UNTIL_MS)])) is LoadCode.STALE_EPOCH
    assert await sale.stock.open(sale.keys, 2, await sale.terms()) is OpenCode.STALE_EPOCH
    sale.epoch = 2
    (decision,) = await sale.reserve(sale.claim(floor=4))
    assert decision.code is ReserveCode.FENCED


async def retried(act: Callable[[], Awaitable[object]]) -> object:
    """Once more where the first try met a connection that the restart had closed."""
    try:
        return await act()
    except RedisAway:
        return await act()
