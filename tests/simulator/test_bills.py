"""The trade bill: which row stands in which day, what every column says, and that the totals are the rows."""

import csv
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.simulator.bills import lines as bill_lines
from engine.simulator.bills import trade
from engine.simulator.bills.days import day_of, day_starts_ms, months_before
from engine.simulator.bills.lines import escape, lines
from engine.simulator.bills.trade import BillType, Entry, entries, fee_fen
from engine.simulator.pay.orders import DAY_MS, Order, TradeState
from engine.simulator.pay.refunds import Refund, RefundStatus

DAY = date(2026, 3, 1)
NOON_MS = day_starts_ms(DAY) + DAY_MS // 2
PAID = Order(
    mchid="1900000001",
    appid="wx1",
    out_trade_no="T00001",
    openid="o" * 28,
    total_fen=12_345,
    attach=None,
    notify_url="https://shop.example/notify",
    terms="a",
    created_ms=NOON_MS,
    expires_ms=NOON_MS + 1,
    prepay_id="wx1",
    prepay_ms=NOON_MS,
    state=TradeState.SUCCESS,
    transaction_id="4200000000",
    paid_ms=NOON_MS,
    description="音乐节 两日票",
)
REFUND = Refund(
    mchid="1900000001",
    out_refund_no="R1",
    refund_id="5000000000",
    out_trade_no="T00001",
    transaction_id="4200000000",
    refund_fen=1_000,
    total_fen=12_345,
    notify_url=None,
    terms="a",
    created_ms=NOON_MS + 5_000,
    status=RefundStatus.SUCCESS,
    settled_ms=NOON_MS + 9_000,
)
ALL_HEADER = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,"
    "代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)


def rows(
    *orders: Order,
    refunds: tuple[Refund, ...] = (),
    bill_type: BillType = BillType.ALL,
    cut_ms: int = NOON_MS + DAY_MS,
    day: date = DAY,
) -> list[Entry]:
    return entries(orders, {"T00001": list(refunds)}, bill_type, day=day, cut_ms=cut_ms, rate_bp=60)


def read(written: list[str]) -> tuple[list[dict[str, str]], dict[str, str]]:
    """The rows and the totals of a bill by column, read as a merchant reads them: by the header's names."""
    table = list(csv.reader(written))
    cells = [[cell.removeprefix("`") for cell in line] for line in table]
    return (
        [dict(zip(cells[0], line, strict=True)) for line in cells[1:-2]],
        dict(zip(cells[-2], cells[-1], strict=True)),
    )


def test_the_bill_of_everything_has_its_27_columns() -> None:
    assert ",".join(bill_lines.COLUMNS[BillType.ALL]) == ALL_HEADER
    assert len(bill_lines.COLUMNS[BillType.ALL]) == 27


def test_the_bill_of_payments_lacks_the_columns_of_refunds() -> None:
    columns = bill_lines.COLUMNS[BillType.SUCCESS]
    assert ",".join(columns[13:]) == "代金券金额,商品名称,商户数据包,手续费,费率,订单金额,费率备注"


def test_the_bill_of_refunds_has_their_two_moments_before_their_numbers() -> None:
    columns = bill_lines.COLUMNS[BillType.REFUND]
    assert ",".join(columns[13:18]) == "代金券金额,退款申请时间,退款成功时间,微信退款单号,商户退款单号"
    assert set(columns) == {*bill_lines.COLUMNS[BillType.ALL], "退款申请时间", "退款成功时间"}


def test_a_payment_is_one_row_of_backticked_values() -> None:
    written = list(lines(rows(PAID), BillType.ALL, rate_bp=60))
    assert written[1] == (
        f"`2026-03-01 12:00:00,`wx1,`1900000001,`0,`,`4200000000,`T00001,`{'o' * 28},`JSAPI,`SUCCESS,`OTHERS,`CNY,"
        "`123.45,`0.00,`0,`0,`0.00,`0.00,`,`,`音乐节 两日票,`,`0.74000,`0.60%,`123.45,`0.00,`"
    )


def test_totals_stand_in_the_last_two_lines() -> None:
    written = list(lines(rows(PAID, refunds=(REFUND,)), BillType.ALL, rate_bp=60))
    assert written[-2] == "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
    assert written[-1] == "`2,`123.45,`10.00,`0.00,`0.69000,`123.45,`10.00"


def test_a_refund_is_a_row_of_the_day_it_was_accepted() -> None:
    later = replace(REFUND, created_ms=NOON_MS + DAY_MS)
    assert [row.state for row in rows(PAID, refunds=(later,))] == ["SUCCESS"]
    assert [row.state for row in rows(PAID, refunds=(later,), day=date(2026, 3, 2))] == ["REFUND"]


@pytest.mark.parametrize(
    ("bill_type", "states"),
    [(BillType.ALL, ["SUCCESS", "REFUND"]), (BillType.SUCCESS, ["SUCCESS"]), (BillType.REFUND, ["REFUND"])],
)
def test_each_bill_holds_its_kind_of_rows(bill_type: BillType, states: list[str]) -> None:
    assert [row.state for row in rows(PAID, refunds=(REFUND,), bill_type=bill_type)] == states


def test_an_unpaid_order_is_in_no_bill() -> None:
    assert rows(replace(PAID, state=TradeState.CLOSED, transaction_id=None, paid_ms=None)) == []


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (RefundStatus.SUCCESS, "SUCCESS"),
        (RefundStatus.ABNORMAL, "CHANGE"),
        (RefundStatus.CLOSED, "FAIL"),
        (RefundStatus.PROCESSING, "PROCESSING"),
    ],
)
def test_the_bill_has_its_own_words_for_a_refund(status: RefundStatus, word: str) -> None:
    assert rows(PAID, refunds=(replace(REFUND, status=status),))[1].refund_state == word


def test_what_a_refund_became_after_the_bill_was_cut_is_not_seen() -> None:
    assert rows(PAID, refunds=(REFUND,), cut_ms=NOON_MS + 8_000)[1].refund_state == "PROCESSING"


def test_the_bill_of_refunds_tells_when_each_was_asked_for_and_done() -> None:
    found, _ = read(list(lines(rows(PAID, refunds=(REFUND,), bill_type=BillType.REFUND), BillType.REFUND, rate_bp=60)))
    assert (found[0]["退款申请时间"], found[0]["退款成功时间"]) == ("2026-03-01 12:00:05", "2026-03-01 12:00:09")


def test_the_day_begins_at_midnight_in_china() -> None:
    midnight_ms = 1_772_294_400_000  # 2026-02-28T16:00:00Z
    assert (day_of(midnight_ms - 1), day_of(midnight_ms)) == (date(2026, 2, 28), DAY)


@pytest.mark.parametrize(
    ("day", "before"),
    [(date(2026, 5, 31), date(2026, 2, 28)), (date(2026, 2, 3), date(2025, 11, 3))],
)
def test_three_months_back_is_the_same_day_or_the_last_of_a_shorter_month(day: date, before: date) -> None:
    assert months_before(day, 3) == before


@pytest.mark.parametrize(("fen", "fee"), [(1, 0), (83, 0), (84, 1), (10_000, 60), (12_345, 74)])
def test_the_fee_is_rounded_half_up_to_the_fen(fen: int, fee: int) -> None:
    assert fee_fen(fen, 60) == fee


@given(st.text(max_size=40))
def test_no_merchant_text_breaks_a_row(text: str) -> None:
    written = list(lines(rows(replace(PAID, description=text, attach=text)), BillType.ALL, rate_bp=60))
    assert written[1].count(",") == 26
    assert "\n" not in written[1]
    assert "\r" not in written[1]


def test_a_comma_becomes_backslash_and_space() -> None:
    assert escape("a,b\nc") == "a\\ b\\nc"


amounts = st.lists(st.integers(1, 400), min_size=1, max_size=12)


@given(amounts, st.integers(0, 1000))
def test_fees_given_back_add_up_to_the_fee_when_all_is_refunded(parts: list[int], rate_bp: int) -> None:
    order = replace(PAID, total_fen=sum(parts))
    refunds = [replace(REFUND, out_refund_no=f"R{n}", refund_fen=part) for n, part in enumerate(parts)]
    shares = trade.fees_returned(order, refunds, rate_bp)
    assert sum(shares.values()) == fee_fen(order.total_fen, rate_bp)
    assert all(share >= 0 for share in shares.values())


@given(st.lists(st.tuples(st.integers(1, 10**9), st.integers(0, 100)), max_size=8))
def test_totals_are_the_sum_of_the_rows(sales: list[tuple[int, int]]) -> None:
    orders = [replace(PAID, out_trade_no=f"T{n:05}", total_fen=fen) for n, (fen, _) in enumerate(sales)]
    refunds = {
        f"T{n:05}": [replace(REFUND, out_trade_no=f"T{n:05}", refund_fen=fen * share // 100, total_fen=fen)]
        for n, (fen, share) in enumerate(sales)
        if fen * share // 100
    }
    found = entries(orders, refunds, BillType.ALL, day=DAY, cut_ms=NOON_MS + DAY_MS, rate_bp=60)
    told, totals = read(list(lines(found, BillType.ALL, rate_bp=60)))
    assert int(totals["总交易单数"]) == len(told)
    for total, column in [("订单总金额", "订单金额"), ("申请退款总金额", "申请退款金额"), ("手续费总金额", "手续费")]:
        cells = [round(float(row[column]) * 100) for row in told]
        assert round(float(totals[total]) * 100) == sum(cells)
