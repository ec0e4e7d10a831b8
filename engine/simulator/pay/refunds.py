"""The life of one refund at WeChat, as pure functions.

    PROCESSING -> SUCCESS | CLOSED | ABNORMAL
    ABNORMAL -> PROCESSING -> SUCCESS        the merchant names a bank account instead

Accepting is not refunding: the answer says PROCESSING and the money moves later. What always holds: the
refunds of an order that are not CLOSED never add up to more than it cost, and one out_refund_no names one
refund for ever, so a repeated request with the same parameters returns the same refund and moves nothing.
Clock, identifiers and the order's other refunds are arguments.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from engine.simulator.pay.orders import DAY_MS, Order
from engine.simulator.pay.refusals import (
    REFUND_CHANGED,
    REFUND_NOT_ABNORMAL,
    REFUND_ORDER_UNKNOWN,
    REFUND_TOO_LATE,
    REFUND_TOO_MANY,
    REFUND_TOO_MUCH,
    REFUND_TOO_SOON,
    REFUND_TOTAL_DIFFERS,
    Refusal,
)
from engine.simulator.pay.shapes import rfc3339

REFUNDS_MAX = 50
REFUNDABLE_MS = 365 * DAY_MS
ORIGINAL = "ORIGINAL"
OTHER_BANKCARD = "OTHER_BANKCARD"
_RECEIVED_BY = "支付用户零钱"


class RefundStatus(StrEnum):
    PROCESSING = "PROCESSING"
    SUCCESS = "SUCCESS"
    CLOSED = "CLOSED"
    ABNORMAL = "ABNORMAL"


SUMMARIES = {
    RefundStatus.SUCCESS: "退款成功",
    RefundStatus.CLOSED: "退款关闭",
    RefundStatus.ABNORMAL: "退款异常",
}


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """A valid refund request; exactly one of `out_trade_no` and `transaction_id` is set."""

    mchid: str
    out_refund_no: str
    out_trade_no: str | None
    transaction_id: str | None
    refund_fen: int
    total_fen: int
    notify_url: str | None
    terms: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund as WeChat keeps it; times in ms since the epoch."""

    mchid: str
    out_refund_no: str
    refund_id: str
    out_trade_no: str
    transaction_id: str
    refund_fen: int
    total_fen: int
    notify_url: str | None
    terms: str
    created_ms: int
    status: RefundStatus = RefundStatus.PROCESSING
    settled_ms: int | None = None
    channel: str = ORIGINAL
    received_by: str = _RECEIVED_BY
    reason: str = ""


def accept(
    known: Refund | None,
    order: Order | None,
    others: Sequence[Refund],
    request: RefundRequest,
    *,
    now_ms: int,
    fresh_refund_id: str,
    spacing_ms: int,
) -> Refund | Refusal:
    """Accept a refund, or return the one this out_refund_no already names.

    `others` are all refunds of the order; `spacing_ms` is the least time between two of them.
    """
    if known is not None:
        return known if known.terms == request.terms else REFUND_CHANGED
    if order is None or order.paid_ms is None or order.transaction_id is None:
        return REFUND_ORDER_UNKNOWN
    if request.total_fen != order.total_fen:
        return REFUND_TOTAL_DIFFERS
    if now_ms > order.paid_ms + REFUNDABLE_MS:
        return REFUND_TOO_LATE
    if len(others) >= REFUNDS_MAX:
        return REFUND_TOO_MANY
    taken_fen = sum(other.refund_fen for other in others if other.status is not RefundStatus.CLOSED)
    if taken_fen + request.refund_fen > order.total_fen:
        return REFUND_TOO_MUCH
    if others and now_ms < max(other.created_ms for other in others) + spacing_ms:
        return REFUND_TOO_SOON
    return Refund(
        mchid=request.mchid,
        out_refund_no=request.out_refund_no,
        refund_id=fresh_refund_id,
        out_trade_no=order.out_trade_no,
        transaction_id=order.transaction_id,
        refund_fen=request.refund_fen,
        total_fen=order.total_fen,
        notify_url=request.notify_url,
        terms=request.terms,
        created_ms=now_ms,
        reason=request.reason,
    )


def settle(refund: Refund, status: RefundStatus, *, now_ms: int) -> Refund:
    """The bank has answered; a refund that is settled stays as it is."""
    if refund.status is not RefundStatus.PROCESSING:
        return refund
    return replace(refund, status=status, settled_ms=now_ms)


def redirect(refund: Refund, *, received_by: str) -> Refund | Refusal:
    """The money of an ABNORMAL refund is sent to a bank account instead, and is on its way once more.

    Asking again for the same account while it is, or after it has arrived, changes nothing.
    """
    if refund.channel == OTHER_BANKCARD and refund.received_by == received_by:
        return refund
    if refund.status is not RefundStatus.ABNORMAL:
        return REFUND_NOT_ABNORMAL
    return replace(
        refund, status=RefundStatus.PROCESSING, settled_ms=None, channel=OTHER_BANKCARD, received_by=received_by
    )


def view(refund: Refund) -> dict[str, object]:
    """What accepting and querying answer."""
    shown: dict[str, object] = {
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "transaction_id": refund.transaction_id,
        "out_trade_no": refund.out_trade_no,
        "channel": refund.channel,
        "user_received_account": refund.received_by,
        "create_time": rfc3339(refund.created_ms),
        "status": refund.status,
        "funds_account": "AVAILABLE",
        "amount": {
            "total": refund.total_fen,
            "refund": refund.refund_fen,
            "payer_total": refund.total_fen,
            "payer_refund": refund.refund_fen,
            "settlement_total": refund.total_fen,
            "settlement_refund": refund.refund_fen,
            "discount_refund": 0,
            "currency": "CNY",
        },
        "promotion_detail": [],
    }
    if refund.status is RefundStatus.SUCCESS and refund.settled_ms is not None:
        shown["success_time"] = rfc3339(refund.settled_ms)
    return shown


def callback_view(refund: Refund) -> dict[str, object]:
    """The decrypted callback: here the field is `refund_status`, and channel and funds_account are absent."""
    shown: dict[str, object] = {
        "mchid": refund.mchid,
        "transaction_id": refund.transaction_id,
        "out_trade_no": refund.out_trade_no,
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "refund_status": refund.status,
        "user_received_account": refund.received_by,
        "amount": {
            "total": refund.total_fen,
            "refund": refund.refund_fen,
            "payer_total": refund.total_fen,
            "payer_refund": refund.refund_fen,
        },
    }
    if refund.status is RefundStatus.SUCCESS and refund.settled_ms is not None:
        shown["success_time"] = rfc3339(refund.settled_ms)
    return shown
