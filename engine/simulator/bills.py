"""The trade bill of one day, as pure functions from orders and refunds to the lines of WeChat's file.

A payment stands in the bill of the day it was paid (China time), a refund in the bill of the day it was
accepted, and neither row is ever changed later: the state of a refund is the one it had when the bill was
cut. Every value is prefixed with a backtick, money is yuan with two decimals, the fee has five because
WeChat writes it so, though it is rounded to the fen. A refund gives back its share of the fee, so that an
order refunded whole cost nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from engine.simulator.orders import DAY_MS, Order
from engine.simulator.refunds import Refund, RefundStatus
from engine.simulator.shapes import CHINA, china_second

CUT_AFTER_MS = 9 * 3_600_000  # Bills are cut at 09:00 of the next day.
READY_AFTER_MS = 10 * 3_600_000  # They can be fetched from 10:00.


class BillType(StrEnum):
    ALL = "ALL"
    SUCCESS = "SUCCESS"
    REFUND = "REFUND"


_PAYMENT = [
    "交易时间",
    "公众账号ID",
    "商户号",
    "特约商户号",
    "设备号",
    "微信订单号",
    "商户订单号",
    "用户标识",
    "交易类型",
    "交易状态",
    "付款银行",
    "货币种类",
    "应结订单金额",
    "代金券金额",
]
_REFUND_MOMENTS = ["退款申请时间", "退款成功时间"]
_REFUND = ["微信退款单号", "商户退款单号", "退款金额", "充值券退款金额", "退款类型", "退款状态"]
_GOODS = ["商品名称", "商户数据包", "手续费", "费率", "订单金额"]

COLUMNS: Mapping[BillType, tuple[str, ...]] = {
    BillType.ALL: (*_PAYMENT, *_REFUND, *_GOODS, "申请退款金额", "费率备注"),
    BillType.SUCCESS: (*_PAYMENT, *_GOODS, "费率备注"),
    BillType.REFUND: (*_PAYMENT, *_REFUND_MOMENTS, *_REFUND, *_GOODS, "申请退款金额", "费率备注"),
}
_TOTALS_ALL = [
    "总交易单数",
    "应结订单总金额",
    "退款总金额",
    "充值券退款总金额",
    "手续费总金额",
    "订单总金额",
    "申请退款总金额",
]
TOTALS: Mapping[BillType, tuple[str, ...]] = {
    BillType.ALL: tuple(_TOTALS_ALL),
    BillType.SUCCESS: ("总交易单数", "应结订单总金额", "手续费总金额", "订单总金额"),
    BillType.REFUND: tuple(_TOTALS_ALL),
}
# The bill has words of its own for the states of a refund.
REFUND_STATES = {
    RefundStatus.PROCESSING: "PROCESSING",
    RefundStatus.SUCCESS: "SUCCESS",
    RefundStatus.CLOSED: "FAIL",
    RefundStatus.ABNORMAL: "CHANGE",
}
_SPECIAL = str.maketrans({",": "\\ ", "\n": "\\n", "\r": "\\r"})


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


def day_starts_ms(day: date) -> int:
    """Midnight in China, ms since the epoch."""
    return int(datetime(day.year, day.month, day.day, tzinfo=CHINA).timestamp()) * 1000


def day_of(moment_ms: int) -> date:
    """The China date of a moment."""
    return china_second(moment_ms // 1000).date()


def months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or the last day of that month when it is shorter."""
    first = day.replace(day=1)
    for _ in range(months):
        first = (first - timedelta(days=1)).replace(day=1)
    next_first = (first + timedelta(days=31)).replace(day=1)
    return first.replace(day=min(day.day, (next_first - timedelta(days=1)).day))


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


def lines(rows: Sequence[Entry], bill_type: BillType, *, rate_bp: int) -> Iterator[str]:
    """The file line by line, without line ends: header, rows, header of the totals, totals."""
    columns = COLUMNS[bill_type]
    yield ",".join(columns)
    rate = f"{rate_bp / 100:.2f}%"
    for row in rows:
        cells = _cells(row, rate)
        yield ",".join([f"`{cells[column]}" for column in columns])
    yield ",".join(TOTALS[bill_type])
    totals = _totals(rows)
    yield ",".join(f"`{totals[column]}" for column in TOTALS[bill_type])


def yuan(fen: int) -> str:
    """`-12.05`"""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02}"


def moment(moment_ms: int) -> str:
    """`2022-03-21 13:51:31` in China time."""
    return china_second(moment_ms // 1000).isoformat(" ")[:19]


def escape(text: str) -> str:
    """Merchant text cannot break a line or a column: a comma becomes backslash and space, a newline backslash and n."""
    return text.translate(_SPECIAL)


def _position(row: Entry) -> tuple[int, str, str]:
    return row.moment_ms, row.order.out_trade_no, "" if row.refund is None else row.refund.out_refund_no


def _cells(row: Entry, rate: str) -> dict[str, str]:
    order, refund = row.order, row.refund
    settled = refund is not None and row.refund_state == "SUCCESS" and refund.settled_ms is not None
    return {
        "交易时间": moment(row.moment_ms),
        "公众账号ID": order.appid,
        "商户号": order.mchid,
        "特约商户号": "0",
        "设备号": "",
        "微信订单号": order.transaction_id or "",
        "商户订单号": order.out_trade_no,
        "用户标识": order.openid,
        "交易类型": "JSAPI",
        "交易状态": row.state,
        "付款银行": "OTHERS",
        "货币种类": "CNY",
        "应结订单金额": yuan(row.order_fen),
        "代金券金额": "0.00",
        "退款申请时间": "" if refund is None else moment(refund.created_ms),
        "退款成功时间": moment(refund.settled_ms or 0) if refund is not None and settled else "",
        "微信退款单号": "0" if refund is None else refund.refund_id,
        "商户退款单号": "0" if refund is None else refund.out_refund_no,
        "退款金额": yuan(row.refund_fen),
        "充值券退款金额": "0.00",
        "退款类型": "" if refund is None else refund.channel,
        "退款状态": row.refund_state,
        "商品名称": escape(order.description),
        "商户数据包": escape(order.attach or ""),
        "手续费": _fee(row.fee_fen),
        "费率": rate,
        "订单金额": yuan(row.order_fen),
        "申请退款金额": yuan(row.refund_fen),
        "费率备注": "",
    }


def _totals(rows: Sequence[Entry]) -> dict[str, str]:
    ordered_fen = yuan(sum(row.order_fen for row in rows))
    refunded_fen = yuan(sum(row.refund_fen for row in rows))
    return {
        "总交易单数": str(len(rows)),
        "应结订单总金额": ordered_fen,
        "退款总金额": refunded_fen,
        "充值券退款总金额": "0.00",
        "手续费总金额": _fee(sum(row.fee_fen for row in rows)),
        "订单总金额": ordered_fen,
        "申请退款总金额": refunded_fen,
    }


def _fee(fen: int) -> str:
    return f"{yuan(fen)}000"
