"""What a line that has begun forbids its sale file, and what new units of a sold-out sale mean.

Whoever stands in a lobby joined one lane under published rules: from the first entry on the lanes and the beacon
stand, weights excepted; from the seal on nothing moves but titles. Lanes are known by their ordinal, so a lane that
has codes or members keeps its place in the order. New units begin a new round of a sale that had ended.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from engine.catalog.records import Entry, Lane, Sale, Sku
from engine.catalog.refusals import Problem
from engine.catalog.sale_file import SaleFile
from engine.infra.postgres import load_queries

if TYPE_CHECKING:
    from engine.infra.postgres import Connection

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))

_LOBBY = {"lobby_opens_ms": "lobby_opens_at", "lobby_closes_ms": "lobby_closes_at"}
_BEACON = {"beacon_url": "beacon_url", "beacon_round": "beacon_round"}


@dataclass(frozen=True, slots=True)
class Begun:
    """How far a sale's line has come: sealed, somebody in its lobby, ordinals of lanes that have codes or members."""

    sealed: bool = False
    gathered: bool = False
    keyed: frozenset[int] = frozenset()


async def read_begun(conn: "Connection", sale_ids: Iterable[str]) -> dict[str, Begun]:
    """How far the lines of these sales have come."""
    rows = await conn.fetch(QUERIES.read_begun, list(sale_ids))
    return {row["sale_id"]: Begun(row["sealed"], row["gathered"], frozenset(row["keyed"])) for row in rows}


async def lock_lines(conn: "Connection", sales: Iterable[tuple[Sale, Sale]]) -> None:
    """Let nobody enter the lobbies of these sales, as they are and as they shall be, until this transaction ends."""
    for old, new in sorted(sales, key=lambda pair: pair[1].sale_id):
        await conn.execute(QUERIES.begin_lanes, new.sale_id, max(len(old.lanes), len(new.lanes)) - 1)
        await conn.execute(QUERIES.lock_lanes, new.sale_id)


def moves_the_line(old: Sale, new: Sale) -> bool:
    """Whether the file changes anything that a lobby which has begun may forbid."""
    return _lane_terms(old.lanes) != _lane_terms(new.lanes) or any(_differing(old, new, {**_LOBBY, **_BEACON}))


def line_refusals(sale_file: SaleFile, old: Sale, new: Sale, begun: Begun) -> Iterator[Problem]:
    """What of the new sale cannot be any more."""
    record = f"sale:{new.sale_id}"
    if begun.sealed:
        for field, key in _differing(old, new, {**_LOBBY, **_BEACON}):
            reason = f"stands since the lobby was sealed; it was {_told(old, field)}. Another drop is another sale"
            yield sale_file.problem(record, key, reason)
        if _lane_terms(old.lanes) != _lane_terms(new.lanes):
            reason = f"stand since the lobby was sealed, titles excepted; they were {_listed(old.lanes)}"
            yield sale_file.problem(record, "lanes", reason)
        return
    if begun.gathered:
        for field, key in _differing(old, new, _BEACON):
            reason = f"stands since somebody is in the lobby; it was {_told(old, field)}"
            yield sale_file.problem(record, key, reason)
        if _entries(old.lanes) != _entries(new.lanes):
            reason = (
                f"stand since somebody is in the lobby, weights and quotas excepted; they were {_listed(old.lanes)}"
            )
            yield sale_file.problem(record, "lanes", reason)
            return
    before, after = _entries(old.lanes), _entries(new.lanes)
    for ordinal in sorted(begun.keyed):
        if ordinal < len(before) and before[ordinal : ordinal + 1] != after[ordinal : ordinal + 1]:
            lane_id, entry = before[ordinal]
            reason = (
                f"must keep {lane_id!r} with entry {entry} as lane {ordinal + 1}, for it has codes or members already"
            )
            yield sale_file.problem(record, "lanes", reason)


def with_new_units(sale_file: SaleFile, known: Mapping[str, Sale]) -> frozenset[str]:
    """The sales of the ledger that get units by this file: a capacity is raised, or a SKU is added."""
    shall = {sale.sale_id: sale for sale in sale_file.sales}
    capacities = {sku.sku_id: sku.capacity for sku in sale_file.skus}
    found = set()
    for sale in known.values():
        before = {sku.sku_id: sku for sku in sale.skus}
        for sku in shall.get(sale.sale_id, sale).skus:
            was = before.get(sku.sku_id)
            if _offered(was) < (0 if was and was.withdrawn else capacities.get(sku.sku_id, sku.capacity)):
                found.add(sale.sale_id)
    return frozenset(found)


def _told(sale: Sale, field: str) -> str:
    """The field's value as the file writes it."""
    value = getattr(sale, field)
    if value is None:
        return "left out"
    if field in _LOBBY:
        return datetime.fromtimestamp(value / 1000, ZoneInfo(sale.time_zone)).isoformat(timespec="seconds")
    return str(value)


def _offered(sku: Sku | None) -> int:
    return 0 if sku is None else sku.offered


def _differing(old: Sale, new: Sale, fields: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(field, key) for field, key in fields.items() if getattr(old, field) != getattr(new, field)]


def _lane_terms(lanes: Iterable[Lane]) -> list[Any]:
    return [(lane.lane_id, lane.entry, lane.weight, lane.quota_units) for lane in lanes]


def _entries(lanes: Iterable[Lane]) -> list[tuple[str, Entry]]:
    return [(lane.lane_id, lane.entry) for lane in lanes]


def _listed(lanes: Iterable[Lane]) -> str:
    return ", ".join(str(lane) for lane in lanes)
