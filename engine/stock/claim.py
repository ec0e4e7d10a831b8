"""A claim: one order's units as Redis keeps them, packed once by the worker and stored as it came.

The packed form is what `reserve` reads and what `release`, `confirm` and a rebuild read again later, so it has
one layout for its whole life: [request_id, body_digest, buyer, order_no, [sku, quantity, sku, quantity, ...], lane].
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgpack

BODY_DIGEST_BYTES = 8  # the scripts cut the digest off by this length
NO_NONCE = bytes(8)


class Item(NamedTuple):
    """So many units of one SKU. A tuple, because one is made for every line of every request."""

    sku_id: str
    quantity: int


@dataclass(slots=True)  # not frozen: one is made for every order, and that doubles its cost
class Claim:
    """What one buyer asks for in one order, through which lane, and the nonce of the pass that lets it through. The
    nonce is shown once and not kept. Nobody changes it."""

    request_id: bytes
    body_digest: bytes
    buyer: bytes
    order_no: str
    items: tuple[Item, ...]
    lane: int = 0
    nonce: bytes = field(default=NO_NONCE, compare=False)

    def pack(self) -> bytes:
        """Bytes for Redis. Old-style raw strings: Lua knows only one kind of string."""
        packed: bytes = msgpack.packb(
            (self.request_id, self.body_digest, self.buyer, self.order_no, _flat(self.items), self.lane),
            use_bin_type=False,
        )
        return packed

    @classmethod
    def unpack(cls, packed: bytes) -> "Claim":
        """The claim behind bytes that Redis kept."""
        request_id, body_digest, buyer, order_no, flat, lane = msgpack.unpackb(packed, raw=True)
        items = tuple(Item(flat[i].decode(), flat[i + 1]) for i in range(0, len(flat), 2))
        return cls(request_id, body_digest, buyer, order_no.decode(), items, lane)


def pack_items(items: Sequence[Item]) -> bytes:
    """Items alone, as a script takes them: [sku, quantity, sku, quantity, ...]."""
    packed: bytes = msgpack.packb(_flat(items), use_bin_type=False)
    return packed


def _flat(items: Sequence[Item]) -> list[str | int]:
    flat: list[str | int] = []
    for item in items:
        flat.append(item.sku_id)
        flat.append(item.quantity)
    return flat
