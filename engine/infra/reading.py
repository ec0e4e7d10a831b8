"""Reads JSON that somebody else wrote: a reader returns a whole value or raises Unreadable, which names the field and
never its content.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

TEXT_MAX = 256  # of a field whose document names no other length


class Unreadable(ValueError):
    """The JSON lacks what it must have; the message names the field."""


def read_object(raw: bytes) -> Mapping[str, Any]:
    """The JSON object in these bytes."""
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Unreadable("not JSON") from None
    if type(parsed) is not dict:
        raise Unreadable("not an object")
    return parsed


def nested(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under this name."""
    value = fields.get(name)
    if type(value) is not dict:
        raise Unreadable(name)
    return value


def text(fields: Mapping[str, Any], name: str, *, length_max: int = TEXT_MAX) -> str:
    """A non-empty string of sane length."""
    value = fields.get(name)
    if type(value) is not str or not 0 < len(value) <= length_max:
        raise Unreadable(name)
    return value


def whole(fields: Mapping[str, Any], name: str) -> int:
    """A whole number; true is none."""
    value = fields.get(name)
    if type(value) is not int:
        raise Unreadable(name)
    return value
