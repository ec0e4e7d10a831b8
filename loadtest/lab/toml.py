"""A document as TOML, so that a run keeps its profile in the form in which one is written. Pure.

Only what a profile needs: tables, arrays of tables, text, numbers, booleans and flat lists. None is left out, as TOML
has no word for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

BARE = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(document: Mapping[str, Any]) -> str:
    return "\n".join(_table((), document)).strip() + "\n"


def _table(path: tuple[str, ...], table: Mapping[str, Any]) -> list[str]:
    """Plain keys first, because whatever follows a header belongs to it."""
    lines = [f"{_key(name)} = {_value(value)}" for name, value in table.items() if _is_plain(value)]
    for name, value in table.items():
        here = (*path, name)
        if isinstance(value, Mapping):
            lines += ["", f"[{_path(here)}]", *_table(here, value)]
        elif value is not None and not _is_plain(value):
            for row in value:
                lines += ["", f"[[{_path(here)}]]", *_table(here, row)]
    return lines


def _is_plain(value: object) -> bool:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return not (value and all(isinstance(row, Mapping) for row in value))
    return value is not None and not isinstance(value, Mapping)


def _path(path: tuple[str, ...]) -> str:
    return ".".join(_key(name) for name in path)


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Sequence):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    return repr(value)


def _text(text: str) -> str:
    # JSON's escapes are TOML's; the one character that only JSON lets through as it is, is delete.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
