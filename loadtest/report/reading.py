"""Reading a kept run again: a run's folder or its report.json, checked field by field."""

from __future__ import annotations

from pathlib import Path

import orjson
from pydantic import TypeAdapter, ValidationError

from loadtest.report.model import SCHEMA, Report

FILE = "report.json"
_MISTAKES_MAX = 5


class ReportUnreadable(Exception):
    """This is no report of a run; the message names the file and says what is wrong."""


def decoded(encoded: bytes) -> Report:
    """What `Report.encoded` wrote. Raises pydantic.ValidationError."""
    return TypeAdapter(Report).validate_json(encoded)


def read(path: Path) -> Report:
    """The report in a folder, or in a file. Raises ReportUnreadable."""
    file = path / FILE if path.is_dir() else path
    try:
        encoded = file.read_bytes()
    except FileNotFoundError:
        raise ReportUnreadable(f"{path}: there is no report here. Give a run's folder, or its {FILE}.") from None
    except OSError as problem:
        raise ReportUnreadable(f"{file} cannot be read: {problem.strerror}.") from None
    if (schema := _schema(encoded)) not in {None, SCHEMA}:
        raise ReportUnreadable(f"{file} has schema {schema}, this version of the lab reads {SCHEMA}.")
    try:
        return decoded(encoded)
    except ValidationError as problem:
        raise ReportUnreadable(f"{file} is not the report of a run: {_in_words(problem)}") from None


def _schema(encoded: bytes) -> int | None:
    """What the file says of itself, before its fields are looked at."""
    try:
        kept = orjson.loads(encoded)
    except orjson.JSONDecodeError:
        return None
    schema = kept.get("schema") if isinstance(kept, dict) else None
    return schema if isinstance(schema, int) else None


def _in_words(problem: ValidationError) -> str:
    mistakes = problem.errors(include_url=False, include_input=False)
    said = [f"{'.'.join(map(str, m['loc'])) or 'the file'}: {m['msg']}" for m in mistakes[:_MISTAKES_MAX]]
    more = len(mistakes) - len(said)
    return "; ".join(said) + (f"; and {more} more" if more else "") + "."
