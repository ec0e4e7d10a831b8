"""One running engine and one open sale for all tests of this folder."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from engine.embedded.postgres import run_sql
from engine.simulator.keys import credentials
from loadtest.crowd.acting import act
from loadtest.crowd.buyer import Drop
from loadtest.crowd.journal import Journal
from loadtest.crowd.protocol import Shop
from loadtest.crowd.scene import set_scene
from loadtest.profiles import casting, loading
from loadtest.profiles.profile import BotKind, Profile
from loadtest.profiles.sale_file import sale_toml
from loadtest.wires.loop import LoopWire
from tests.conftest import url_of_database
from tests.support.engine import Engine, Stores

SALE = "evening"
SMALL = {
    "sale.hold_s": 150,
    "sale.tickets": 20_000,
    "sale.per_order_max": 2,
    "sale.member_share": 0.5,
    "arrivals": {"curve": "closed", "points": [[0, 1], [9, 1]]},
    "people.behaviours": {"pays": 1},
    "people.pay": {"median_s": 1, "p95_s": 3},
    "people.gone": 0,
    "people.late": 0,
}
"""A thousand tickets, holds of three seconds, and people who buy at once."""


def story(**changes: Any) -> Profile:
    """The sale of this folder with other people."""
    return loading.load(
        "concert-drop", changes=SMALL | {name.replace("__", "."): value for name, value in changes.items()}
    )


def bots(kind: str, count: int, *, stays_s: float = 3.0) -> list[casting.Visitor]:
    """So many of this kind, with openids that no other kind has."""
    profile = story(bots__share=1.0, bots__kinds={kind: 1}, bots__stays_s=stays_s)
    first = 100 * [each.value for each in BotKind].index(kind)
    return [casting.newcomer(profile, first + number) for number in range(count)]


@pytest.fixture(scope="package")
def engine(
    redis_url: str, postgres_url: str, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """One worker, the jobs and the simulator, with the sale open and its members listed."""
    name, merchant_home = f"test_{secrets.token_hex(6)}", tmp_path_factory.mktemp("merchant")
    run_sql(postgres_url, f"CREATE DATABASE {name} TEMPLATE {database_template}")
    credentials.ensure(merchant_home)
    stores = Stores(redis_url=redis_url, postgres_url=url_of_database(postgres_url, name))
    with Engine(tmp_path_factory.mktemp("engine"), stores, merchant_home=merchant_home) as engine:
        put_on_sale(engine, story())
        yield engine
    run_sql(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


def put_on_sale(engine: Engine, profile: Profile) -> None:
    file, members = engine.folder / "sale.toml", engine.folder / "members.txt"
    file.write_text(sale_toml(profile, sale=SALE))
    engine.floodgate("sale", "apply", file, "--opens-in", "0")
    members.write_text("\n".join(casting.member_openids(profile)))
    engine.floodgate("line", "members", SALE, casting.MEMBERS, members)
    engine.wait_until_live(SALE)


@dataclass(frozen=True, slots=True)
class Evening:
    """What everybody who comes together shares."""

    wire: LoopWire
    shop: Shop
    drop: Drop

    @property
    def journal(self) -> Journal:
        return self.drop.journal

    async def visit(self, *visitors: casting.Visitor) -> Journal:
        """All of them at once, from login to their ends."""
        await self.wire.together(*(act(one, wire=self.wire, shop=self.shop, drop=self.drop) for one in visitors))
        return self.journal


@asynccontextmanager
async def evening(engine: Engine) -> AsyncIterator[Evening]:
    """A memory of its own for whoever comes now."""
    journal = Journal(buyer_count=0)
    async with LoopWire(dice=random.Random(1), observer=journal.observe) as wire:
        shop = Shop.at(public_url=engine.public_url, wechat_url=engine.simulator_url, sale=SALE)
        drop = await set_scene(wire, shop, journal, cdn=False)
        reading = asyncio.create_task(drop.cache.run())
        try:
            yield Evening(wire, shop, drop)
        finally:
            reading.cancel()
