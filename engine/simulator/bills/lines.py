"""How a bill is written: columns and totals of each kind, and the spelling of money, moments and merchant text. Pure.

Every value is prefixed with a backtick, money is yuan with two decimals, the fee has five because WeChat writes it
so, though it is rounded to the fen.
"""

from collections.abc import Iterator, Mapping, Sequence

from engine.simulator.bills.trade import BillType, Entry
from engine.simulator.pay.shapes import china_second

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
_SPECIAL = str.maketrans({",": "\\ ", "\n": "\\n", "\r": "\\r"})


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
