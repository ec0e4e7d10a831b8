"""The fund-flow bill: what moves the account, and that the balance always fits."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from engine.simulator.bills import fund_flow
from engine.simulator.bills.fund_flow import Movement, lines, movements
from engine.simulator.pay.orders import DAY_MS, Order
from engine.simulator.pay.refunds import Refund, RefundStatus
from tests.simulator.test_bills import DAY, PAID, REFUND

FLOW_NO = re.compile("`190000000120260301[0-9]{10},")


def flow(*orders: Order, refunds: Sequence[Refund] = (), day: date = DAY, rate_bp: int = 60) -> list[Movement]:
    return movements(orders, {"T00001": list(refunds)}, day=day, rate_bp=rate_bp)


def test_a_payment_comes_in_and_its_fee_goes_out() -> None:
    assert [(row.kind, row.signed_fen) for row in flow(PAID)] == [("交易", 12_345), ("扣除交易手续费", -74)]


def test_a_refund_goes_out_and_its_share_of_the_fee_comes_back() -> None:
    refunded = flow(PAID, refunds=[REFUND])[2:]
    assert [(row.kind, row.signed_fen) for row in refunded] == [("退款", -1000), ("退还交易手续费", 5)]


def test_a_closed_refund_comes_back_and_moves_no_fee() -> None:
    closed = replace(REFUND, status=RefundStatus.CLOSED)
    rows = flow(PAID, refunds=[closed])[2:]
    assert [(row.kind, row.signed_fen) for row in rows] == [("退款", -1000), ("退款关闭", 1000)]


def test_the_balance_goes_on_from_the_days_before() -> None:
    before = replace(PAID, out_trade_no="T00000", paid_ms=(PAID.paid_ms or 0) - DAY_MS)
    assert flow(before, PAID)[0].balance_fen == 12_345 - 74 + 12_345


def test_the_file_is_header_rows_and_totals() -> None:
    header, *rows, totals_header, totals = lines(flow(PAID, refunds=[replace(REFUND, reason="场次取消")]))
    assert header == (
        "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),"
        "资金变更提交申请人,备注,业务凭证号"
    )
    assert [FLOW_NO.sub("", row) for row in rows[1:]] == [
        "`2026-03-01 12:00:00,`4200000000,`交易,`扣除交易手续费,`支出,`0.74,`122.71,`system,`,`T00001",
        "`2026-03-01 12:00:05,`5000000000,`退款,`退款,`支出,`10.00,`112.71,`system,`场次取消,`R1",
        "`2026-03-01 12:00:05,`5000000000,`交易,`退还交易手续费,`收入,`0.05,`112.76,`system,`场次取消,`R1",
    ]
    assert totals_header == "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
    assert totals == "`4,`2,`123.50,`2,`10.74"
    assert len(fund_flow.COLUMNS) == 11


@given(st.lists(st.integers(1, 10**6), max_size=8), st.integers(0, 1000))
def test_an_order_refunded_whole_leaves_the_account_as_it_was(prices: list[int], rate_bp: int) -> None:
    orders = [replace(PAID, out_trade_no=f"T{n}", total_fen=fen) for n, fen in enumerate(prices)]
    refunds = {
        order.out_trade_no: [replace(REFUND, out_trade_no=order.out_trade_no, refund_fen=order.total_fen)]
        for order in orders
    }
    rows = movements(orders, refunds, day=DAY, rate_bp=rate_bp)
    assert sum(row.signed_fen for row in rows) == 0
    assert not rows or rows[-1].balance_fen == 0
