"""Places and passes: what a buyer carries, sealed. Pure: time and keys come in as arguments.

A place says "this buyer has this index in the line of this sale" and lives as long as the sale. A pass says "this
buyer may order in this sale now" and lives for minutes. Both are bound to the buyer and the sale, so a forwarded
or foreign one is refused by whoever reads it.
"""

from dataclasses import dataclass

from engine.infra.seals import Opened, Purpose, SealKeys

BUYER_BYTES = 16
INDEX_BYTES = 8


@dataclass(frozen=True, slots=True)
class Place:
    """A buyer's position in the line; indexes start at 0."""

    buyer: bytes
    sale_id: str
    index: int


def seal_place(keys: SealKeys, place: Place, *, expires_s: int) -> str:
    """The place as the buyer carries it."""
    payload = place.buyer + place.index.to_bytes(INDEX_BYTES, "big") + place.sale_id.encode()
    return keys.seal(Purpose.PLACE, payload, expires_s=expires_s)


def read_place(keys: SealKeys, text: str, buyer: bytes, sale_id: str, *, now_s: int) -> Place | None:
    """This buyer's place in this sale, or None for anything else."""
    opened = keys.open(Purpose.PLACE, text, now_s=now_s)
    if not isinstance(opened, Opened):
        return None
    payload = opened.payload
    index = int.from_bytes(payload[BUYER_BYTES : BUYER_BYTES + INDEX_BYTES], "big")
    place = Place(payload[:BUYER_BYTES], payload[BUYER_BYTES + INDEX_BYTES :].decode(), index)
    return place if place.buyer == buyer and place.sale_id == sale_id else None


def seal_pass(keys: SealKeys, buyer: bytes, sale_id: str, *, expires_s: int) -> str:
    """The right to order, for this buyer in this sale."""
    return keys.seal(Purpose.PASS, buyer + sale_id.encode(), expires_s=expires_s)


def pass_is_good(keys: SealKeys, text: str, buyer: bytes, sale_id: str, *, now_s: int) -> bool:
    """Whether this is an unexpired pass of this buyer for this sale."""
    opened = keys.open(Purpose.PASS, text, now_s=now_s)
    return isinstance(opened, Opened) and opened.payload == buyer + sale_id.encode()
