"""The fund-flow bill of one day: every movement of the merchant's account, as pure functions.

A payment is two movements, the money in and the fee out. A refund is two as well, the money out and its share
of the fee back, at the moment it was accepted; closing it brings the money back and no fee ever moved. The
balance runs from the merchant's first movement, so the last line of one day and the first of the next fit
together. Only the basic account moves; the operation and the fee account stay empty.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from hashlib import blake2b

from engine.simulator.bills.days import day_starts_ms
from engine.simulator.bills.lines import escape, moment, yuan
from engine.simulator.bills.trade import fee_fen, fees_returned
from engine.simulator.pay.orders import DAY_MS, Order
from engine.simulator.pay.refunds import Refund, RefundStatus

ACCOUNTS = ("BASIC", "OPERATION", "FEES")
COLUMNS = (
    "记账时间",
    "微信支付业务单号",
    "资金流水单号",
    "业务名称",
    "业务类型",
    "收支类型",
    "收支金额(元)",
    "账户结余(元)",
    "资金变更提交申请人",
    "备注",
    "业务凭证号",
)
TOTALS = ("资金流水总笔数", "收入笔数", "收入金额", "支出笔数", "支出金额")


@dataclass(frozen=True, slots=True)
class Movement:
    """One line; `signed_fen` is positive for income. `number` is the merchant's, `business_no` WeChat's.

    `step` counts the movements of one business number: 1 is the money itself.
    """

    mchid: str
    moment_ms: int
    business_no: str
    step: int
    business: str
    kind: str
    signed_fen: int
    note: str
    number: str
    balance_fen: int = 0


def movements(
    orders: Iterable[Order], refunds_of: Mapping[str, Sequence[Refund]], *, day: date, rate_bp: int
) -> list[Movement]:
    """The movements of one merchant's day, the oldest first, each with the balance after it."""
    from_ms = day_starts_ms(day)
    to_ms = from_ms + DAY_MS
    before_fen = 0
    found: list[Movement] = []
    for order in orders:
        for movement in _of_order(order, refunds_of.get(order.out_trade_no, ()), rate_bp):
            if movement.moment_ms < from_ms:
                before_fen += movement.signed_fen
            elif movement.moment_ms < to_ms:
                found.append(movement)
    found.sort(key=lambda movement: (movement.moment_ms, movement.business_no, movement.step))
    return balanced(found, before_fen=before_fen)


def balanced(rows: Sequence[Movement], *, before_fen: int) -> list[Movement]:
    """The same movements with the balance after each, starting from `before_fen`."""
    told: list[Movement] = []
    balance_fen = before_fen
    for row in rows:
        balance_fen += row.signed_fen
        told.append(replace(row, balance_fen=balance_fen))
    return told


def lines(rows: Sequence[Movement]) -> Iterator[str]:
    """The file line by line, without line ends: header, movements, header of the totals, totals."""
    yield ",".join(COLUMNS)
    for row in rows:
        cells = (
            moment(row.moment_ms),
            row.business_no,
            _flow_no(row),
            row.business,
            row.kind,
            "收入" if row.signed_fen > 0 else "支出",
            yuan(abs(row.signed_fen)),
            yuan(row.balance_fen),
            "system",
            escape(row.note),
            row.number,
        )
        yield ",".join([f"`{cell}" for cell in cells])
    income = [row.signed_fen for row in rows if row.signed_fen > 0]
    expense = [-row.signed_fen for row in rows if row.signed_fen <= 0]
    yield ",".join(TOTALS)
    totals = (len(rows), len(income), yuan(sum(income)), len(expense), yuan(sum(expense)))
    yield ",".join(f"`{total}" for total in totals)


def _of_order(order: Order, refunds: Sequence[Refund], rate_bp: int) -> Iterator[Movement]:
    if order.paid_ms is None or order.transaction_id is None:
        return
    trade = partial(Movement, order.mchid, order.paid_ms, order.transaction_id, number=order.out_trade_no, note="")
    yield trade(1, "交易", "交易", order.total_fen)
    fee = fee_fen(order.total_fen, rate_bp)
    if fee:
        yield trade(2, "交易", "扣除交易手续费", -fee)
    fees = fees_returned(order, refunds, rate_bp)
    for refund in refunds:
        accepted = partial(
            Movement, order.mchid, refund.created_ms, refund.refund_id, number=refund.out_refund_no, note=refund.reason
        )
        yield accepted(1, "退款", "退款", -refund.refund_fen)
        if fees[refund.out_refund_no]:
            yield accepted(2, "交易", "退还交易手续费", fees[refund.out_refund_no])
        if refund.status is RefundStatus.CLOSED and refund.settled_ms is not None:
            yield replace(accepted(3, "退款", "退款关闭", refund.refund_fen), moment_ms=refund.settled_ms)


def _flow_no(row: Movement) -> str:
    """28 digits: mchid, China date, and ten that are the same for the same movement."""
    digest = blake2b(f"{row.business_no} {row.step}".encode(), digest_size=8).digest()
    return f"{row.mchid}{moment(row.moment_ms)[:10].replace('-', '')}{int.from_bytes(digest) % 10**10:010}"
