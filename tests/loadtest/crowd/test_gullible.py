"""Bots at a server that believes everything: each thing that it should not have accepted becomes a complaint."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from loadtest.crowd.acting import act
from loadtest.crowd.answers import Sale, Sku
from loadtest.crowd.bots.forgeries import encoded
from loadtest.crowd.buyer import Drop
from loadtest.crowd.cdn import Direct, LineCache
from loadtest.crowd.journal import Journal
from loadtest.crowd.line import Pass, line_from, place_from
from loadtest.crowd.protocol import Phone, Shop
from loadtest.wires.loop import LoopWire
from tests.loadtest.crowd.conftest import bots

SEAL = encoded(bytes(range(60)))
LINE = {
    "now_ms": 0,
    "draws_ms": 0,
    "phase": "live",
    "control": "open",
    "health": "ok",
    "final": False,
    "lanes": [{"id": "public", "head": 9, "lobby": 0, "tail": 9, "rate_per_s": 1, "reach": [9, 9]}],
    "stock": [{"sku": "floor", "band": "plenty"}],
    "poll": {"floor_ms": 100, "ceiling_ms": 200, "edge_ceiling_ms": 200, "divisor": 4, "jitter": 0},
}
PLACE = {"place": SEAL, "lane": "public", "cohort": "live", "position": 0, "state": "your_turn"}
ORDER = {
    "order_no": "1",
    "state": "held",
    "amount_fen": 1,
    "deadline_ms": 0,
    "items": [{"sku": "floor", "quantity": 1}],
}
ANSWERS: dict[str, Any] = {
    "/_buyer/login": {"code": "c"},
    "/v1/login": {"seal": SEAL},
    "/v1/sales/s/places": PLACE,
    "/v1/sales/s/places/me": PLACE,
    "/v1/sales/s/pass": {"pass": SEAL, "ends_ms": 1},
    "/v1/sales/s/orders": ORDER,
    "/v1/orders": {"orders": []},
}


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async def believe(request: web.Request) -> web.Response:
        return web.json_response(ANSWERS[request.path])

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", believe)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def journal(address: str) -> Journal:
    """What forgers and forwarders saw together."""
    journal = Journal(buyer_count=0)
    shop = Shop.at(public_url=address, wechat_url=address, sale="s")
    async with LoopWire(dice=random.Random(1), observer=journal.observe) as wire:
        cache = LineCache(wire, shop.line)
        cache.keep(line_from(LINE))
        victim = Phone(wire, shop, openid="victim", seal=SEAL)
        journal.spare_pass = ("victim", Pass(SEAL, 1))
        journal.witness = (victim, place_from({**PLACE, "cohort": "lobby"}))
        sale = Sale("s", "S", "E", 0, 1, 1, 1, (Sku("floor", "night", "Floor", 1, 1),))
        drop = Drop(sale, cache, Direct(cache), journal, wire.now(), lambda: 0)
        await asyncio.gather(
            *(
                act(bot, wire=wire, shop=shop, drop=drop)
                for bot in [*bots("forger", 20, stays_s=1.2), *bots("forwarder", 6, stays_s=1.2)]
            )
        )
    return journal


async def test_whatever_a_gullible_server_accepts_is_complained_about(journal: Journal) -> None:
    assert set(journal.complaints) == {
        "a forged place was accepted",
        "a claim with a forged place was accepted",
        "a join with a forged place was accepted",
        "an order with a forged pass was accepted",
        "a forged login was accepted",
        "a second order on one pass was accepted",
        "an order with another's pass was accepted",
        "another's place was accepted",
    }
