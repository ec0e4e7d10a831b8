"""The till of the sale `spring`: its desk on real stores, with the line's numbers as a tick would have set them."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from engine.line.admission.desk import AdmissionDesk, Admitted, ClaimRefusal
from engine.line.admission.ledger import AdmissionLedger
from engine.line.admission.passes import Passes
from engine.line.place import Cohort, Pass, Place
from engine.stock.claim import Item
from engine.stock.stock import Terms
from tests.support.house import Rooms

PASS_MS = 120_000


@dataclass(slots=True)
class Till:
    """Claims of one sale, where everybody's position is their index in the live cohort."""

    house: Rooms
    desk: AdmissionDesk
    limit: int = 100

    def place_of(self, buyer: str, index: int, *, lane: int = 0, cohort: Cohort = Cohort.LIVE) -> Place:
        return Place(buyer.ljust(16, "-").encode(), "spring", lane, cohort, self.house.live.epoch, index)

    async def claim(self, buyer: str, index: int, *, lane: int = 0) -> Admitted | ClaimRefusal:
        return await self.desk.claim(self.place_of(buyer, index, lane=lane), index)

    async def admit(self, buyer: str, index: int = 0, *, lane: int = 0) -> Pass:
        """A claim that must succeed."""
        claimed = await self.claim(buyer, index, lane=lane)
        assert isinstance(claimed, Admitted), claimed
        return claimed.admission

    async def refuse(self, buyer: str, index: int, *, lane: int = 0) -> str:
        """The code of a claim that must be refused."""
        claimed = await self.claim(buyer, index, lane=lane)
        assert isinstance(claimed, ClaimRefusal), claimed
        return claimed.code.name

    async def call(self, **line: Any) -> None:
        """Set fields of the line; `head` is that of lane 0."""
        fields = {{"head": "head:0"}.get(name, name): value for name, value in line.items()}
        await self.house.store.client.hset(self.house.live.keys.line, mapping=fields)

    async def line(self, field: str) -> int:
        return int(await self.house.store.client.hget(self.house.live.keys.line, field) or 0)

    async def order(self, admission: Pass, key: str = "key-00001", **quantities: int) -> Any:
        items = tuple(Item(sku, quantity) for sku, quantity in (quantities or {"floor": 1}).items())
        return await self.house.placer.place(admission, key, items)

    async def lanes(self, *rows: tuple[str, int, int | None]) -> None:
        """Give the sale these lanes: id, weight, quota."""
        for lane, (lane_id, weight, quota_units) in enumerate(rows):
            await self.house.sql(
                "insert into sale_lanes (sale_id, lane, lane_id, weight, quota_units) values ('spring', $1, $2, $3, $4)"
                " returning 1",
                *(lane, lane_id, weight, quota_units),
            )
        await self.house.follower.run_once()

    async def change(self, **terms: Any) -> None:
        """Bring changed terms of the sale to Redis, as the follower does."""
        live = self.house.live
        live.renew(replace(live.sale, **terms))
        await self.house.stock.amend(live.keys, live.epoch, Terms.of(live.sale))


def till_of(house: Rooms, ledger: AdmissionLedger) -> Till:
    """A till over these rooms; its limit may be changed at any time."""
    till: Till
    desk = AdmissionDesk(
        house.live,
        Passes(house.store),
        ledger,
        limit=lambda: till.limit,
        pass_ms=PASS_MS,
        batch_count_max=250,
        queue_count_max=2000,
    )
    till = Till(house, desk)
    return till


@pytest.fixture
async def till(house: Rooms) -> Till:
    """A till where the first hundred of the line are called."""
    found = till_of(house, AdmissionLedger(house.pool))
    await found.call(head=100)
    return found
