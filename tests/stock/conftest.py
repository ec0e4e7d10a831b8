"""A stock on a real server: one sale, opened, with helpers that say what they mean."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count

import pytest

from engine.infra.keys import SaleKeys
from engine.infra.redis import RedisStore, open_redis
from engine.stock.claim import Claim, Item
from engine.stock.stock import Decision, Shelf, Stock, Terms

HOUR_MS = 3_600_000
PASS_END_MS = 120_000  # of the serving clock, which stands at zero


@dataclass(slots=True)
class OpenSale:
    """A sale of 10 `floor` and 5 `stand`, open for two hours, at most 4 units a buyer."""

    store: RedisStore
    stock: Stock
    keys: SaleKeys
    epoch: int = 1
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    async def terms(self, **changes: object) -> Terms:
        seconds, _ = await self.store.client.time()
        usual = {
            "opens_ms": seconds * 1000 - HOUR_MS,
            "closes_ms": seconds * 1000 + HOUR_MS,
            "hold_ms": 60_000,
            "buyer_max": 4,
            "paused": False,
            "capacities": (("floor", 10), ("stand", 5)),
        }
        return Terms(**(usual | changes))  # type: ignore[arg-type]

    async def open(self, **changes: object) -> None:
        await self.stock.clear(self.keys, self.epoch)
        await self.stock.open(self.keys, self.epoch, await self.terms(**changes))

    async def amend(self, **changes: object) -> None:
        await self.stock.amend(self.keys, self.epoch, await self.terms(**changes))

    def claim(self, buyer: str = "", *, request: str = "", body: str = "", lane: int = 0, **quantities: int) -> Claim:
        """A claim with a number of its own; buyer and request are new unless given."""
        number = next(self.numbers)
        return Claim(
            request_id=(request or f"r{number}").ljust(16, "-").encode(),
            body_digest=body.ljust(8, "-").encode(),
            buyer=(buyer or f"b{number}").ljust(16, "-").encode(),
            order_no=f"N{number:025d}",
            items=tuple(Item(sku, quantity) for sku, quantity in (quantities or {"floor": 1}).items()),
            lane=lane,
            nonce=b"nonce---",
        )

    async def grant(self, *claims: Claim, end_ms: int = PASS_END_MS) -> None:
        """Write the passes that these claims show, as the claim script does."""
        client = self.store.client
        passes = {claim.buyer: claim.nonce + f"{end_ms}{claim.lane}".encode() for claim in claims}
        await client.hset(self.keys.passes, mapping=passes)
        await client.zadd(self.keys.admitted, dict.fromkeys(passes, end_ms))

    async def decide(self, *claims: Claim) -> list[Decision]:
        """Reserve with the passes that are there."""
        return await self.stock.reserve(self.keys, self.epoch, claims)

    async def reserve(self, *claims: Claim) -> list[Decision]:
        """Reserve, every buyer with a good pass."""
        await self.grant(*claims)
        return await self.decide(*claims)

    async def shelf(self, sku: str = "floor") -> Shelf:
        seen = await self.stock.observe(self.keys, self.epoch)
        assert seen is not None
        return seen.shelves[sku]

    async def state(self) -> dict[str, object]:
        """Every key of the sale with everything in it."""
        client = self.store.client
        found: dict[str, object] = {}
        for key in self.keys.all():
            kind = await client.type(key)
            if kind == b"hash":
                found[key] = await client.hgetall(key)
            elif kind == b"zset":
                found[key] = await client.zrange(key, 0, -1, withscores=True)
            elif kind == b"list":
                found[key] = await client.lrange(key, 0, -1)
        return found


@pytest.fixture
async def sale(clean_redis_url: str) -> AsyncIterator[OpenSale]:
    store = await open_redis(clean_redis_url, connections_max=64, timeout_s=5, connect_timeout_s=5)
    opened = OpenSale(store, Stock(store), SaleKeys.of("spring"))
    await opened.open()
    yield opened
    await store.close()
