"""Reads WeChat Pay's JSON, once it is known to be authentic, into the port's values.

A trade looks the same in a query's answer and in a decrypted notice; a refund differs only in what it calls
its state. Authentic JSON can still be unexpected (a new field, a missing one, another type): every reader
here either returns a whole value or raises Unreadable, which names the field and never its content.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engine.infra.reading import Unreadable, nested, read_object, text
from engine.payments.port import PaidReport, RefundState
from engine.payments.wechat.messages import normalised

CODE_MAX = 64

REFUND_STATES: Mapping[str, RefundState] = {
    state: RefundState(state) for state in ("PROCESSING", "SUCCESS", "ABNORMAL", "CLOSED")
}


def fen(fields: Mapping[str, Any], name: str) -> int:
    value = fields.get(name)
    if type(value) is not int or value < 0:
        raise Unreadable(name)
    return value


def moment(fields: Mapping[str, Any], name: str) -> datetime:
    """An RFC 3339 time; one without an offset names no instant and is refused."""
    try:
        value = datetime.fromisoformat(text(fields, name))
    except ValueError:
        raise Unreadable(name) from None
    if value.tzinfo is None:
        raise Unreadable(name)
    return value


def moment_or_none(fields: Mapping[str, Any], name: str) -> datetime | None:
    return moment(fields, name) if fields.get(name) else None


def in_fen(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The `amount` object, which must be in CNY: another currency's cents are not fen."""
    amount = nested(fields, "amount")
    if amount.get("currency", "CNY") != "CNY":
        raise Unreadable("amount.currency")
    return amount


def paid_report(fields: Mapping[str, Any]) -> PaidReport:
    return PaidReport(
        order_no=text(fields, "out_trade_no"),
        transaction_id=text(fields, "transaction_id"),
        total_fen=fen(in_fen(fields), "total"),
        mchid=text(fields, "mchid"),
        appid=text(fields, "appid"),
        openid=text(nested(fields, "payer"), "openid"),
        success_at=moment(fields, "success_time"),
    )


def refund_state(fields: Mapping[str, Any], name: str) -> RefundState:
    state = REFUND_STATES.get(text(fields, name))
    if state is None:
        raise Unreadable(name)
    return state


def error_code(raw: bytes) -> str:
    """The normalised code of an error body, "" for a body without one (HTML, empty, cut off)."""
    try:
        return normalised(text(read_object(raw), "code"))[:CODE_MAX]
    except Unreadable:
        return ""
