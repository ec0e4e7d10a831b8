"""The sale file: what an organizer writes in TOML, read whole or refused whole.

A `SaleFile` that exists makes sense: its references lead somewhere, its windows end after they begin, its
numbers are within bounds. Every problem is reported at once with file, line, key and reason. Reading touches
no database and no clock; what depends on the past (units already allocated) is checked when it is applied.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from engine.catalog import bounds, toml_lines
from engine.catalog.reader import Found, Reader
from engine.catalog.records import Event, RefundTier, Sale, Session, Sku
from engine.catalog.refusals import Problem, SaleFileInvalid
from engine.catalog.sale_line import only_lane, read_lanes, read_lobby, refuse_half_told
from engine.catalog.tables import EventTable, RefundTable, SaleTable, SessionTable, SkuTable


@dataclass(frozen=True, slots=True)
class SaleFile:
    """A valid sale file: its records, and where each stood, for refusals when it is applied."""

    path: Path
    events: tuple[Event, ...]
    sessions: tuple[Session, ...]
    skus: tuple[Sku, ...]
    sales: tuple[Sale, ...]
    places: dict[str, tuple[str, toml_lines.Path]]
    lines: dict[toml_lines.Path, int]

    def problem(self, record: str, field: str, reason: str) -> Problem:
        """A refusal of `field` of a record named as "sku:sat-floor"."""
        key, path = self.places[record]
        return Problem(f"{key}.{field}", toml_lines.nearest_line(self.lines, (*path, field)), reason)


def read_sale_file(path: Path) -> SaleFile:
    """The sale file at `path`, or `SaleFileInvalid` with everything that is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SaleFileInvalid(path, [Problem("file", None, f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise SaleFileInvalid(path, [Problem("file", None, "is not UTF-8")]) from None
    return parse_sale_file(text, path)


def parse_sale_file(text: str, path: Path) -> SaleFile:
    """As `read_sale_file`, of a text already read; `path` only names it."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        problem = Problem("file", int(line[1]) if line else None, f"is not TOML: {error}")
        raise SaleFileInvalid(path, [problem]) from None
    reader = Reader(text)
    zone = reader.time_zone(content)
    events, sessions, skus = _read_events(reader, content)
    sales = _read_sales(reader, content, zone, (events, sessions, skus))
    for key in content:
        reader.refuse((key,), key, "is no key here; known are time_zone, events, sales")
    if reader.problems:
        raise SaleFileInvalid(path, reader.problems)
    return SaleFile(path, tuple(events), tuple(sessions), tuple(skus), tuple(sales), reader.places, reader.lines)


def _read_events(reader: Reader, content: dict[str, Any]) -> tuple[list[Event], list[Session], list[Sku]]:
    events: list[Event] = []
    sessions: list[Session] = []
    skus: list[Sku] = []
    for found_event in reader.tables(content, "events", (), ""):
        reader.claim("event", found_event)
        found_sessions = reader.tables(found_event.raw, "sessions", found_event.path, found_event.name)
        if event := reader.checked(EventTable, found_event):
            events.append(Event(event_id=event.id, title=event.title))
        for found_session in found_sessions:
            reader.claim("session", found_session)
            found_skus = reader.tables(found_session.raw, "skus", found_session.path, found_session.name)
            if session := reader.checked(SessionTable, found_session):
                starts_ms = reader.instant_ms(found_session, "starts_at", session.starts_at)
                if starts_ms is not None:
                    sessions.append(
                        Session(
                            session_id=session.id,
                            event_id=str(found_event.raw.get("id")),
                            title=session.title,
                            venue=session.venue,
                            starts_ms=starts_ms,
                        )
                    )
            for found_sku in found_skus:
                reader.claim("sku", found_sku)
                if sku := reader.checked(SkuTable, found_sku):
                    skus.append(
                        Sku(
                            sku_id=sku.id,
                            session_id=str(found_session.raw.get("id")),
                            title=sku.title,
                            price_fen=sku.price_fen,
                            capacity=sku.capacity,
                            per_order_max=sku.per_order_max,
                        )
                    )
    return events, sessions, skus


def _read_sales(
    reader: Reader,
    content: dict[str, Any],
    zone: str,
    offered: tuple[Sequence[Event], Sequence[Session], Sequence[Sku]],
) -> list[Sale]:
    events = {event.event_id: event for event in offered[0]}
    sessions = {session.session_id: session for session in offered[1]}
    skus = {sku.sku_id: sku for sku in offered[2]}
    sales: list[Sale] = []
    for found in reader.tables(content, "sales", (), ""):
        reader.claim("sale", found)
        refunds = _read_refunds(reader, found)
        lanes = read_lanes(reader, found)
        table = reader.checked(SaleTable, found)
        if table is None:
            continue

        def refuse(key: str, reason: str, found: Found = found) -> None:
            reader.refuse((*found.path, key), f"{found.name}.{key}", reason)

        opens_ms = reader.instant_ms(found, "opens_at", table.opens_at)
        closes_ms = reader.instant_ms(found, "closes_at", table.closes_at)
        if opens_ms is not None and closes_ms is not None and closes_ms <= opens_ms:
            refuse("closes_at", "is not after opens_at")
        lobby_opens_ms, lobby_closes_ms = read_lobby(reader, found, table, opens_ms)
        refuse_half_told(reader, found, table)
        for sku_id in sorted(set(table.skus)):
            if f"sku:{sku_id}" not in reader.places:
                refuse("skus", f"names {sku_id!r}, which no session of this file has")
            if table.skus.count(sku_id) > 1:
                refuse("skus", f"names {sku_id!r} twice")
        chosen = tuple(skus[sku_id] for sku_id in table.skus if sku_id in skus)
        where = {sku.session_id: sessions[sku.session_id] for sku in chosen if sku.session_id in sessions}
        if len(chosen) < len(table.skus) or {sku.session_id for sku in chosen} != set(where):
            continue  # what it names is refused above
        event_ids = {session.event_id for session in where.values()}
        if len(event_ids) > 1:
            refuse("skus", f"are of several events ({', '.join(sorted(event_ids))}); a sale has one")
            continue
        for session in where.values():
            if opens_ms is not None and session.starts_ms <= opens_ms:
                refuse("opens_at", f"is after the session {session.session_id} has begun")
        event = events.get(event_ids.pop())
        if event is None or opens_ms is None or closes_ms is None:
            continue
        sales.append(
            Sale(
                sale_id=table.id,
                title=table.title,
                event=event,
                sessions=tuple(where.values()),
                skus=chosen,
                lanes=only_lane(table) if lanes is None else lanes,
                opens_ms=opens_ms,
                closes_ms=closes_ms,
                time_zone=zone,
                hold_s=table.hold_s,
                per_buyer_max=table.per_buyer_max,
                line_rate=table.line_rate,
                line_concurrency=table.line_concurrency,
                lobby_opens_ms=lobby_opens_ms,
                lobby_closes_ms=lobby_closes_ms,
                beacon_url=table.beacon_url,
                beacon_round=table.beacon_round,
                refunds=refunds,
                refund_units_back=table.refund_units_back,
                mchid=table.mchid,
            )
        )
    for index, sale in enumerate(sales):
        for earlier in sales[:index]:
            for sku_id in sorted(set(sku_ids(sale)) & set(sku_ids(earlier))):
                if windows_overlap(sale, earlier):
                    name, place = reader.places[f"sale:{sale.sale_id}"]
                    reader.refuse((*place, "skus"), f"{name}.skus", offered_twice(sku_id, earlier.sale_id))
    return sales


def _read_refunds(reader: Reader, sale: Found) -> tuple[RefundTier, ...]:
    """The sale's refund policy, most days first. Nearer to the session nobody gets more back than earlier."""
    tiers: dict[int, tuple[RefundTier, Found]] = {}
    every = reader.tables(sale.raw, "refunds", sale.path, sale.name, needed=False)
    if len(every) > bounds.REFUND_TIERS_MAX:
        reader.refuse((*sale.path, "refunds"), f"{sale.name}.refunds", f"are more than {bounds.REFUND_TIERS_MAX}")
        return ()
    for found in every:
        if (table := reader.checked(RefundTable, found)) is None:
            continue
        if table.days_before in tiers:
            line = toml_lines.nearest_line(reader.lines, tiers[table.days_before][1].path)
            reason = f"is {table.days_before}, as in line {line}; each number of days stands once"
            reader.refuse((*found.path, "days_before"), f"{found.name}.days_before", reason)
        else:
            tiers[table.days_before] = (RefundTier(days_before=table.days_before, percent=table.percent), found)
    ordered = sorted(tiers.values(), key=lambda one: -one[0].days_before)
    for (earlier, _), (later, found) in pairwise(ordered):
        if later.percent > earlier.percent:
            reason = f"is {later.percent}, more than the {earlier.percent} of {earlier.days_before} days before"
            reader.refuse((*found.path, "percent"), f"{found.name}.percent", reason)
    return tuple(tier for tier, _ in ordered)


def sku_ids(sale: Sale) -> tuple[str, ...]:
    return tuple(sku.sku_id for sku in sale.skus)


def windows_overlap(one: Sale, other: Sale) -> bool:
    return one.opens_ms < other.closes_ms and other.opens_ms < one.closes_ms


def offered_twice(sku_id: str, sale_id: str) -> str:
    return f"offers {sku_id!r} while the sale {sale_id!r} offers it, too; their windows must not overlap"


def opening_at(sale_file: SaleFile, opens_ms: int) -> SaleFile:
    """The same file with all windows and lobbies moved alike, so that its first sale opens at `opens_ms`."""
    moved_ms = opens_ms - min(sale.opens_ms for sale in sale_file.sales)

    def moved(instant_ms: int | None) -> int | None:
        return None if instant_ms is None else instant_ms + moved_ms

    return replace(
        sale_file,
        sales=tuple(
            replace(
                sale,
                opens_ms=sale.opens_ms + moved_ms,
                closes_ms=sale.closes_ms + moved_ms,
                lobby_opens_ms=moved(sale.lobby_opens_ms),
                lobby_closes_ms=moved(sale.lobby_closes_ms),
            )
            for sale in sale_file.sales
        ),
    )
