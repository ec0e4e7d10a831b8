"""The bodies and paths of requests, made from the port's values: pure, and checked before anything is sent.

Wrong arguments (a number WeChat Pay would not take, an amount below one fen, a time without a zone) are bugs of the
caller and raise ValueError. The same request always makes the same bytes, so that a repeat is one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta, timezone

import orjson

from engine.payments.port import CardOwner, PrepayRequest, RedirectRequest, RefundRequest
from engine.payments.wechat.endpoints import REFUND_PATH, TRADE_PATH

CHINA = timezone(timedelta(hours=8))
ORDER_NO_LENGTHS = range(6, 33)
REFUND_NO_LENGTHS = range(1, 65)
REFUND_ID_LENGTHS = range(1, 33)
DESCRIPTION_MAX = 127
REASON_MAX = 80
BANK_TYPE_MAX = 16
CARD_TYPES = {CardOwner.BUYER: "USER_BANK_CARD", CardOwner.MERCHANT: "MERCHANT_BANK_CARD"}


def prepay_body(request: PrepayRequest, *, appid: str, notify_url: str, offers_fapiao: bool = False) -> bytes:
    """`offers_fapiao`: whether the receipt has an entry for the buyer's e-fapiao."""
    require_number(request.order_no, ORDER_NO_LENGTHS)
    if request.total_fen < 1:
        raise ValueError("WeChat Pay takes no order below one fen")
    if request.expires_at.tzinfo is None:
        raise ValueError("expires_at names no instant without its zone")
    fields: dict[str, object] = {
        "appid": appid,
        "mchid": request.mchid,
        "description": sendable(request.description, DESCRIPTION_MAX),
        "out_trade_no": request.order_no,
        # In China's offset, as every example has it: whether Z is taken is not documented.
        "time_expire": request.expires_at.astimezone(CHINA).isoformat(timespec="seconds"),
        "notify_url": notify_url,
        "amount": {"total": request.total_fen, "currency": "CNY"},
        "payer": {"openid": request.openid},
    }
    if offers_fapiao:
        fields["support_fapiao"] = True
    return orjson.dumps(fields)


def query_path(order_no: str, mchid: str) -> str:
    require_number(order_no, ORDER_NO_LENGTHS)
    return f"{TRADE_PATH}{order_no}?mchid={mchid}"


def close_path(order_no: str) -> str:
    require_number(order_no, ORDER_NO_LENGTHS)
    return f"{TRADE_PATH}{order_no}/close"


def refund_body(request: RefundRequest, *, notify_url: str) -> bytes:
    require_number(request.out_refund_no, REFUND_NO_LENGTHS)
    require_number(request.order_no, ORDER_NO_LENGTHS)
    if not 1 <= request.refund_fen <= request.total_fen:
        raise ValueError("a refund is at least one fen and at most what was paid")
    return orjson.dumps(
        {
            "out_trade_no": request.order_no,
            "out_refund_no": request.out_refund_no,
            "reason": sendable(request.reason, REASON_MAX),
            "notify_url": notify_url,
            "amount": {"refund": request.refund_fen, "total": request.total_fen, "currency": "CNY"},
        }
    )


def query_refund_path(out_refund_no: str) -> str:
    require_number(out_refund_no, REFUND_NO_LENGTHS)
    return f"{REFUND_PATH}/{out_refund_no}"


def redirect_path(refund_id: str) -> str:
    require_number(refund_id, REFUND_ID_LENGTHS)
    return f"{REFUND_PATH}/{refund_id}/apply-abnormal-refund"


def redirect_body(request: RedirectRequest, seal: Callable[[str], str]) -> bytes:
    """`seal` encrypts a field for WeChat Pay. A card of the merchant is on file there and has no fields."""
    require_number(request.out_refund_no, REFUND_NO_LENGTHS)
    fields = {"out_refund_no": request.out_refund_no, "type": CARD_TYPES[request.owner]}
    if request.owner is CardOwner.BUYER:
        bank = request.bank_type
        if not (bank.isascii() and bank.replace("_", "").isalnum() and len(bank) <= BANK_TYPE_MAX):
            raise ValueError(f"not a bank type of WeChat Pay: {bank!r}")
        if not (request.bank_account and request.real_name):
            raise ValueError("a buyer's card needs its number and its holder's name")
        fields["bank_type"] = bank
        fields["bank_account"] = seal(request.bank_account)
        fields["real_name"] = seal(request.real_name)
    return orjson.dumps(fields)


def echo_body(message: str, sealed: str | None) -> bytes:
    fields = {"echo_message": message}
    if sealed is not None:
        fields["encrypted_echo_message"] = sealed
    return orjson.dumps(fields)


def require_number(number: str, lengths: range) -> None:
    """Only [0-9A-Za-z_-]: WeChat Pay takes more, but `|` and `*` are spelled differently in a path."""
    bare = number.replace("_", "0").replace("-", "0")
    if not (bare.isascii() and bare.isalnum() and len(bare) in lengths):
        raise ValueError(f"not a number WeChat Pay takes: {number!r}")


def sendable(text: str, length_max: int) -> str:
    """Text for a buyer's eyes, made to fit: WeChat Pay takes no character beyond U+FFFF, and cuts nothing."""
    if not text.isascii():
        text = "".join(character for character in text if character <= "\uffff")
    return text[:length_max]
