"""Lines for tests of the front: a sale of a few lanes and what a worker sees of it."""

from dataclasses import replace
from typing import Any

from engine.catalog.records import Entry, Event, Lane, Sale, Session, Sku
from engine.line.front.outlook import outlook_of
from engine.line.front.turns import View
from engine.line.pacing.memory import Memory
from engine.line.place import Cohort, Place
from engine.line.sight import LaneSight, LineSight, Shelves

LOBBY_OPENS_MS, DRAWS_MS, OPENS_MS, CLOSES_MS = 1_000_000, 2_000_000, 2_060_000, 9_000_000
WINDOW_MS = 90_000
SEED = bytes(range(32))
BUYER = b"b" * 16

LANES = (
    Lane(ordinal=0, lane_id="public", weight=3),
    Lane(ordinal=1, lane_id="member", entry=Entry.MEMBERS, weight=1),
    Lane(ordinal=2, lane_id="presale", entry=Entry.CODES, weight=1),
)
SALE = Sale(
    sale_id="tidal-2027",
    title="General sale",
    event=Event(event_id="tidal", title="Tidal"),
    sessions=(Session(session_id="sat", event_id="tidal", title="Saturday", venue="Dome", starts_ms=CLOSES_MS * 2),),
    skus=tuple(
        Sku(sku_id=f"sat-tier-{tier}", session_id="sat", title="", price_fen=100, capacity=100, per_order_max=4)
        for tier in range(6)
    ),
    lanes=LANES[:1],
    opens_ms=OPENS_MS,
    closes_ms=CLOSES_MS,
    time_zone="Asia/Shanghai",
    hold_s=600,
    per_buyer_max=4,
    line_rate=100,
    lobby_opens_ms=LOBBY_OPENS_MS,
    lobby_closes_ms=DRAWS_MS,
)


def lane(**numbers: Any) -> LaneSight:
    """A lane of 100 lobby members and 400 who came later, of which 50 are called."""
    return replace(LaneSight(lobby=100, tail=400, ceiling=20_000, head=50, called=50, seed=SEED, root=SEED), **numbers)


def sight(*lanes: LaneSight, **facts: Any) -> LineSight:
    """A line that is live, with 100 units free of 600."""
    seen = LineSight(
        epoch=3,
        now_ms=OPENS_MS + 10_000,
        drawn=True,
        final=False,
        tick=40,
        ticked_ms=OPENS_MS + 10_000,
        serving_ms=10_000,
        pace=b"",
        lanes=lanes or (lane(),),
        admitted=0,
        claimers=0,
        orders_open=0,
        held_until_ms=0,
        opens_ms=OPENS_MS,
        closes_ms=CLOSES_MS,
        round=1,
        shelves=Shelves(free=100, held=0, sold=500),
    )
    return replace(seen, **facts)


def view(seen: LineSight | None, *, sale: Sale = SALE, doubtful: bool = False, now_ms: int | None = None) -> View:
    """What a worker makes of it."""
    if seen is not None and len(seen.lanes) != len(sale.lanes):
        sale = replace(sale, lanes=LANES[: len(seen.lanes)])
    outlooks = () if seen is None else outlook_of(sale, seen, Memory(), window_ms=WINDOW_MS)
    if now_ms is None:
        now_ms = OPENS_MS + 10_000 if seen is None else seen.now_ms
    return View(sale=sale, sight=seen, outlooks=outlooks, doubtful=doubtful, now_ms=now_ms)


def live_place(index: int, *, of_lane: int = 0) -> Place:
    return Place(BUYER, SALE.sale_id, of_lane, Cohort.LIVE, 3, index)


def lobby_place(index: int, *, of_lane: int = 0) -> Place:
    return Place(BUYER, SALE.sale_id, of_lane, Cohort.LOBBY, 3, index)
