"""A small language for what a request body may say, strict the way WeChat is strict.

A form is a `Record` of fields; `fault` walks a parsed body and returns the first refusal or None: an
unknown field, then a missing one, then the fields in the form's order. Text is counted in characters, must
not be empty, and must stay inside the three-byte part of UTF-8. Whole numbers are JSON integers: 1.0, "1"
and true are refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from engine.simulator.pay.refusals import EXTRA_FIELD, Refusal, parameter

INT64_MAX = 2**63 - 1


class Field(Protocol):
    """Anything that can look at one value; `path` is the JSON pointer shown to the merchant."""

    def fault(self, value: object, path: str) -> Refusal | None: ...


@dataclass(frozen=True, slots=True)
class Text:
    """A text of `min_chars` to `max_chars` characters; `pattern`, if any, must match it whole."""

    max_chars: int
    min_chars: int = 1
    pattern: re.Pattern[str] | None = None

    def fault(self, value: object, path: str) -> Refusal | None:
        if not isinstance(value, str):
            return parameter(path, value, "must be a string")
        if not self.min_chars <= len(value) <= self.max_chars:
            return parameter(path, value, f"length must be {self.min_chars} to {self.max_chars}")
        if not value.isascii() and max(value) > "\uffff":
            return parameter(path, value, "only UTF-8 characters of 1 to 3 bytes are allowed")
        if self.pattern is not None and not self.pattern.fullmatch(value):
            return parameter(path, value, "format is invalid")
        return None


@dataclass(frozen=True, slots=True)
class Whole:
    """A JSON integer of at least `least`."""

    least: int = 0

    def fault(self, value: object, path: str) -> Refusal | None:
        if type(value) is not int:
            return parameter(path, value, "must be an integer")
        if not self.least <= value <= INT64_MAX:
            return parameter(path, value, f"must be at least {self.least}")
        return None


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""

    def fault(self, value: object, path: str) -> Refusal | None:
        return None if isinstance(value, bool) else parameter(path, value, "must be a boolean")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few texts."""

    options: tuple[str, ...]

    def fault(self, value: object, path: str) -> Refusal | None:
        return None if value in self.options else parameter(path, value, f"must be one of {self.options}")


@dataclass(frozen=True, slots=True)
class Listing:
    """An array; every element is `item`."""

    item: Field

    def fault(self, value: object, path: str) -> Refusal | None:
        if not isinstance(value, list):
            return parameter(path, value, "must be an array")
        for index, element in enumerate(value):
            found = self.item.fault(element, f"{path}/{index}")
            if found is not None:
                return found
        return None


@dataclass(frozen=True, slots=True)
class Record:
    """An object with exactly these fields, of which `required` must be there."""

    fields: Mapping[str, Field]
    required: tuple[str, ...] = ()

    def fault(self, value: object, path: str) -> Refusal | None:
        if not isinstance(value, dict):
            return parameter(path or "/", value, "must be an object")
        fields = self.fields
        for name in value:
            if name not in fields:
                return EXTRA_FIELD
        for name in self.required:
            if name not in value:
                return parameter(f"{path}/{name}", "", "is required")
        for name, field in fields.items():
            if name in value:
                found = field.fault(value[name], f"{path}/{name}")
                if found is not None:
                    return found
        return None
