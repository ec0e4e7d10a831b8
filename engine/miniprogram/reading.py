"""Reads what api.weixin.qq.com says: JSON with an `errcode`, HTTP 200 even for errors.

A reader returns a whole value or raises Unreadable, which names the field and never its content.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

TEXT_MAX = 2048  # the longest text is an access token, for which 512 characters must be kept ready


class Unreadable(ValueError):
    """The answer lacks what it must have; the message names the field."""


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


def text(fields: Mapping[str, Any], name: str) -> str:
    """A non-empty string of sane length."""
    value = fields.get(name)
    if type(value) is not str or not 0 < len(value) <= TEXT_MAX:
        raise Unreadable(name)
    return value


def whole(fields: Mapping[str, Any], name: str) -> int:
    """A whole number; true is none."""
    value = fields.get(name)
    if type(value) is not int:
        raise Unreadable(name)
    return value
