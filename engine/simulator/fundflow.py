"""The fund-flow bill of one day: every movement of the merchant's account, as pure functions.

A payment is two movements, the money in and the fee out. A refund is one, net of the fee it gives back, at
the moment it was accepted; a refund that WeChat closed never took money. The balance runs from the
merchant's first movement, so the last line of one day and the first of the next fit together. Only the
basic account moves; the operation and the fee account stay empty.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from engine.simulator.bills import day_starts_ms, fee_fen, fees_returned, moment, yuan
from engine.simulator.orders import DAY_MS, Order
from engine.simulator.refunds import Refund, RefundStatus

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
    """One line; `signed_fen` is positive for income. `number` is the merchant's, `business_no` WeChat's."""

    moment_ms: int
    business_no: str
    step: int  # 1 for the first movement of a business number, 2 for its fee.
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
            f"{row.business_no}{row.step}",
            row.kind,
            row.kind,
            "收入" if row.signed_fen > 0 else "支出",
            yuan(abs(row.signed_fen)),
            yuan(row.balance_fen),
            "system",
            row.note,
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
    yield Movement(order.paid_ms, order.transaction_id, 1, "交易", order.total_fen, "", order.out_trade_no)
    fee = fee_fen(order.total_fen, rate_bp)
    if fee:
        yield Movement(order.paid_ms, order.transaction_id, 2, "扣除交易手续费", -fee, "", order.out_trade_no)
    fees = fees_returned(order, refunds, rate_bp)
    for refund in refunds:
        if refund.status is not RefundStatus.CLOSED:
            returned_fen = fees[refund.out_refund_no]
            note = f"退款总金额{yuan(refund.refund_fen)}元;含手续费{yuan(returned_fen)}元"
            yield Movement(
                refund.created_ms,
                refund.refund_id,
                1,
                "退款",
                returned_fen - refund.refund_fen,
                note,
                refund.out_refund_no,
            )
