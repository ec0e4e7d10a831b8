"""Places and passes: what a buyer carries, sealed. Pure: time and keys come in as arguments.

A place says "this buyer has this index in this lane of this sale" and lives as long as the sale. A pass says "this
buyer was let through and may order once" and is good as long as Redis knows its nonce: its clock stands still while
the sale is paused, so no time is written on it. Both are bound to the buyer and the sale, so a forwarded or foreign
one is refused by whoever reads it.
"""

import enum
from dataclasses import dataclass

from engine.infra.seals import Opened, Purpose, SealKeys

BUYER_BYTES = 16
NONCE_BYTES = 8
PLACE_HEAD_BYTES = BUYER_BYTES + 1 + 1 + 6 + 8
PASS_HEAD_BYTES = BUYER_BYTES + 1 + 6 + NONCE_BYTES


class Cohort(enum.IntEnum):
    """How a place was got: in the lobby, where the draw decides, or live, where the order of coming does."""

    LOBBY = 0
    LIVE = 1


@dataclass(slots=True, unsafe_hash=True)  # not frozen: one is made for every request, and that is most of its cost
class Place:
    """A buyer's place. `index` counts from 0 in its lane and cohort; `epoch` is that in which it was given. It is not
    changed."""

    buyer: bytes
    sale_id: str
    lane: int
    cohort: Cohort
    epoch: int
    index: int


@dataclass(slots=True, unsafe_hash=True)  # not frozen: one is made for every request, and that is most of its cost
class Pass:
    """The right to place one order. Taken by the script that gives the units, once. Nobody changes it."""

    buyer: bytes
    sale_id: str
    lane: int
    epoch: int
    nonce: bytes


def seal_place(keys: SealKeys, place: Place, *, expires_s: int) -> str:
    """The place as the buyer carries it."""
    payload = (
        place.buyer
        + bytes((place.lane, place.cohort))
        + place.epoch.to_bytes(6, "big")
        + place.index.to_bytes(8, "big")
        + place.sale_id.encode()
    )
    return keys.seal(Purpose.PLACE, payload, expires_s=expires_s)


def read_place(keys: SealKeys, text: str, buyer: bytes, sale_id: str, *, now_s: int) -> Place | None:
    """This buyer's place in this sale, or None for anything else."""
    opened = keys.open(Purpose.PLACE, text, now_s=now_s)
    if not isinstance(opened, Opened):
        return None
    payload = opened.payload
    if payload[:BUYER_BYTES] != buyer or payload[PLACE_HEAD_BYTES:] != sale_id.encode():
        return None
    return Place(
        buyer,
        sale_id,
        payload[16],
        Cohort(payload[17]),
        int.from_bytes(payload[18:24], "big"),
        int.from_bytes(payload[24:32], "big"),
    )


def seal_pass(keys: SealKeys, admission: Pass, *, expires_s: int) -> str:
    """The right to order, for this buyer in this sale. `expires_s` only bounds how long it can be shown at all."""
    payload = (
        admission.buyer
        + bytes((admission.lane,))
        + admission.epoch.to_bytes(6, "big")
        + admission.nonce
        + admission.sale_id.encode()
    )
    return keys.seal(Purpose.PASS, payload, expires_s=expires_s)


def read_pass(keys: SealKeys, text: str, buyer: bytes, sale_id: str, *, now_s: int) -> Pass | None:
    """This buyer's pass for this sale, or None for anything else. Whether it is still good is for Redis to say."""
    opened = keys.open(Purpose.PASS, text, now_s=now_s)
    if not isinstance(opened, Opened):
        return None
    payload = opened.payload
    if payload[:BUYER_BYTES] != buyer or payload[PASS_HEAD_BYTES:] != sale_id.encode():
        return None
    return Pass(buyer, sale_id, payload[16], int.from_bytes(payload[17:23], "big"), payload[23:31])
