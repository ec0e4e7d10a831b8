"""The tables of a sale file: which keys each has, their bounds, and how a wrong value is told to an organizer."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.catalog import bounds

Id = Annotated[str, Field(pattern=bounds.ID_PATTERN)]
Line = Annotated[str, Field(max_length=bounds.TITLE_CHARACTERS_MAX, pattern=r"^[^\x00-\x1f\x7f]*$")]
Title = Annotated[Line, Field(min_length=1)]


class Table(BaseModel):
    # Strict: 4.0, "4" and true are not 4.
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class EventTable(Table):
    id: Id
    title: Title


class SessionTable(Table):
    id: Id
    title: Title
    venue: Line = ""
    starts_at: datetime


class SkuTable(Table):
    id: Id
    title: Title
    price_fen: Annotated[int, Field(ge=bounds.PRICE_FEN_MIN, le=bounds.PRICE_FEN_MAX)]
    capacity: Annotated[int, Field(ge=0, le=bounds.CAPACITY_MAX)]
    per_order_max: Annotated[int, Field(ge=1, le=bounds.PER_ORDER_MAX)]


class RefundTable(Table):
    days_before: Annotated[int, Field(ge=0, le=bounds.DAYS_BEFORE_MAX)]
    percent: Annotated[int, Field(ge=0, le=100)]


class LaneTable(Table):
    id: Id
    title: Line = ""
    weight: Annotated[int, Field(ge=1, le=bounds.LANE_WEIGHT_MAX)] = 1
    entry: Literal["everyone", "codes", "members"] = "everyone"
    quota_units: Annotated[int, Field(ge=0, le=bounds.CAPACITY_MAX)] | None = None


class SaleTable(Table):
    id: Id
    title: Title
    skus: Annotated[list[str], Field(min_length=1, max_length=bounds.SKUS_PER_SALE_MAX)]
    lane: Id | None = None
    lobby_opens_at: datetime | None = None
    lobby_closes_at: datetime | None = None
    opens_at: datetime
    closes_at: datetime
    hold_s: Annotated[int, Field(ge=1, le=bounds.HOLD_S_MAX)]
    per_buyer_max: Annotated[int, Field(ge=1, le=bounds.PER_BUYER_MAX)]
    line_rate: Annotated[int, Field(ge=1, le=bounds.LINE_RATE_MAX)] | None = None
    line_concurrency: Annotated[int, Field(ge=1, le=bounds.LINE_CONCURRENCY_MAX)] | None = None
    beacon_url: (
        Annotated[str, Field(max_length=bounds.BEACON_URL_CHARACTERS_MAX, pattern=bounds.BEACON_URL_PATTERN)] | None
    ) = None
    beacon_round: Annotated[int, Field(ge=1, le=bounds.BEACON_ROUND_MAX)] | None = None
    refund_units_back: bool = True
    mchid: Annotated[str, Field(pattern=bounds.MCHID_PATTERN)] | None = None


# pydantic speaks of types and patterns; an organizer is told what to write.
_REASONS = {
    "missing": "is missing",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be a text in quotes",
    "datetime_type": "must be a date and time, as in 2027-05-01T20:00:00",
    "list_type": 'must be a list, as in ["floor", "stand"]',
}


def reason(error: Any, known_keys: Iterable[str]) -> str:
    kind = error["type"]
    if kind in _REASONS:
        return _REASONS[kind]
    if kind == "extra_forbidden":
        return f"is no key here; known are {', '.join(known_keys)}"
    if kind == "string_pattern_mismatch" and error["ctx"]["pattern"] == bounds.MCHID_PATTERN:
        return f"is {error['input']!r}; a merchant account of WeChat Pay is 8 to 10 digits"
    if kind == "string_pattern_mismatch" and error["ctx"]["pattern"] == bounds.BEACON_URL_PATTERN:
        return f"is {error['input']!r}; a beacon is an address without a / at its end, as in https://api.drand.sh"
    if kind == "string_pattern_mismatch" and error["ctx"]["pattern"] != bounds.ID_PATTERN:
        return "must be one line without control characters"
    if kind == "string_pattern_mismatch":
        return f"is {error['input']!r}; an id is 1 to 48 of a-z, 0-9 and -, and does not begin with -"
    return f"is {error['input']!r}; it {str(error['msg']).replace('Input should', 'should')}"
