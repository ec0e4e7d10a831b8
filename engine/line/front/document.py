"""The line document: everything a waiting buyer needs, the same bytes for everybody. Pure.

Clients compute their own distance (position minus head), wait, chance and when to ask again, so that a poll carries no
question about a person and any cache in between may answer it. What a client is to do with it stands in docs/line.md.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from engine.catalog.records import Lane
from engine.line.front.outlook import (
    CEILING_MS,
    DIVISOR,
    EDGE_CEILING_MS,
    FLOOR_MS,
    JITTER,
    WAIT_FROM,
    WAIT_TO,
    LaneOutlook,
)
from engine.line.front.turns import View
from engine.line.sight import LaneSight

VERSION = 2
POLL_POLICY = {
    "floor_ms": FLOOR_MS,
    "ceiling_ms": CEILING_MS,
    "edge_ceiling_ms": EDGE_CEILING_MS,
    "divisor": DIVISOR,
    "jitter": JITTER,
}
LOW_SHARE = 0.1  # below this share of the capacity a SKU is said to be low


class Control(enum.StrEnum):
    """Whether the organizer lets the line move."""

    OPEN = "open"
    PAUSED = "paused"


class Health(enum.StrEnum):
    """Whether this worker knows where the line stands. One that does not admits nobody."""

    OK = "ok"
    DEGRADED = "degraded"


class Band(enum.StrEnum):
    """How much is left of a SKU, as much as buyers need to know."""

    PLENTY = "plenty"
    LOW = "low"
    HELD = "held"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class LineDocument:
    """Finished bytes and their entity tag. `gist` is the same for two documents that differ in their time alone."""

    body: bytes
    etag: str
    gist: bytes


def band_of(*, capacity: int, free: int, held: int) -> Band:
    """`held` means: all remaining units are held by people ahead, some may return."""
    if free <= 0:
        return Band.HELD if held > 0 else Band.NONE
    return Band.LOW if free < capacity * LOW_SHARE else Band.PLENTY


def write_document(view: View, bands: Mapping[str, Band]) -> LineDocument:
    """The document of one instant; `bands` by SKU id, in the sale's order."""
    sale, sight = view.sale, view.sight
    lanes = zip(sale.lanes, sight.lanes, view.outlooks, strict=False) if sight is not None else ()
    content: dict[str, Any] = {
        "v": VERSION,
        "sale": sale.sale_id,
        "phase": view.phase,
        "control": Control.PAUSED if view.paused else Control.OPEN,
        "health": Health.DEGRADED if view.doubtful else Health.OK,
        "round": sale.round,
        "final": view.final,
        "draws_ms": sale.draws_ms,
        "opens_ms": sale.opens_ms,
        "closes_ms": sale.closes_ms,
        "lanes": [_lane(lane, seen, outlook, drawn=view.drawn) for lane, seen, outlook in lanes],
        "stock": [{"sku": sku_id, "band": band} for sku_id, band in bands.items()],
        "held_until_ms": view.held_until_ms,
        "wait": {"from": WAIT_FROM, "to": WAIT_TO},
        "poll": POLL_POLICY,
    }
    gist = blake2b(orjson.dumps(content), digest_size=8).digest()
    content["now_ms"] = view.now_ms
    body = orjson.dumps(content)
    return LineDocument(body, f'"{blake2b(body, digest_size=8).hexdigest()}"', gist)


def _lane(lane: Lane, seen: LaneSight, outlook: LaneOutlook, *, drawn: bool) -> dict[str, Any]:
    """One lane. Positions count from 0: those below `head` are called, `tail` is behind everybody."""
    told: dict[str, Any] = {
        "id": lane.lane_id,
        "head": seen.head,
        "lobby": seen.lobby,
        "tail": seen.end,
        "rate_per_s": outlook.rate_per_s,
        "reach": [outlook.likely, outlook.possible] if drawn else None,
    }
    gap_from, gap_to = max(seen.head, seen.lobby + seen.gap_from), seen.lobby + seen.gap_to
    if gap_from < gap_to:
        told["gap"] = [gap_from, gap_to]
    return told
