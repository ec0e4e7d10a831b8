"""What a buyer may ask for in one order. Pure: bytes and a catalog in, items or a refusal out.

The usual body is read by the fast parser; whether a key stands there twice is seen by counting, and only a body that
counts oddly is read again by the slow, strict one.
"""

from collections.abc import Mapping

import orjson

from engine.catalog.records import Sku
from engine.stock.claim import Item
from engine.web.http import strict_json
from engine.web.problems import Code

ITEMS_COUNT_MAX = 8  # different SKUs in one order
KEY_LENGTHS = range(8, 65)
KNOWN_BODIES_MAX = 256  # of a few kilobytes at most


def read_items(raw: bytes, skus: Mapping[str, Sku]) -> tuple[Item, ...] | Code:
    """The items of an order body, or the first thing that is wrong with it."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return Code.BODY_INVALID
    if type(body) is not dict or len(body) != 1 or type(body.get("items")) is not list:
        return Code.BODY_INVALID
    asked = body["items"]
    if not 1 <= len(asked) <= ITEMS_COUNT_MAX:
        return Code.ITEMS_INVALID
    if (
        b"\\" in raw  # an escaped key would not be counted
        or raw.count(b'"sku"') != len(asked)
        or raw.count(b'"quantity"') != len(asked)
        or raw.count(b'"items"') != 1
    ):
        try:
            strict_json(raw)
        except ValueError:
            return Code.BODY_INVALID
    items = []
    seen = set()
    for one in asked:
        if type(one) is not dict or len(one) != 2:
            return Code.BODY_INVALID
        sku_id, quantity = one.get("sku"), one.get("quantity", one)
        if type(sku_id) is not str or quantity is one:
            return Code.BODY_INVALID
        if type(quantity) is not int or quantity < 1:
            return Code.QUANTITY_INVALID
        if sku_id in seen:
            return Code.ITEMS_INVALID
        seen.add(sku_id)
        sku = skus.get(sku_id)
        if sku is None:
            return Code.UNKNOWN_SKU
        if quantity > sku.per_order_max:
            return Code.ORDER_LIMIT
        items.append(Item(sku_id, quantity))
    return tuple(items)


class OrderBodies:
    """Reads the order bodies of one sale. Most buyers send one of a few, so those that were good are remembered by
    their bytes, for as long as the catalog stands."""

    def __init__(self) -> None:
        self._skus: Mapping[str, Sku] = {}
        self._known: dict[bytes, tuple[Item, ...]] = {}

    def read(self, raw: bytes, skus: Mapping[str, Sku]) -> tuple[Item, ...] | Code:
        """What `read_items` says of it."""
        if skus is not self._skus or len(self._known) > KNOWN_BODIES_MAX:
            self._skus, self._known = skus, {}
        known = self._known.get(raw)
        if known is not None:
            return known
        items = read_items(raw, skus)
        if not isinstance(items, Code):
            self._known[raw] = items
        return items


def is_idempotency_key(text: str) -> bool:
    """8 to 64 visible ASCII characters."""
    return len(text) in KEY_LENGTHS and text.isascii() and text.isprintable() and " " not in text
