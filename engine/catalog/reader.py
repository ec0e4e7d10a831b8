"""Reads the tables of a sale file one by one and collects problems instead of stopping at the first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ValidationError

from engine.catalog import toml_lines
from engine.catalog.refusals import Problem
from engine.catalog.tables import Table, reason

DEFAULT_ZONE = "UTC"

T = TypeVar("T", bound=Table)


@dataclass(frozen=True, slots=True)
class Found:
    """One table of the file: its path by position, its name by ids, and its content if that is valid."""

    path: toml_lines.Path
    name: str
    raw: dict[str, Any]


class Reader:
    """Collects problems instead of stopping at the first."""

    def __init__(self, text: str) -> None:
        self.lines = dict(toml_lines.key_lines(text))
        self.problems: list[Problem] = []
        self.zone: ZoneInfo | None = None
        self.places: dict[str, tuple[str, toml_lines.Path]] = {}

    def refuse(self, path: toml_lines.Path, name: str, reason: str) -> None:
        self.problems.append(Problem(name, toml_lines.nearest_line(self.lines, path), reason))

    def tables(
        self, holder: dict[str, Any], key: str, path: toml_lines.Path, name: str, *, needed: bool = True
    ) -> list[Found]:
        """The tables under [[key]], taken out of their holder. One at least is needed, unless told otherwise."""
        whole = f"{name}.{key}" if name else key
        header = ".".join(part for part in (*path, key) if isinstance(part, str))
        raw = holder.pop(key, None)
        if raw is None and not needed:
            return []
        if raw is None:
            self.refuse(path, whole, f"is missing; write at least one [[{header}]]")
            return []
        if not isinstance(raw, list) or not raw or not all(isinstance(table, dict) for table in raw):
            self.refuse((*path, key), whole, "must be one or more tables in double brackets")
            return []
        return [
            Found((*path, key, index), f"{whole}.{table['id'] if 'id' in table else index + 1}", dict(table))
            for index, table in enumerate(raw)
        ]

    def checked(self, model: type[T], found: Found) -> T | None:
        try:
            return model.model_validate(found.raw)
        except ValidationError as invalid:
            for error in invalid.errors(include_url=False):
                key = ".".join(str(part) for part in error["loc"])
                self.refuse((*found.path, *error["loc"]), f"{found.name}.{key}", reason(error, model.model_fields))
            return None

    def claim(self, kind: str, found: Found) -> None:
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

    def instant_ms(self, found: Found, key: str, when: datetime) -> int | None:
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
