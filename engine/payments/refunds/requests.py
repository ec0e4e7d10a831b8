"""What a request for a refund may say. Pure: bytes in, values or the first thing that is wrong out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from engine.orders.records import REQUEST_ID_BYTES, request_id_of
from engine.orders.request import ITEMS_COUNT_MAX
from engine.payments.port import CardOwner
from engine.payments.refunds.wishes import RequestKey
from engine.stock.claim import Item
from engine.web.http import strict_json
from engine.web.problems import Code

ORGANIZER = b"organizer"  # who asks, where it is no buyer
REASON_CHARS_MAX = 80  # what WeChat Pay shows the buyer
BANK_TYPE_CHARS_MAX = 16
SECRET_CHARS_MAX = 128
AMOUNT_FEN_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class OrganizerWish:
    """A refund that an organizer decides. `units_back` is None where the sale's own rule counts."""

    reason: str
    whole: bool
    items: tuple[Item, ...]
    amount_fen: int | None
    units_back: bool | None


@dataclass(frozen=True, slots=True)
class BankCard:
    """Where an abnormal refund goes instead; `account` and `name` are a person's, and are never shown."""

    owner: CardOwner
    bank_type: str
    account: str
    name: str

    def __repr__(self) -> str:
        return f"BankCard({self.owner}, {self.bank_type})"


def read_buyers_items(raw: bytes) -> tuple[Item, ...] | Code:
    """The tickets to give back; none means all of them."""
    body = _object(raw, {"items"})
    if isinstance(body, Code):
        return body
    return _items(body["items"]) if "items" in body else ()


def read_organizers_wish(raw: bytes) -> OrganizerWish | Code:
    """Everything that is left, or tickets, or a sum, or tickets for a sum; with a reason."""
    body = _object(raw, {"whole", "items", "amount_fen", "reason", "units_back"})
    if isinstance(body, Code):
        return body
    reason, amount_fen, units_back = body.get("reason"), body.get("amount_fen"), body.get("units_back")
    whole = body.get("whole", False)
    if not isinstance(reason, str) or not is_reason(reason):
        return Code.BODY_INVALID
    if not isinstance(whole, bool) or not isinstance(units_back, bool | None):
        return Code.BODY_INVALID
    if amount_fen is not None and (type(amount_fen) is not int or not 0 <= amount_fen <= AMOUNT_FEN_MAX):
        return Code.BODY_INVALID
    items = _items(body["items"]) if "items" in body else ()
    if isinstance(items, Code):
        return items
    if whole == (bool(items) or amount_fen is not None):
        return Code.BODY_INVALID
    return OrganizerWish(reason.strip(), whole, items, amount_fen, units_back)


def is_reason(text: str) -> bool:
    """1 to 80 characters in one line."""
    return len(text.strip()) >= 1 and len(text) <= REASON_CHARS_MAX and text.isprintable()


def read_bank_card(raw: bytes) -> BankCard | Code:
    """The card of a buyer, with number and name, or the merchant's own."""
    body = _object(raw, {"owner", "bank_type", "account", "name"})
    if isinstance(body, Code):
        return body
    fields = {name: body.get(name, "") for name in ("owner", "bank_type", "account", "name")}
    if not all(isinstance(text, str) and len(text) <= SECRET_CHARS_MAX for text in fields.values()):
        return Code.BODY_INVALID
    if fields["owner"] not in set(CardOwner) or len(fields["bank_type"]) > BANK_TYPE_CHARS_MAX:
        return Code.BODY_INVALID
    owner = CardOwner(fields["owner"])
    complete = all((fields["bank_type"], fields["account"], fields["name"]))
    if owner is CardOwner.BUYER and not complete:
        return Code.BODY_INVALID
    return BankCard(owner, fields["bank_type"], fields["account"], fields["name"])


def key_of(
    asker: bytes,
    idempotency_key: str,
    order_no: str,
    items: Sequence[Item],
    amount_fen: int | None = None,
    *,
    units_back: bool | None = None,
) -> RequestKey:
    """What makes a request be done once: the key belongs to who asks, and to what was asked with it."""
    content: list[Any] = [order_no, [list(item) for item in sorted(items)], amount_fen]
    if units_back is not None:
        content.append(units_back)
    digest = blake2b(orjson.dumps(content), digest_size=REQUEST_ID_BYTES, person=b"refund").digest()
    return RequestKey(request_id_of(asker, f"refund:{idempotency_key}"), digest)


def _object(raw: bytes, known: set[str]) -> Mapping[str, Any] | Code:
    if not raw:
        return {}
    try:
        body = strict_json(raw)
    except ValueError:
        return Code.BODY_INVALID
    return body if isinstance(body, dict) and body.keys() <= known else Code.BODY_INVALID


def _items(asked: Any) -> tuple[Item, ...] | Code:
    if not isinstance(asked, list):
        return Code.BODY_INVALID
    if not 1 <= len(asked) <= ITEMS_COUNT_MAX:
        return Code.ITEMS_INVALID
    items = []
    for one in asked:
        if not isinstance(one, dict) or one.keys() != {"sku", "quantity"} or not isinstance(one["sku"], str):
            return Code.BODY_INVALID
        if type(one["quantity"]) is not int or one["quantity"] < 1:
            return Code.QUANTITY_INVALID
        items.append(Item(one["sku"], one["quantity"]))
    return tuple(items) if len({item.sku_id for item in items}) == len(items) else Code.ITEMS_INVALID
