"""What the fields of a message can hold: WeChat's limits, field by field. Pure.

WeChat refuses a whole message for one bad field, and names it; so every value is judged here first. A `thing` is free
text and is shortened, with an ellipsis that shows it. Nothing else is shortened: half a date or half a number would
be a lie, so a value that does not fit is refused under its field's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.config import FieldType

THING_MAX = 20
ELLIPSIS = "…"

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
_DAY = r"[0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日"
_CLOCK = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?"
_NUMBER = r"[0-9]{1,10}(?:\.[0-9]{1,2})?"


def _whole(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def units(text: str) -> int:
    """The length as WeChat's clients count it: a character beyond the basic plane, such as an emoji, is two."""
    return len(text) + sum(char > "\uffff" for char in text)


def _amount(value: str) -> bool:
    """A currency sign, up to ten digits in all, with decimals or without, and 元 at the end or not."""
    return _AMOUNT(value) and sum(char.isdigit() for char in value) <= AMOUNT_DIGITS_MAX


AMOUNT_DIGITS_MAX = 10
_AMOUNT = _whole(rf"[¥￥$€£]?{_NUMBER}元?")

# A moment, or two of them joined by ~. A `time` needs the clock, a `date` the day; either may have both.
_TIME = rf"(?:{_DAY} ?)?{_CLOCK}"
_DATE = rf"{_DAY}(?: ?{_CLOCK})?"

ACCEPTS: Mapping[FieldType, Callable[[str], bool]] = {
    FieldType.THING: lambda value: 0 < units(value) <= THING_MAX and value.isprintable() and value == value.strip(),
    FieldType.NUMBER: _whole(r"(?=.{1,32}$)-?[0-9]+(?:\.[0-9]+)?"),
    FieldType.LETTER: _whole(r"[A-Za-z]{1,32}"),
    FieldType.SYMBOL: _whole(r"[!-/:-@\[-`{-~]{1,5}"),
    FieldType.CHARACTER_STRING: _whole(r"[!-~]{1,32}"),
    FieldType.TIME: _whole(rf"{_TIME}(?:~{_TIME})?"),
    FieldType.DATE: _whole(rf"{_DATE}(?:~{_DATE})?"),
    FieldType.AMOUNT: _amount,
    FieldType.PHONE_NUMBER: _whole(r"(?=.{1,17}$)\+?[0-9]+(?:-[0-9]+)*"),
    FieldType.CAR_NUMBER: _whole(rf"[0-9A-Z{_HAN}]{{1,8}}"),
    FieldType.NAME: _whole(rf"[{_HAN}·]{{1,10}}|[A-Za-z]+(?: [A-Za-z]+)*(?<!.{{21}})"),
    FieldType.PHRASE: _whole(rf"[{_HAN}]{{1,5}}"),
}


@dataclass(frozen=True, slots=True)
class FieldRefused:
    """The value does not fit the field of this name. The value stays unsaid: it may be about a buyer."""

    name: str


def type_of(name: str) -> FieldType:
    """The type of a field by its name: `thing1` is a thing. Raises ValueError for no field's name."""
    return FieldType(name.rstrip("0123456789"))


def check(name: str, value: str) -> FieldRefused | None:
    """Whether WeChat takes this value in this field."""
    return None if ACCEPTS[type_of(name)](value) else FieldRefused(name)


def fit(name: str, value: str) -> str | FieldRefused:
    """The value as it may be sent. White space becomes single blanks; a thing that is too long is shortened."""
    flat = " ".join("".join(char if char.isprintable() else " " for char in value).split())
    if type_of(name) is FieldType.THING and units(flat) > THING_MAX:
        flat = _shortened(flat)
    return check(name, flat) or flat


def _shortened(text: str) -> str:
    kept, room = "", THING_MAX - len(ELLIPSIS)
    for char in text:
        room -= units(char)
        if room < 0:
            break
        kept += char
    return kept.rstrip() + ELLIPSIS
