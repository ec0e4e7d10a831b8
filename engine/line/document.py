"""The line document: everything a waiting buyer needs, the same bytes for everybody. Pure.

Clients compute their own distance (position minus head) and when to ask again, so that a poll carries no question
about a person and any cache in between may answer it.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from engine.line.line import LineHead

POLL_POLICY = {"floor_ms": 2000, "ceiling_ms": 60000, "divisor": 10, "jitter": 0.3}
LOW_SHARE = 0.1  # below this share of the capacity a SKU is said to be low


class Phase(enum.StrEnum):
    """Where the sale stands."""

    WAITING = "waiting"
    OPEN = "open"
    PAUSED = "paused"
    ENDED = "ended"
    DEGRADED = "degraded"


class Band(enum.StrEnum):
    """How much is left of a SKU, as much as buyers need to know."""

    PLENTY = "plenty"
    LOW = "low"
    HELD = "held"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class LineDocument:
    """Finished bytes and their entity tag."""

    body: bytes
    etag: str
    phase: Phase
    head: int


def phase_of(*, now_ms: int, opens_ms: int, closes_ms: int, paused: bool) -> Phase:
    """The phase of a healthy sale at an instant."""
    if now_ms >= closes_ms:
        return Phase.ENDED
    if paused:
        return Phase.PAUSED
    return Phase.WAITING if now_ms < opens_ms else Phase.OPEN


def band_of(*, capacity: int, free: int, held: int) -> Band:
    """`held` means: all remaining units are held by people ahead, some may return."""
    if free <= 0:
        return Band.HELD if held > 0 else Band.NONE
    return Band.LOW if free < capacity * LOW_SHARE else Band.PLENTY


def write_document(
    *, sale_id: str, now_ms: int, phase: Phase, line: LineHead, rate_per_s: int, bands: Mapping[str, Band]
) -> LineDocument:
    """The document of one instant."""
    content: dict[str, Any] = {
        "sale": sale_id,
        "now_ms": now_ms,
        "phase": phase,
        "head": line.head,
        "tail": line.tail,
        "rate_per_s": rate_per_s,
        "stock": [{"sku": sku_id, "band": band} for sku_id, band in bands.items()],
        "poll": POLL_POLICY,
    }
    body = orjson.dumps(content)
    return LineDocument(body, f'"{blake2b(body, digest_size=8).hexdigest()}"', phase, line.head)
