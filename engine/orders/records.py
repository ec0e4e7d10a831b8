"""What the order book knows of an order, and the ids it is known by."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgpack

from engine.orders.states import State
from engine.stock.claim import BODY_DIGEST_BYTES, Claim, Item

ORDER_NO_RANDOM_BYTES = 16
ORDER_NO_CHARS = 32  # 128 bits in hexadecimal: the longest out_trade_no that WeChat accepts
HEX = frozenset("0123456789abcdef")
REQUEST_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class OrderItem:
    """So many units of one SKU, at the price of the moment of ordering. `returned` of them went back to sale with a
    refund and no longer count for the order."""

    sku_id: str
    quantity: int
    price_fen: int
    returned: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What follows from the items of a request alone: their digest, their prices and their sum."""

    digest: bytes
    items: tuple[OrderItem, ...]
    amount_fen: int

    @classmethod
    def of(cls, items: Sequence[Item], prices_fen: Sequence[int]) -> "Wanted":
        """The items at these prices."""
        priced = tuple(OrderItem(*item, price_fen) for item, price_fen in zip(items, prices_fen, strict=True))
        return cls(body_digest_of(items), priced, sum(item.quantity * item.price_fen for item in priced))


@dataclass(slots=True, kw_only=True)  # not frozen: one is made for every order, and that doubles its cost
class Order:
    """One buyer's claim on units, as the ledger has it. Nobody changes it."""

    order_no: str
    sale_id: str
    buyer: bytes
    request_id: bytes
    body_digest: bytes
    state: State
    has_units: bool
    amount_fen: int
    deadline_ms: int
    items: tuple[OrderItem, ...]
    lane: int = 0
    refunded_fen: int = 0
    mchid: str | None = None
    prepay_id: str | None = None
    prepay_until: datetime | None = None
    checks: int = 0

    def claim(self) -> Claim:
        """The same order as Redis keeps it: with the units that still count for it."""
        items = tuple(
            Item(item.sku_id, item.quantity - item.returned) for item in self.items if item.quantity > item.returned
        )
        return Claim(self.request_id, self.body_digest, self.buyer, self.order_no, items, self.lane)

    @property
    def gave_units_back(self) -> bool:
        """Whether a refund returned some of its units."""
        return any(item.returned for item in self.items)

    def document(self) -> dict[str, Any]:
        """The order as its buyer sees it."""
        return {
            "order_no": self.order_no,
            "sale": self.sale_id,
            "state": self.state.value,
            "amount_fen": self.amount_fen,
            "refunded_fen": self.refunded_fen,
            "deadline_ms": self.deadline_ms,
            "items": [
                {"sku": item.sku_id, "quantity": item.quantity, "price_fen": item.price_fen} for item in self.items
            ],
        }


def order_no_of(randomness: bytes) -> str:
    """An order number from 16 random bytes."""
    return randomness.hex()


def is_order_no(text: str) -> bool:
    """Whether this can be an order number at all."""
    return len(text) == ORDER_NO_CHARS and HEX.issuperset(text)


def request_id_of(buyer: bytes, idempotency_key: str) -> bytes:
    """The id of a request: the key belongs to its buyer, so nobody can meet another buyer's order by guessing it."""
    return blake2b(buyer + idempotency_key.encode(), digest_size=REQUEST_ID_BYTES, person=b"request").digest()


def body_digest_of(items: Sequence[Item]) -> bytes:
    """What tells a repeated request from another request under the same key."""
    flat = [part for item in items for part in (item.sku_id, item.quantity)]
    return blake2b(msgpack.packb(flat), digest_size=BODY_DIGEST_BYTES, person=b"body").digest()
