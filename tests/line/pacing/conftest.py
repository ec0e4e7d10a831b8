"""A line on real servers whose draw is made, and a clock that is moved by hand: time passes by putting the last tick
back, so that no test waits."""

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from engine.embedded.postgres import run_sql
from engine.line.pacing.health import Pulse
from engine.line.pacing.ledger import PaceLedger
from engine.line.pacing.scripts import PaceScripts
from engine.line.pacing.ticker import Beat, Ticker
from engine.line.sight import LineSight
from tests.conftest import url_of_database
from tests.support.house import Rooms, rooms

# The tests of this folder share a database, emptied of what a line writes: making one costs more than any of them.
RESET = """
delete from line_ticks; delete from line_lanes; delete from line_sales;
update sales set round = 1, final_round = 0, epoch = 0;
"""


@dataclass
class Rig:
    """The line of the house's sale, and one worker's ticker."""

    house: Rooms
    ticker: Ticker

    def another_worker(self, *, tick_ms: int = 250) -> Ticker:
        store, pool = self.house.store, self.house.pool
        beat = Beat(tick_ms=tick_ms, window_ms=10_000)
        return Ticker(self.house.live, PaceScripts(store), PaceLedger(pool), Pulse(), beat)

    async def line(self, **fields: Any) -> None:
        """Write fields of the line, `tail_0` for tail:0."""
        named = {name.replace("_0", ":0").replace("_1", ":1"): value for name, value in fields.items()}
        await self.house.store.client.hset(self.house.live.keys.line, mapping=named)

    async def control(self, **fields: Any) -> None:
        await self.house.store.client.hset(self.house.live.keys.control, mapping=fields)

    async def stock(self, **fields: int) -> None:
        named = {name.replace("_", ":", 1): value for name, value in fields.items()}
        await self.house.store.client.hset(self.house.live.keys.stock, mapping=named)

    async def number(self, field: str) -> int:
        return int(await self.house.store.client.hget(self.house.live.keys.line, field) or 0)

    async def pass_ms(self, ms: int) -> None:
        """So much time has passed since the last tick."""
        keys = self.house.live.keys
        if await self.house.store.client.hexists(keys.line, "ticked_ms"):
            await self.house.store.client.hincrby(keys.line, "ticked_ms", -ms)

    async def tick(self, after_ms: int = 250, *, worker: Ticker | None = None) -> LineSight:
        """Time passes and a worker looks."""
        await self.pass_ms(after_ms)
        sight = await (worker or self.ticker).refresh()
        assert sight is not None
        return sight

    async def admit(self, buyer: bytes, *, end_ms: int, lane: int = 0) -> None:
        """A pass as the claim script writes it."""
        client, keys = self.house.store.client, self.house.live.keys
        await client.hset(keys.passes, buyer, b"n" * 8 + b"%d%d" % (end_ms, lane))
        await client.zadd(keys.admitted, {buyer: end_ms})

    async def wait_at_the_door(self, buyer: bytes, *, rank: int, seen_ms: int) -> None:
        """A claimer as the claim script writes it."""
        client, keys = self.house.store.client, self.house.live.keys
        await client.zadd(keys.claimers, {buyer: rank})
        await client.hset(keys.seen, buyer, seen_ms)

    def rate(self, per_s: int | None, *, concurrency: int | None = None) -> None:
        live = self.house.live
        live.renew(replace(live.sale, line_rate=per_s, line_concurrency=concurrency))


@pytest.fixture(scope="module")
def shared_database_url(postgres_url: str, database_template: str) -> Iterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    run_sql(postgres_url, f"CREATE DATABASE {name} TEMPLATE {database_template}")
    yield url_of_database(postgres_url, name)
    run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def rig(clean_redis_url: str, shared_database_url: str) -> AsyncIterator[Rig]:
    run_sql(shared_database_url, RESET)
    async with rooms(clean_redis_url, shared_database_url) as house:
        rig = Rig(house, None)  # type: ignore[arg-type]
        rig.ticker = rig.another_worker()
        await rig.line(drawn=1)
        yield rig
        await rig.ticker.keeper.settled()
