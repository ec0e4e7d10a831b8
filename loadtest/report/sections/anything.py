"""Numbers and words of any shape, as sentences, tables and lists: for what searches write down in their own words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from loadtest.recording.kinds import GOODPUTS
from loadtest.report.figures import figure
from loadtest.report.markup import Content, Html, Term, element
from loadtest.report.sections.common import bullets, mark, pairs, table
from loadtest.report.words import in_order, kind, named

_VERDICTS = ("holds", "found")
"""Keys that say yes or no about the whole."""


def anything(found: Any) -> Html:
    """A mapping gives its verdict and its words first, then its plain values, then one table for all that is told by
    kind of goodput, then the rest in parts of their own. A sequence of mappings is a table."""
    if isinstance(found, Mapping):
        return _mapping(found)
    if not _is_large(found):
        return element("p", _cell(found))
    if found and all(isinstance(row, Mapping) for row in found):
        head = list(dict.fromkeys(str(key) for row in found for key in row))
        words = [
            n for n, key in enumerate(head) if n == 0 or any(isinstance(row.get(key), str | bool) for row in found)
        ]
        rows = [[mark(row[key]) if key == "holds" else _cell(row.get(key)) for key in head] for row in found]
        return table([_name(key) for key in head], rows, words=words)
    return bullets([_cell(value) for value in found])


def _mapping(found: Mapping[Any, Any]) -> Html:
    content: list[Content] = []
    told = {str(key): value for key, value in found.items()}
    words = told.pop("words", None)
    verdict = next((key for key in _VERDICTS if isinstance(told.get(key), bool)), None)
    if words is not None:
        sign = [mark(told.pop(verdict), *_yes_and_no(verdict)), " "] if verdict else None
        content.append(element("p", sign, str(words)))
    plain = [(_name(key), _cell(value)) for key, value in told.items() if not _is_large(value)]
    by_kind = {key: value for key, value in told.items() if _is_by_kind(value)}
    if plain:
        content.append(pairs(plain))
    if by_kind:
        kinds = in_order({str(name) for value in by_kind.values() for name in value})
        rows = [[kind(name), *(_cell(value.get(name)) for value in by_kind.values())] for name in kinds]
        content.append(table([Term("kind", "类别"), *map(_name, by_kind)], rows))
    for key, value in told.items():
        if _is_large(value) and key not in by_kind and value:
            content.append([element("h3", _name(key)), anything(value)])
    return element("div", *content)


def _yes_and_no(verdict: str) -> tuple[Term, Term]:
    if verdict == "found":
        return Term("found", "已找到"), Term("not found", "未找到")
    return Term("holds", "成立"), Term("does not hold", "不成立")


def _is_large(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str))


def _is_by_kind(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(str(name) in GOODPUTS for name in value)


def _name(key: str) -> Term:
    return kind(key) if key in GOODPUTS else named(key, {})


def _cell(value: Any) -> Content:
    if isinstance(value, bool):
        return Term("yes", "是") if value else Term("no", "否")
    if value is None or isinstance(value, int | float):
        return figure(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
