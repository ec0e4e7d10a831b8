"""One sale on a real server for the scripts' benchmarks: open, drawn, and busy enough that every branch has work."""

from __future__ import annotations

import secrets
import time
from collections.abc import Coroutine, Sequence
from typing import Any

from bench.micro.claims import SKU
from bench.micro.sending import CatchingStore, Wire, command_of
from bench.micro.yardsticks import SMALL_READS
from engine.catalog.board import LiveSale
from engine.catalog.records import Event, Lane, Sale, Session, Sku
from engine.infra.keys import SaleKeys
from engine.line.joining.records import Joining
from engine.line.joining.roster import Roster, unpack_kept
from engine.line.joining.scripts import JoinScripts
from engine.line.place import BUYER_BYTES, Cohort, Place
from engine.stock.stock import Stock, Terms

SALE = "micro"
EPOCH = 1
UNITS = 10_000_000
SKUS = 20
LANES = 8  # as many as a place has bits for
PEOPLE_MAX = 1 << 40


class MicroSale:
    """The sale, and the engine's own wrappers around a store that sends nothing."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.store = CatchingStore()
        self.live = LiveSale(_sale(), SaleKeys.of(SALE), EPOCH)
        self.roster = Roster(SALE)
        self.stock = Stock(self.store)
        self._joins = JoinScripts(self.store)

    def open(self) -> None:
        """Let it begin: nobody is in its line, and there is room for everybody."""
        self.run(self.stock.clear(self.live.keys, EPOCH))
        self.run(self.stock.open(self.live.keys, EPOCH, Terms.of(self.live.sale)))
        fields: dict[str, int] = {"drawn": 1, "serving_ms": 1_000_000}
        for lane in range(LANES):
            fields |= {f"ceiling:{lane}": PEOPLE_MAX, f"head:{lane}": PEOPLE_MAX, f"lobby:{lane}": 0}
        self.wire.client.hset(self.live.keys.line, mapping=fields)  # type: ignore[arg-type]

    def run(self, verb: Coroutine[Any, Any, object]) -> Any:
        """The reply to what a wrapper wanted to send."""
        return self.wire.run(command_of(verb))

    def beside_small_reads(self, verb: Coroutine[Any, Any, object]) -> tuple[list[bytes], list[bytes]]:
        """The bytes of the yardstick with this verb's payload, and of the verb itself."""
        command = command_of(verb)
        return self.wire.packed(command, instead=SMALL_READS), self.wire.packed(command)

    def joining(self, buyers: Sequence[bytes]) -> Coroutine[Any, Any, object]:
        """The join of these buyers to the first lane."""
        return self._joins.join(self.live, self.roster, [Joining(buyer, 0) for buyer in buyers])

    def joined(self, count: int) -> list[Place]:
        """The places of so many new buyers who have joined."""
        buyers = fresh_buyers(count)
        _, places, _ = self.run(self.joining(buyers))
        return [
            Place(buyer, SALE, 0, Cohort.LIVE, EPOCH, unpack_kept(place).index)
            for buyer, place in zip(buyers, places, strict=True)
        ]


def fresh_buyers(count: int) -> list[bytes]:
    """Buyers whom nobody has seen before."""
    return [secrets.token_bytes(BUYER_BYTES) for _ in range(count)]


def _sale() -> Sale:
    now_ms = time.time_ns() // 1_000_000
    event = Event(event_id="micro", title="Micro")
    session = Session(session_id="day1", event_id="micro", title="Day 1", venue="", starts_ms=now_ms + 86_400_000)
    skus = tuple(
        Sku(sku_id=sku_id, session_id="day1", title="", price_fen=100, capacity=UNITS, per_order_max=4)
        for sku_id in (SKU, *(f"day1-{number}" for number in range(1, SKUS)))
    )
    return Sale(
        sale_id=SALE,
        title="Micro",
        event=event,
        sessions=(session,),
        skus=skus,
        lanes=tuple(Lane(ordinal=lane, lane_id=f"lane-{lane}") for lane in range(LANES)),
        opens_ms=now_ms - 60_000,
        closes_ms=now_ms + 3_600_000,
        time_zone="Asia/Shanghai",
        hold_s=300,
        per_buyer_max=6,
        line_rate=100,
    )
