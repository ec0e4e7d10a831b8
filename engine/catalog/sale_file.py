"""The sale file: what an organizer writes in TOML, read whole or refused whole.

A `SaleFile` that exists makes sense: its references lead somewhere, its windows end after they begin, its
numbers are within bounds. Every problem is reported at once with file, line, key and reason. Reading touches
no database and no clock; what depends on the past (units already allocated) is checked when it is applied.
"""

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.catalog import bounds, toml_lines
from engine.catalog.records import Event, Sale, Session, Sku

DEFAULT_ZONE = "UTC"


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason to refuse a sale file: the key's path by ids, its line where known, and why."""

    key: str
    line: int | None
    reason: str


class SaleFileInvalid(Exception):
    """The sale file is refused; nothing was changed."""

    def __init__(self, path: Path, problems: Iterable[Problem]) -> None:
        self.path = path
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line or 0))
        place = [f"{path}:{problem.line}" if problem.line else f"{path}" for problem in self.problems]
        super().__init__(
            "\n".join(
                f"{where}: {problem.key} {problem.reason}" for where, problem in zip(place, self.problems, strict=True)
            )
        )


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


Id = Annotated[str, Field(pattern=bounds.ID_PATTERN)]
Title = Annotated[str, Field(min_length=1, max_length=bounds.TITLE_CHARACTERS_MAX)]


class _Table(BaseModel):
    # Strict: 4.0, "4" and true are not 4.
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _EventTable(_Table):
    id: Id
    title: Title


class _SessionTable(_Table):
    id: Id
    title: Title
    venue: Annotated[str, Field(max_length=bounds.TITLE_CHARACTERS_MAX)] = ""
    starts_at: datetime


class _SkuTable(_Table):
    id: Id
    title: Title
    price_fen: Annotated[int, Field(ge=bounds.PRICE_FEN_MIN, le=bounds.PRICE_FEN_MAX)]
    capacity: Annotated[int, Field(ge=0, le=bounds.CAPACITY_MAX)]
    per_order_max: Annotated[int, Field(ge=1, le=bounds.PER_ORDER_MAX)]


class _SaleTable(_Table):
    id: Id
    title: Title
    skus: Annotated[list[str], Field(min_length=1, max_length=bounds.SKUS_PER_SALE_MAX)]
    lane: Id = "public"
    opens_at: datetime
    closes_at: datetime
    hold_s: Annotated[int, Field(ge=1, le=bounds.HOLD_S_MAX)]
    per_buyer_max: Annotated[int, Field(ge=1, le=bounds.PER_BUYER_MAX)]
    line_rate: Annotated[int, Field(ge=1, le=bounds.LINE_RATE_MAX)]


T = TypeVar("T", bound=_Table)

# pydantic speaks of types and patterns; an organizer is told what to write.
_REASONS = {
    "missing": "is missing",
    "int_type": "must be a whole number",
    "string_type": "must be a text in quotes",
    "datetime_type": "must be a date and time, as in 2027-05-01T20:00:00",
    "list_type": 'must be a list, as in ["floor", "stand"]',
}


def _reason(error: Any, known_keys: Iterable[str]) -> str:
    kind = error["type"]
    if kind in _REASONS:
        return _REASONS[kind]
    if kind == "extra_forbidden":
        return f"is no key here; known are {', '.join(known_keys)}"
    if kind == "string_pattern_mismatch":
        return f"is {error['input']!r}; an id is 1 to 48 of a-z, 0-9 and -, and does not begin with -"
    return f"is {error['input']!r}; it {str(error['msg']).replace('Input should', 'should')}"


@dataclass(frozen=True, slots=True)
class _Found:
    """One table of the file: its path by position, its name by ids, and its content if that is valid."""

    path: toml_lines.Path
    name: str
    raw: dict[str, Any]


class _Reader:
    """Collects problems instead of stopping at the first."""

    def __init__(self, text: str) -> None:
        self.lines = dict(toml_lines.key_lines(text))
        self.problems: list[Problem] = []
        self.zone: ZoneInfo | None = None
        self.places: dict[str, tuple[str, toml_lines.Path]] = {}

    def refuse(self, path: toml_lines.Path, name: str, reason: str) -> None:
        self.problems.append(Problem(name, toml_lines.nearest_line(self.lines, path), reason))

    def tables(self, holder: dict[str, Any], key: str, path: toml_lines.Path, name: str) -> list[_Found]:
        """The tables under [[key]], taken out of their holder."""
        whole = f"{name}.{key}" if name else key
        header = ".".join(part for part in (*path, key) if isinstance(part, str))
        raw = holder.pop(key, None)
        if raw is None:
            self.refuse(path, whole, f"is missing; write at least one [[{header}]]")
            return []
        if not isinstance(raw, list) or not raw or not all(isinstance(table, dict) for table in raw):
            self.refuse((*path, key), whole, "must be one or more tables in double brackets")
            return []
        return [
            _Found((*path, key, index), f"{whole}.{table['id'] if 'id' in table else index + 1}", dict(table))
            for index, table in enumerate(raw)
        ]

    def checked(self, model: type[T], found: _Found) -> T | None:
        try:
            return model.model_validate(found.raw)
        except ValidationError as invalid:
            for error in invalid.errors(include_url=False):
                key = ".".join(str(part) for part in error["loc"])
                self.refuse((*found.path, *error["loc"]), f"{found.name}.{key}", _reason(error, model.model_fields))
            return None

    def claim(self, kind: str, found: _Found) -> None:
        """Give the record its place, unless another one of its kind has the id already."""
        if not isinstance(found.raw.get("id"), str):
            return
        record = f"{kind}:{found.raw['id']}"
        if record in self.places:
            line = toml_lines.nearest_line(self.lines, self.places[record][1])
            self.refuse(
                (*found.path, "id"),
                f"{found.name}.id",
                f"is taken by the {kind} of line {line}; ids are unique",
            )
        else:
            self.places[record] = (found.name, found.path)

    def instant_ms(self, found: _Found, key: str, when: datetime) -> int | None:
        if when.tzinfo is None:
            if self.zone is None:
                self.refuse(
                    (*found.path, key),
                    f"{found.name}.{key}",
                    f"has no offset; write {when.isoformat()}+08:00 or set time_zone at the top",
                )
                return None
            early, late = (when.replace(tzinfo=self.zone, fold=fold) for fold in (0, 1))
            if early.utcoffset() != late.utcoffset():
                self.refuse(
                    (*found.path, key),
                    f"{found.name}.{key}",
                    f"is skipped or comes twice in {self.zone.key}; write it with an offset",
                )
                return None
            when = early
        return round(when.timestamp() * 1000)

    def time_zone(self, content: dict[str, Any]) -> str:
        name = content.pop("time_zone", None)
        if name is None:
            return DEFAULT_ZONE
        try:
            self.zone = ZoneInfo(name if isinstance(name, str) else "")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.refuse(("time_zone",), "time_zone", f"is {name!r}; it should be a name like Asia/Shanghai")
            # One wrong name is one problem, not one for every time in the file.
            self.zone = ZoneInfo(DEFAULT_ZONE)
            return DEFAULT_ZONE
        return str(name)


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
    reader = _Reader(text)
    zone = reader.time_zone(content)
    events, sessions, skus = _read_events(reader, content)
    sales = _read_sales(reader, content, zone, (events, sessions, skus))
    for key in content:
        reader.refuse((key,), key, "is no key here; known are time_zone, events, sales")
    if reader.problems:
        raise SaleFileInvalid(path, reader.problems)
    return SaleFile(path, tuple(events), tuple(sessions), tuple(skus), tuple(sales), reader.places, reader.lines)


def _read_events(reader: _Reader, content: dict[str, Any]) -> tuple[list[Event], list[Session], list[Sku]]:
    events: list[Event] = []
    sessions: list[Session] = []
    skus: list[Sku] = []
    for found_event in reader.tables(content, "events", (), ""):
        reader.claim("event", found_event)
        found_sessions = reader.tables(found_event.raw, "sessions", found_event.path, found_event.name)
        if event := reader.checked(_EventTable, found_event):
            events.append(Event(event_id=event.id, title=event.title))
        for found_session in found_sessions:
            reader.claim("session", found_session)
            found_skus = reader.tables(found_session.raw, "skus", found_session.path, found_session.name)
            if session := reader.checked(_SessionTable, found_session):
                starts_ms = reader.instant_ms(found_session, "starts_at", session.starts_at)
                sessions.append(
                    Session(
                        session_id=session.id,
                        event_id=str(found_event.raw.get("id")),
                        title=session.title,
                        venue=session.venue,
                        starts_ms=starts_ms or 0,
                    )
                )
            for found_sku in found_skus:
                reader.claim("sku", found_sku)
                if sku := reader.checked(_SkuTable, found_sku):
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
    reader: _Reader,
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
        table = reader.checked(_SaleTable, found)
        if table is None:
            continue

        def refuse(key: str, reason: str, found: _Found = found) -> None:
            reader.refuse((*found.path, key), f"{found.name}.{key}", reason)

        opens_ms = reader.instant_ms(found, "opens_at", table.opens_at)
        closes_ms = reader.instant_ms(found, "closes_at", table.closes_at)
        if opens_ms is not None and closes_ms is not None and closes_ms <= opens_ms:
            refuse("closes_at", "is not after opens_at")
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
            if opens_ms is not None and 0 < session.starts_ms <= opens_ms:
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
                lane=table.lane,
                opens_ms=opens_ms,
                closes_ms=closes_ms,
                time_zone=zone,
                hold_s=table.hold_s,
                per_buyer_max=table.per_buyer_max,
                line_rate=table.line_rate,
            )
        )
    for index, sale in enumerate(sales):
        for earlier in sales[:index]:
            for sku_id in sorted(set(sku_ids(sale)) & set(sku_ids(earlier))):
                if windows_overlap(sale, earlier):
                    name, place = reader.places[f"sale:{sale.sale_id}"]
                    reader.refuse((*place, "skus"), f"{name}.skus", offered_twice(sku_id, earlier.sale_id))
    return sales


def sku_ids(sale: Sale) -> tuple[str, ...]:
    return tuple(sku.sku_id for sku in sale.skus)


def windows_overlap(one: Sale, other: Sale) -> bool:
    return one.opens_ms < other.closes_ms and other.opens_ms < one.closes_ms


def offered_twice(sku_id: str, sale_id: str) -> str:
    return f"offers {sku_id!r} while the sale {sale_id!r} offers it, too; their windows must not overlap"


def opening_at(sale_file: SaleFile, opens_ms: int) -> SaleFile:
    """The same file with all windows moved alike, so that its first sale opens at `opens_ms`."""
    moved_ms = opens_ms - min(sale.opens_ms for sale in sale_file.sales)
    return replace(
        sale_file,
        sales=tuple(
            replace(sale, opens_ms=sale.opens_ms + moved_ms, closes_ms=sale.closes_ms + moved_ms)
            for sale in sale_file.sales
        ),
    )
