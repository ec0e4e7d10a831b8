"""Shipping information: what a trading mini program must upload before it gets its money.

One upload names one paid order, by the merchant's number or WeChat's. The first complete one settles the
order's funds; after that it may be corrected once, and no more. An order shipped in parts takes further parts
until the last one says so; to change the manner of shipping is the one correction too. A later upload must
carry a later time. Error codes are those of WeChat's page for this interface. The papers of the
ledger keep what was uploaded.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engine.simulator.office.ledger import Ledger, Paper
from engine.simulator.pay.fields import Field, Flag, Listing, Record, Text, Whole
from engine.simulator.pay.forms import OPENID
from engine.simulator.pay.orders import Order

_PAPER = "shipping"
PARCELS_MAX = 15
ITEM_CHARS_MAX = 120
EXPRESS, PICKUP = 1, 4
WHOLE, SPLIT = 1, 2
Error = tuple[int, str]

_UPLOAD_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
_CONTACT = Record({"consignor_contact": Text(1024), "receiver_contact": Text(1024)})
_PARCEL = Record(
    {
        "tracking_no": Text(128, 0),
        "express_company": Text(128, 0),
        "item_desc": Text(2000, 0),
        "contact": _CONTACT,
    },
)
_FORM: Field = Record(
    {
        "order_key": Record(
            {
                "order_number_type": Whole(1),
                "transaction_id": Text(32),
                "mchid": Text(32),
                "out_trade_no": Text(32),
            },
            ("order_number_type",),
        ),
        "logistics_type": Whole(1),
        "delivery_mode": Whole(1),
        "is_all_delivered": Flag(),
        "shipping_list": Listing(_PARCEL),
        "upload_time": Text(64),
        "payer": Record({"openid": Text(128, 1, OPENID)}, ("openid",)),
    },
    ("order_key", "logistics_type", "delivery_mode", "shipping_list", "upload_time", "payer"),
)


class Shipping:
    """Over one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def upload(self, asked: Mapping[str, Any], *, mchids: Mapping[str, object], now_ms: int) -> Error | None:
        """Keep what was uploaded, or the error. `mchids` are the merchants bound to this mini program."""
        fault = form_fault(asked)
        if fault is not None:
            return fault
        order = self._order(asked["order_key"], mchids, now_ms=now_ms)
        if order is None:
            return 10060001, "支付单不存在"
        if not order.was_paid:
            return 10060004, "支付单处于不可发货的状态"
        if order.openid != asked["payer"]["openid"]:
            return 10060031, "该笔支付单不属于 openid 所指定的用户"
        key = f"{order.mchid} {order.out_trade_no}"
        told = add(self._ledger.papers(_PAPER).get(key), asked, order, now_ms=now_ms)
        if isinstance(told, tuple):
            return told
        self._ledger.record(paper=Paper(_PAPER, key, told))
        return None

    def all(self) -> list[dict[str, Any]]:
        """What was uploaded per order; `settled_ms` is when its funds were let go, or null."""
        return list(self._ledger.papers(_PAPER).values())

    def _order(self, key: Mapping[str, Any], mchids: Mapping[str, object], *, now_ms: int) -> Order | None:
        if key["order_number_type"] == 1:
            mchid = key.get("mchid", "")
            return self._ledger.order(mchid, key.get("out_trade_no", ""), now_ms=now_ms) if mchid in mchids else None
        number = key.get("transaction_id", "")
        found = (self._ledger.order_of_transaction(mchid, number) for mchid in mchids)
        return next((order for order in found if order is not None), None)


def form_fault(asked: Mapping[str, Any]) -> Error | None:
    """What is wrong with the upload whatever the order is."""
    fault = _FORM.fault(asked, "")
    if fault is not None:
        issue = fault.detail or {}
        return 47001, f"data format error {issue.get('field', '')} {issue.get('issue', fault.message)}".rstrip()
    if asked["order_key"]["order_number_type"] not in (1, 2):
        return 10060014, "参数错误 order_number_type"
    if not 1 <= asked["logistics_type"] <= PICKUP:
        return 10060005, "物流类型有误"
    if asked["delivery_mode"] not in (WHOLE, SPLIT):
        return 10060014, "参数错误 delivery_mode"
    if asked["delivery_mode"] == SPLIT and asked["logistics_type"] != EXPRESS:
        return 10060006, "非快递发货时不允许分拆发货"
    if asked["delivery_mode"] == SPLIT and "is_all_delivered" not in asked:
        return 10060007, "分拆发货模式下必须填写 is_all_delivered"
    if _uploaded_ms(asked["upload_time"]) is None:
        return 268485216, "上传时间非法，请按照 RFC 3339 格式填写"
    parcels = asked["shipping_list"]
    if not 1 <= len(parcels) <= PARCELS_MAX or (asked["delivery_mode"] == WHOLE and len(parcels) != 1):
        return 10060024, "物流信息列表的长度有误"
    for parcel in parcels:
        if not parcel.get("item_desc"):
            return 10060008, "商品描述 item_desc 不能为空"
        if len(parcel["item_desc"]) > ITEM_CHARS_MAX:
            return 10060009, "商品描述 item_desc 太长"
        if asked["logistics_type"] == EXPRESS and not (parcel.get("tracking_no") and parcel.get("express_company")):
            return 10060014, "参数错误 快递发货时必须填写 tracking_no 和 express_company"
        if parcel.get("express_company") == "SF" and not parcel.get("contact"):
            return 10060019, "使用顺丰物流时，联系方式必填"
    return None


def _uploaded_ms(text: str) -> int | None:
    """The moment an upload says of itself, or None for something else than a moment."""
    if not _UPLOAD_TIME.fullmatch(text):
        return None
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return None


def add(
    known: Mapping[str, Any] | None, asked: Mapping[str, Any], order: Order, *, now_ms: int
) -> dict[str, Any] | Error:
    """The paper of an order after a valid upload: its first, its next part, or its one correction."""
    parcels = asked["shipping_list"]
    complete = asked["delivery_mode"] == WHOLE or asked["is_all_delivered"]
    uploaded_ms = _uploaded_ms(asked["upload_time"]) or 0
    if known is None:
        return {
            "mchid": order.mchid,
            "out_trade_no": order.out_trade_no,
            "transaction_id": order.transaction_id,
            "logistics_type": asked["logistics_type"],
            "delivery_mode": asked["delivery_mode"],
            "shipping_list": parcels,
            "uploads": 1,
            "uploaded_ms": uploaded_ms,
            "corrected": False,
            "settled_ms": now_ms if complete else None,
        }
    if uploaded_ms <= known["uploaded_ms"]:
        return 10060023, "发货信息未更新"
    same_manner = all(known[name] == asked[name] for name in ("logistics_type", "delivery_mode"))
    later = {"uploads": known["uploads"] + 1, "uploaded_ms": uploaded_ms}
    if known["settled_ms"] is None and same_manner:
        together = [*known["shipping_list"], *parcels]
        if len(together) > PARCELS_MAX:
            return 10060024, "物流信息列表的长度有误"
        return dict(known) | later | {"shipping_list": together, "settled_ms": now_ms if complete else None}
    if known["corrected"]:
        return 10060003, "支付单已使用重新发货机会"
    if known["shipping_list"] == parcels and same_manner:
        return 10060023, "发货信息未更新"
    return (
        dict(known)
        | later
        | {
            "logistics_type": asked["logistics_type"],
            "delivery_mode": asked["delivery_mode"],
            "shipping_list": parcels,
            "corrected": True,
            "settled_ms": known["settled_ms"] or (now_ms if complete else None),
        }
    )
