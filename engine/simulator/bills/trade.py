"""The rows of one day's trade bill, as pure functions from orders and refunds.

A payment stands in the bill of the day it was paid (China time), a refund in the bill of the day it was
accepted, and neither row is ever changed later: the state of a refund is the one it had when the bill was
cut. A refund gives back its share of the fee, so that an order refunded whole cost nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from engine.simulator.bills.days import day_starts_ms
from engine.simulator.pay.orders import DAY_MS, Order
from engine.simulator.pay.refunds import Refund, RefundStatus


class BillType(StrEnum):
    ALL = "ALL"
    SUCCESS = "SUCCESS"
    REFUND = "REFUND"


# The bill has words of its own for the states of a refund.
REFUND_STATES = {
    RefundStatus.PROCESSING: "PROCESSING",
    RefundStatus.SUCCESS: "SUCCESS",
    RefundStatus.CLOSED: "FAIL",
    RefundStatus.ABNORMAL: "CHANGE",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: a payment, or a refund when `refund` is there. Times in ms, money in fen; `fee_fen` may be negative."""

    moment_ms: int
    order: Order
    state: str
    order_fen: int
    fee_fen: int
    refund: Refund | None = None
    refund_fen: int = 0
    refund_state: str = ""


def fee_fen(total_fen: int, rate_bp: int) -> int:
    """What WeChat keeps of a payment, rounded half up; the rate is in 1/10,000."""
    return (total_fen * rate_bp + 5000) // 10_000


def fees_returned(order: Order, refunds: Sequence[Refund], rate_bp: int) -> dict[str, int]:
    """The share of the fee each refund gives back, by out_refund_no; a CLOSED one gives nothing.

    Shares are cut from the running total, so that they add up to the whole fee when all is refunded.
    """
    whole_fen, refunded_fen, returned_fen = fee_fen(order.total_fen, rate_bp), 0, 0
    shares: dict[str, int] = {}
    for refund in refunds:
        if refund.status is RefundStatus.CLOSED:
            shares[refund.out_refund_no] = 0
            continue
        refunded_fen += refund.refund_fen
        due_fen = whole_fen * refunded_fen // order.total_fen
        shares[refund.out_refund_no] = due_fen - returned_fen
        returned_fen = due_fen
    return shares


def entries(
    orders: Iterable[Order],
    refunds_of: Mapping[str, Sequence[Refund]],
    bill_type: BillType,
    *,
    day: date,
    cut_ms: int,
    rate_bp: int,
) -> list[Entry]:
    """The rows of one merchant's day, the oldest first.

    `refunds_of` holds the refunds of each out_trade_no, the oldest first; `cut_ms` is when the bill was cut:
    what a refund became after it is not seen.
    """
    from_ms = day_starts_ms(day)
    to_ms = from_ms + DAY_MS
    found: list[Entry] = []
    for order in orders:
        if order.paid_ms is None:
            continue
        if bill_type is not BillType.REFUND and from_ms <= order.paid_ms < to_ms:
            fee = fee_fen(order.total_fen, rate_bp)
            found.append(Entry(order.paid_ms, order, "SUCCESS", order.total_fen, fee))
        refunds = refunds_of.get(order.out_trade_no)
        if bill_type is BillType.SUCCESS or not refunds:
            continue
        fees = fees_returned(order, refunds, rate_bp)
        for refund in refunds:
            if from_ms <= refund.created_ms < to_ms:
                settled = refund.settled_ms is not None and refund.settled_ms < cut_ms
                status = refund.status if settled else RefundStatus.PROCESSING
                found.append(
                    Entry(
                        moment_ms=refund.created_ms,
                        order=order,
                        state="REFUND",
                        order_fen=0,
                        fee_fen=-fees[refund.out_refund_no],
                        refund=refund,
                        refund_fen=refund.refund_fen,
                        refund_state=REFUND_STATES[status],
                    )
                )
    found.sort(key=_position)
    return found


def _position(row: Entry) -> tuple[int, str, str]:
    return row.moment_ms, row.order.out_trade_no, "" if row.refund is None else row.refund.out_refund_no
