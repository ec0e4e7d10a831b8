"""The three bodies a merchant sends (order, close, refund), read into records or refused.

Forms are the tables of WeChat's reference pages. After the form come the checks that need to know the
caller: the mchid of the body is the one that signed, the appid is bound to it, the notify_url is one WeChat
would call. A notify_url must be https; plain http is accepted for loopback hosts, or anywhere when the
operator says so, because this simulator calls back on the merchant's own machine.
"""

import re
from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

import orjson

from engine.simulator.pay.fields import Choice, Flag, Listing, Record, Text, Whole
from engine.simulator.pay.orders import OrderRequest
from engine.simulator.pay.refunds import RefundRequest
from engine.simulator.pay.refusals import APPID_MISMATCH, Refusal, parameter
from engine.simulator.processes.authorization import Merchant

OPENID = re.compile(r"o[0-9A-Za-z_-]{27}")
_TRADE_NO = re.compile(r"[0-9A-Za-z_\-|*]+")
REFUND_NO = re.compile(r"[0-9A-Za-z_\-|*@]+")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
# WeChat takes 15 banks here and its documents name them by these codes; any code of the form is taken.
_BANK = re.compile(r"[A-Z]{2,10}_DEBIT")
_CARD_NO = re.compile(r"\d{12,19}")
_CURRENCY = Choice(("CNY",))
_LOOPBACK = re.compile(r"localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1")

_GOODS_ORDERED = Record(
    {
        "merchant_goods_id": Text(32),
        "wechatpay_goods_id": Text(32),
        "goods_name": Text(256),
        "quantity": Whole(1),
        "unit_price": Whole(0),
    },
    ("merchant_goods_id", "quantity", "unit_price"),
)
_GOODS_REFUNDED = Record(
    {
        "merchant_goods_id": Text(32),
        "wechatpay_goods_id": Text(32),
        "goods_name": Text(256),
        "unit_price": Whole(0),
        "refund_amount": Whole(0),
        "refund_quantity": Whole(1),
    },
    ("merchant_goods_id", "unit_price", "refund_amount", "refund_quantity"),
)
_STORE = Record(
    {"id": Text(32), "name": Text(256), "area_code": Text(32), "address": Text(512)},
    ("id",),
)
_ORDER = Record(
    {
        "appid": Text(32),
        "mchid": Text(32),
        "description": Text(127),
        "out_trade_no": Text(32, 6, _TRADE_NO),
        "time_expire": Text(64, 1, _MOMENT),
        "attach": Text(128),
        "notify_url": Text(255),
        "goods_tag": Text(32),
        "support_fapiao": Flag(),
        "limit_pay": Listing(Choice(("no_credit", "no_balance", "no_debit", "balance_only"))),
        "amount": Record({"total": Whole(1), "currency": _CURRENCY}, ("total",)),
        "payer": Record({"openid": Text(128, 1, OPENID)}, ("openid",)),
        "detail": Record({"cost_price": Whole(0), "invoice_id": Text(32), "goods_detail": Listing(_GOODS_ORDERED)}),
        "scene_info": Record(
            {"payer_client_ip": Text(45), "device_id": Text(32), "store_info": _STORE}, ("payer_client_ip",)
        ),
        "settle_info": Record({"profit_sharing": Flag()}),
    },
    ("appid", "mchid", "description", "out_trade_no", "notify_url", "amount", "payer"),
)
_ABNORMAL = Record(
    {
        "out_refund_no": Text(64, 1, REFUND_NO),
        "type": Choice(("USER_BANK_CARD", "MERCHANT_BANK_CARD")),
        "bank_type": Text(16, 1, _BANK),
        "bank_account": Text(1024),
        "real_name": Text(1024),
    },
    ("out_refund_no", "type"),
)
_CLOSE = Record({"mchid": Text(32)}, ("mchid",))
_REFUND = Record(
    {
        "transaction_id": Text(32),
        "out_trade_no": Text(32, 6, _TRADE_NO),
        "out_refund_no": Text(64, 1, REFUND_NO),
        "reason": Text(80),
        "notify_url": Text(256),
        "funds_account": Choice(("AVAILABLE", "UNSETTLED")),
        "amount": Record(
            {
                "refund": Whole(1),
                "total": Whole(1),
                "currency": _CURRENCY,
                "from": Listing(
                    Record(
                        {"account": Choice(("AVAILABLE", "UNAVAILABLE")), "amount": Whole(1)},
                        ("account", "amount"),
                    )
                ),
            },
            ("refund", "total", "currency"),
        ),
        "goods_detail": Listing(_GOODS_REFUNDED),
    },
    ("out_refund_no", "amount"),
)


def read_order(body: bytes, merchant: Merchant, *, http_anywhere: bool) -> OrderRequest | Refusal:
    """The body of POST /v3/pay/transactions/jsapi."""
    document = read(body, _ORDER)
    if isinstance(document, Refusal):
        return document
    if document["mchid"] != merchant.mchid:
        return parameter("/mchid", document["mchid"], "differs from the mchid of Authorization")
    if document["appid"] not in merchant.appids:
        return APPID_MISMATCH
    found = notify_fault(document["notify_url"], http_anywhere=http_anywhere)
    if found is not None:
        return found
    expires_ms: int | None = None
    if "time_expire" in document:
        try:
            expires_ms = int(datetime.fromisoformat(document["time_expire"]).timestamp() * 1000)
        except ValueError:
            return parameter("/time_expire", document["time_expire"], "is not a moment")
    return OrderRequest(
        mchid=merchant.mchid,
        appid=document["appid"],
        out_trade_no=document["out_trade_no"],
        openid=document["payer"]["openid"],
        total_fen=document["amount"]["total"],
        expires_ms=expires_ms,
        attach=document.get("attach"),
        notify_url=document["notify_url"],
        terms=terms(document),
        description=document["description"],
    )


def read_close(body: bytes, merchant: Merchant) -> Refusal | None:
    """The body of a close says nothing but who closes."""
    document = read(body, _CLOSE)
    if isinstance(document, Refusal):
        return document
    if document["mchid"] != merchant.mchid:
        return parameter("/mchid", document["mchid"], "differs from the mchid of Authorization")
    return None


def read_refund(body: bytes, merchant: Merchant, *, http_anywhere: bool) -> RefundRequest | Refusal:
    """The body of POST /v3/refund/domestic/refunds."""
    document = read(body, _REFUND)
    if isinstance(document, Refusal):
        return document
    if ("transaction_id" in document) == ("out_trade_no" in document):
        return parameter("/out_trade_no", "", "exactly one of transaction_id and out_trade_no is required")
    found = _refund_parts_fault(document)
    if found is not None:
        return found
    if "notify_url" in document:
        found = notify_fault(document["notify_url"], http_anywhere=http_anywhere)
        if found is not None:
            return found
    return RefundRequest(
        mchid=merchant.mchid,
        out_refund_no=document["out_refund_no"],
        out_trade_no=document.get("out_trade_no"),
        transaction_id=document.get("transaction_id"),
        refund_fen=document["amount"]["refund"],
        total_fen=document["amount"]["total"],
        notify_url=document.get("notify_url"),
        terms=terms(document),
        reason=document.get("reason", ""),
    )


def read_abnormal(body: bytes, unseal: Callable[[str, str], str | Refusal]) -> tuple[str, str] | Refusal:
    """The body of apply-abnormal-refund: the out_refund_no and the words for the account that gets the money.

    `unseal` opens one encrypted field, given its path and its text.
    """
    document = read(body, _ABNORMAL)
    if isinstance(document, Refusal):
        return document
    if document["type"] == "MERCHANT_BANK_CARD":
        return document["out_refund_no"], "商户银行账户"
    for name in ("bank_type", "bank_account", "real_name"):
        if name not in document:
            return parameter(f"/{name}", "", "is required for USER_BANK_CARD")
    account = unseal("/bank_account", document["bank_account"])
    if isinstance(account, Refusal):
        return account
    holder = unseal("/real_name", document["real_name"])
    if isinstance(holder, Refusal):
        return holder
    if not _CARD_NO.fullmatch(account):
        return parameter("/bank_account", "", "must be a card number")
    if not holder.strip():
        return parameter("/real_name", "", "must not be empty")
    return document["out_refund_no"], f"{document['bank_type']}{account[-4:]}"


def _refund_parts_fault(document: Any) -> Refusal | None:
    """What `from` and `goods_detail` say must fit the amount refunded."""
    refund_fen = document["amount"]["refund"]
    sources = document["amount"].get("from", ())
    if sources:
        if len({source["account"] for source in sources}) != len(sources):
            return parameter("/amount/from", sources, "names an account twice")
        if sum(source["amount"] for source in sources) != refund_fen:
            return parameter("/amount/from", sources, "must add up to the refund")
    for index, goods in enumerate(document.get("goods_detail", ())):
        if goods["refund_amount"] > refund_fen:
            path = f"/goods_detail/{index}/refund_amount"
            return parameter(path, goods["refund_amount"], "must not exceed the refund")
    return None


def read(body: bytes, form: Record) -> Any:
    """The parsed body, or the Refusal of its first fault."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return parameter("/", "", "body is not JSON")
    return form.fault(document, "") or document


def terms(document: object) -> str:
    """A digest of every parameter, so that a re-entry can be told from a change without keeping the body."""
    return blake2b(orjson.dumps(document, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def notify_fault(url: str, *, http_anywhere: bool) -> Refusal | None:
    """Why WeChat would not call this address, or None."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return parameter("/notify_url", url, "is not a URL")
    plain_allowed = http_anywhere or (host is not None and _LOOPBACK.fullmatch(host) is not None)
    if host is None or not (parts.scheme == "https" or (parts.scheme == "http" and plain_allowed)):
        return parameter("/notify_url", url, "must be a full https:// address")
    if "?" in url or "#" in url:
        return parameter("/notify_url", url, "must not carry parameters")
    return None
