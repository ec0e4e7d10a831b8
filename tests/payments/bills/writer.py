"""WeChat's bills, written from the documents: it shares no line with the reader it tests.

A row is a mapping from column name to text; what a test leaves out has the value WeChat writes for nothing.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

APPID = "wx5a1e000000000001"
MCHID = "1900000777"

TRADE_HEADER = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,"
    "订单金额,申请退款金额,费率备注"
)
TRADE_COLUMNS = TRADE_HEADER.split(",")
REFUND_HEADER = "微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,申请退款金额"
REFUND_COLUMNS = frozenset(REFUND_HEADER.split(","))
TRADE_TOTALS = (
    ("应结订单总金额", "应结订单金额"),
    ("退款总金额", "退款金额"),
    ("充值券退款总金额", "充值券退款金额"),
    ("手续费总金额", "手续费"),
    ("订单总金额", "订单金额"),
    ("申请退款总金额", "申请退款金额"),
)
FLOW_HEADER = (
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,"
    "收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号"
)
FLOW_COLUMNS = FLOW_HEADER.split(",")
NOTHING = {
    "特约商户号": "0",
    "微信退款单号": "0",
    "商户退款单号": "0",
    "退款金额": "0.00",
    "充值券退款金额": "0.00",
    "代金券金额": "0.00",
    "手续费": "0.00000",
    "费率": "0.60%",
    "申请退款金额": "0.00",
    "订单金额": "0.00",
    "应结订单金额": "0.00",
    "交易类型": "JSAPI",
    "货币种类": "CNY",
}

Row = Mapping[str, str]


def yuan(fen: int) -> str:
    return f"{Decimal(fen) / 100:.2f}"


def payment(
    order_no: str,
    *,
    transaction_id: str = "4200000001",
    fen: int = 68000,
    at: str = "2026-11-20 12:00:00",
    appid: str = APPID,
    mchid: str = MCHID,
    state: str = "SUCCESS",
    fee: str = "0.00000",
    name: str = "票",
) -> Row:
    return {
        "交易时间": at,
        "公众账号ID": appid,
        "商户号": mchid,
        "微信订单号": transaction_id,
        "商户订单号": order_no,
        "用户标识": "oTestBuyer-000000000000000001",
        "交易状态": state,
        "应结订单金额": yuan(fen),
        "订单金额": yuan(fen),
        "手续费": fee,
        "商品名称": name,
    }


def refund(
    order_no: str,
    out_refund_no: str,
    *,
    transaction_id: str = "4200000001",
    refund_id: str = "5000000001",
    fen: int = 68000,
    at: str = "2026-11-20 13:00:00",
    state: str = "SUCCESS",
    fee: str = "0.00000",
) -> Row:
    return {
        "交易时间": at,
        "公众账号ID": APPID,
        "商户号": MCHID,
        "微信订单号": transaction_id,
        "商户订单号": order_no,
        "用户标识": "oTestBuyer-000000000000000001",
        "交易状态": "REFUND",
        "微信退款单号": refund_id,
        "商户退款单号": out_refund_no,
        "退款金额": yuan(fen),
        "申请退款金额": yuan(fen),
        "退款类型": "ORIGINAL",
        "退款状态": state,
        "手续费": fee,
    }


def movement(
    business_no: str, fen: int, *, voucher: str, at: str = "2026-11-20 12:00:00", business: str = "交易"
) -> Row:
    return {
        "记账时间": at,
        "微信支付业务单号": business_no,
        "资金流水单号": f"{business_no}1",
        "业务名称": business,
        "业务类型": business,
        "收支类型": "收入" if fen > 0 else "支出",
        "收支金额(元)": yuan(abs(fen)),
        "账户结余(元)": "0.00",
        "业务凭证号": voucher,
    }


def trade_bill(
    rows: Sequence[Row],
    *,
    columns: Sequence[str] = TRADE_COLUMNS,
    totals: Mapping[str, str] | None = None,
    end: str = "\n",
    bom: bool = False,
) -> str:
    """`totals` replace the right ones."""
    right = {"总交易单数": str(len(rows))}
    for total, column in TRADE_TOTALS:
        if column in columns:
            summed = sum((Decimal(row.get(column, NOTHING.get(column, "0"))) for row in rows), Decimal(0))
            right[total] = f"{summed:.5f}" if column == "手续费" else f"{summed:.2f}"
    return _file(rows, columns, right | dict(totals or {}), end=end, bom=bom)


def flow_bill(rows: Sequence[Row], *, totals: Mapping[str, str] | None = None) -> str:
    sides = {side: [row for row in rows if row["收支类型"] == side] for side in ("收入", "支出")}
    right = {"资金流水总笔数": str(len(rows))}
    for side, own in sides.items():
        right[f"{side}笔数"] = str(len(own))
        right[f"{side}金额"] = f"{sum((Decimal(row['收支金额(元)']) for row in own), Decimal(0)):.2f}"
    return _file(rows, FLOW_COLUMNS, right | dict(totals or {}), end="\n", bom=False)


def _file(rows: Sequence[Row], columns: Sequence[str], totals: Mapping[str, str], *, end: str, bom: bool) -> str:
    lines = [",".join(columns)]
    lines += [",".join("`" + _escaped(row.get(name, NOTHING.get(name, ""))) for name in columns) for row in rows]
    lines += [",".join(totals), ",".join("`" + text for text in totals.values())]
    return ("\ufeff" if bom else "") + end.join(lines) + end


def _escaped(text: str) -> str:
    return text.replace(",", "\\ ").replace("\n", "\\n").replace("\r", "\\r")
