"""The catalog in the ledger: read all sales, apply a sale file.

Applying is one transaction and idempotent: the second time nothing changes. It adds and changes and never
deletes; what a file does not mention stays. Redis is not touched here: a follower carries what was committed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from engine.catalog.begun import Begun, line_refusals, lock_lines, moves_the_line, read_begun, with_new_units
from engine.catalog.records import Challenge, Entry, Event, Lane, RefundTier, Sale, Session, Sku
from engine.catalog.refusals import Problem, SaleFileInvalid
from engine.catalog.sale_file import SaleFile, offered_twice, sku_ids, windows_overlap
from engine.infra.postgres import load_queries

if TYPE_CHECKING:
    import asyncpg

    from engine.infra.postgres import Connection

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))


@dataclass(frozen=True, slots=True)
class Change:
    """What applying did to one record ("sku sat-floor"): a field from old to new; without field, created."""

    record: str
    field: str | None = None
    old: str | None = None
    new: str | None = None

    def __str__(self) -> str:
        if self.field is None:
            return f"{self.record} created"
        return f"{self.record} {self.field}: {self.old} -> {self.new}"


async def load_sales(conn: "Connection") -> tuple[Sale, ...]:
    """Every sale, the earliest opening first, in one statement and therefore of one moment."""
    rows = await conn.fetch(QUERIES.load_sales)
    return tuple(_sale(tuple(group)) for _, group in groupby(rows, key=lambda row: row["sale_id"]))


def _sale(rows: "Sequence[asyncpg.Record]") -> Sale:
    first = rows[0]
    sessions = {
        row["session_id"]: Session(
            session_id=row["session_id"],
            event_id=row["event_id"],
            title=row["session_title"],
            venue=row["venue"],
            starts_ms=row["starts_ms"],
            cancelled=row["cancelled"],
        )
        for row in rows
    }
    return Sale(
        sale_id=first["sale_id"],
        title=first["sale_title"],
        event=Event(event_id=first["event_id"], title=first["event_title"]),
        sessions=tuple(sessions.values()),
        skus=tuple(
            Sku(
                sku_id=row["sku_id"],
                session_id=row["session_id"],
                title=row["sku_title"],
                price_fen=row["price_fen"],
                capacity=row["capacity"],
                per_order_max=row["per_order_max"],
                withdrawn=row["cancelled"],
            )
            for row in rows
        ),
        lanes=_lanes(first["lanes"], first["lane"]),
        opens_ms=first["opens_ms"],
        closes_ms=first["closes_ms"],
        time_zone=first["time_zone"],
        hold_s=first["hold_s"],
        per_buyer_max=first["per_buyer_max"],
        line_rate=first["line_rate"],
        line_concurrency=first["line_concurrency"],
        lobby_opens_ms=first["lobby_opens_ms"],
        lobby_closes_ms=first["lobby_closes_ms"],
        beacon_url=first["beacon_url"],
        beacon_round=first["beacon_round"],
        challenge=Challenge(first["challenge"]),
        round=first["round"],
        final_round=first["final_round"],
        refunds=tuple(
            RefundTier(days_before=days_before, percent=percent)
            for days_before, percent in zip(first["days_before"], first["percents"], strict=True)
        ),
        refund_units_back=first["refund_units_back"],
        mchid=first["mchid"],
        paused=first["paused"],
        epoch=first["epoch"],
    )


def _lanes(raw: str | None, only: str) -> tuple[Lane, ...]:
    """The lanes as PostgreSQL has them; a sale without any has one, open to everyone."""
    if raw is None:
        return (Lane(ordinal=0, lane_id=only),)
    return tuple(
        Lane(
            ordinal=row["lane"],
            lane_id=row["lane_id"],
            title=row["title"],
            entry=Entry(row["entry"]),
            weight=row["weight"],
            quota_units=row["quota_units"],
        )
        for row in orjson.loads(raw)
    )


@dataclass(frozen=True, slots=True)
class _Ledger:
    """What the ledger has under the ids that a sale file names."""

    events: Mapping[str, Event]
    sessions: Mapping[str, Session]
    skus: Mapping[str, Sku]
    allocated: Mapping[str, int]
    sales: Mapping[str, Sale]
    begun: Mapping[str, Begun]


async def apply(
    conn: "Connection", sale_file: SaleFile, *, dry_run: bool = False, tell_changed: bool = False
) -> tuple[Change, ...]:
    """Bring the ledger to what the file says; the changes, in the file's order. A dry run writes nothing.

    With `tell_changed`, buyers of a session whose time or place changed are owed a message, in the same transaction.

    Raises `SaleFileInvalid` when the ledger's past forbids it; then nothing was changed.
    """
    async with conn.transaction():
        await conn.execute(QUERIES.lock_catalog)
        ledger = await _read(conn, sale_file)
        moved_lines = [
            (ledger.sales[sale.sale_id], sale)
            for sale in sale_file.sales
            if sale.sale_id in ledger.sales and moves_the_line(ledger.sales[sale.sale_id], sale)
        ]
        if moved_lines and not dry_run:
            await lock_lines(conn, moved_lines)
            ledger = replace(ledger, begun=await read_begun(conn, ledger.sales))
        if problems := list(_refusals(sale_file, ledger)):
            raise SaleFileInvalid(sale_file.path, problems)
        changes = tuple(_changes(sale_file, ledger))
        if changes and not dry_run:
            await _write(
                conn, sale_file, {change.record for change in changes}, with_new_units(sale_file, ledger.sales)
            )
            moved = {change.record for change in changes if change.field in ("starts_ms", "venue")}
            for session in sale_file.sessions if tell_changed else ():
                if f"session {session.session_id}" in moved:
                    await conn.execute(QUERIES.owe_changed, session.session_id)
    return changes


async def _read(conn: "Connection", sale_file: SaleFile) -> _Ledger:
    events = await conn.fetch(QUERIES.read_events, [event.event_id for event in sale_file.events])
    sessions = await conn.fetch(QUERIES.read_sessions, [session.session_id for session in sale_file.sessions])
    skus = await conn.fetch(QUERIES.read_skus, [sku.sku_id for sku in sale_file.skus])
    sales = {sale.sale_id: sale for sale in await load_sales(conn)}
    return _Ledger(
        events={row["event_id"]: Event(**row) for row in events},
        sessions={row["session_id"]: Session(**row) for row in sessions},
        skus={
            row["sku_id"]: Sku(**{name: value for name, value in row.items() if name != "allocated"}) for row in skus
        },
        allocated={row["sku_id"]: row["allocated"] for row in skus},
        sales=sales,
        begun=await read_begun(conn, sales),
    )


def _refusals(sale_file: SaleFile, ledger: _Ledger) -> Iterator[Problem]:
    for session in sale_file.sessions:
        known = ledger.sessions.get(session.session_id)
        if known and known.event_id != session.event_id:
            reason = f"belongs to the event {known.event_id!r} and cannot move to {session.event_id!r}"
            yield sale_file.problem(f"session:{session.session_id}", "id", reason)
    for sku in sale_file.skus:
        record = f"sku:{sku.sku_id}"
        before = ledger.skus.get(sku.sku_id)
        if before and before.session_id != sku.session_id:
            reason = f"belongs to the session {before.session_id!r} and cannot move to {sku.session_id!r}"
            yield sale_file.problem(record, "id", reason)
        if sku.capacity < ledger.allocated.get(sku.sku_id, 0):
            yield sale_file.problem(record, "capacity", _too_small(sku, ledger.allocated[sku.sku_id]))
    mentioned = {sale.sale_id for sale in sale_file.sales}
    for sale in sale_file.sales:
        record = f"sale:{sale.sale_id}"
        for other in ledger.sales.values():
            if other.sale_id in mentioned or not windows_overlap(sale, other):
                continue
            for sku_id in sorted(set(sku_ids(sale)) & set(sku_ids(other))):
                yield sale_file.problem(record, "skus", offered_twice(sku_id, other.sale_id))
        offered = ledger.sales.get(sale.sale_id)
        if offered is not None:
            yield from line_refusals(sale_file, offered, sale, ledger.begun[sale.sale_id])
        for sku_id in sku_ids(offered) if offered else ():
            if sku_id not in sku_ids(sale) and ledger.allocated.get(sku_id, 0):
                reason = f"leaves out {sku_id!r}, of which units are allocated; lower its capacity instead"
                yield sale_file.problem(record, "skus", reason)


def _too_small(sku: Sku, allocated: int) -> str:
    return f"is {sku.capacity}, but {allocated} units are allocated already; it can go down to {allocated}"


def _changes(sale_file: SaleFile, ledger: _Ledger) -> Iterator[Change]:
    for event in sale_file.events:
        yield from _difference(f"event {event.event_id}", ledger.events.get(event.event_id), event)
    for session in sale_file.sessions:
        yield from _difference(f"session {session.session_id}", ledger.sessions.get(session.session_id), session)
    for sku in sale_file.skus:
        yield from _difference(f"sku {sku.sku_id}", ledger.skus.get(sku.sku_id), sku)
    for sale in sale_file.sales:
        yield from _difference(f"sale {sale.sale_id}", ledger.sales.get(sale.sale_id), sale)
    for sale_id in sorted(with_new_units(sale_file, ledger.sales)):
        ended = ledger.sales[sale_id]
        if ended.sold_out_for_good:
            yield Change(f"sale {sale_id}", "round", str(ended.round), str(ended.round + 1))


# Pausing, cancelling and the epoch are not the file's to change; a sale's records have changes of their own.
_NOT_COMPARED = frozenset(
    {"event", "sessions", "paused", "epoch", "cancelled", "withdrawn", "challenge", "round", "final_round"}
)


def _difference(record: str, old: object | None, new: Any) -> Iterator[Change]:
    if old is None:
        yield Change(record)
        return
    for field in fields(new):
        if field.name in _NOT_COMPARED:
            continue
        before, after = (_shown(getattr(side, field.name)) for side in (old, new))
        if before != after:
            yield Change(record, field.name, before, after)


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(part.sku_id if isinstance(part, Sku) else str(part) for part in value) or "none"
    return str(value)


async def _write(conn: "Connection", sale_file: SaleFile, changed: set[str], with_units: frozenset[str]) -> None:
    await conn.execute(QUERIES.lock_sales, [*with_units, *(sale.sale_id for sale in sale_file.sales)])
    await conn.execute(QUERIES.lock_skus, [sku.sku_id for sku in sale_file.skus])
    await conn.execute(QUERIES.put_up_again, list(with_units))
    for event in sale_file.events:
        if f"event {event.event_id}" in changed:
            await conn.execute(QUERIES.put_event, event.event_id, event.title)
    for session in sale_file.sessions:
        if f"session {session.session_id}" in changed:
            await conn.execute(
                QUERIES.put_session,
                session.session_id,
                session.event_id,
                session.title,
                session.venue,
                session.starts_ms,
            )
    for sku in sale_file.skus:
        if f"sku {sku.sku_id}" in changed:
            await _put_sku(conn, sale_file, sku)
    for sale in sale_file.sales:
        if f"sale {sale.sale_id}" in changed:
            await conn.execute(
                QUERIES.put_sale,
                sale.sale_id,
                sale.title,
                sale.lanes[0].lane_id,
                sale.opens_ms,
                sale.closes_ms,
                sale.time_zone,
                sale.hold_s,
                sale.per_buyer_max,
                sale.line_rate,
                sale.refund_units_back,
                sale.mchid,
                sale.line_concurrency,
                sale.lobby_opens_ms,
                sale.lobby_closes_ms,
                sale.beacon_url,
                sale.beacon_round,
            )
            await _put_lanes(conn, sale)
            await conn.execute(QUERIES.drop_sale_skus, sale.sale_id)
            await conn.execute(QUERIES.put_sale_skus, sale.sale_id, list(sku_ids(sale)))
            await conn.execute(QUERIES.drop_refund_tiers, sale.sale_id)
            await conn.execute(
                QUERIES.put_refund_tiers,
                sale.sale_id,
                [tier.days_before for tier in sale.refunds],
                [tier.percent for tier in sale.refunds],
            )


async def _put_lanes(conn: "Connection", sale: Sale) -> None:
    """The lanes as rows; the one open lane of a name alone needs none."""
    await conn.execute(QUERIES.drop_lanes, sale.sale_id)
    await conn.execute(QUERIES.drop_idle_lanes, sale.sale_id, len(sale.lanes))
    if sale.lanes == (Lane(ordinal=0, lane_id=sale.lanes[0].lane_id),):
        return
    await conn.execute(
        QUERIES.put_lanes,
        sale.sale_id,
        [lane.ordinal for lane in sale.lanes],
        [lane.lane_id for lane in sale.lanes],
        [lane.title for lane in sale.lanes],
        [lane.entry.value for lane in sale.lanes],
        [lane.weight for lane in sale.lanes],
        [lane.quota_units for lane in sale.lanes],
    )


async def _put_sku(conn: "Connection", sale_file: SaleFile, sku: Sku) -> None:
    written = await conn.fetchval(
        QUERIES.put_sku,
        sku.sku_id,
        sku.session_id,
        sku.title,
        sku.price_fen,
        sku.capacity,
        sku.per_order_max,
    )
    if written is None:
        (now,) = await conn.fetch(QUERIES.read_skus, [sku.sku_id])
        problem = sale_file.problem(f"sku:{sku.sku_id}", "capacity", _too_small(sku, now["allocated"]))
        raise SaleFileInvalid(sale_file.path, [problem])
