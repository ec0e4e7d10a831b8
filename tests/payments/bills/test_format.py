"""Reading bills: by column name, exactly, and never past a bill that contradicts itself."""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.payments.bills.days import CHINA
from engine.payments.bills.format import BillUnreadable, fen_of, millifen_of, read_fund_flow, read_trade_bill
from engine.payments.bills.records import BilledPayment, BilledRefund, BilledRow
from tests.payments.bills.writer import (
    FLOW_COLUMNS,
    REFUND_COLUMNS,
    TRADE_COLUMNS,
    Row,
    flow_bill,
    movement,
    payment,
    refund,
    trade_bill,
)

ORDER = "0123456789abcdef0123456789abcdef"
FROM = datetime.fromisoformat("2020-01-01")
SAMPLES = Path(__file__).parents[1] / "samples" / "bills"


def trade(text: str) -> list[BilledRow]:
    return list(read_trade_bill(text.splitlines(keepends=True)))


def test_a_payment_is_read_by_the_names_of_its_columns() -> None:
    [row] = trade(trade_bill([payment(ORDER, fee="4.08000")]))
    assert row == BilledPayment(
        moment=datetime(2026, 11, 20, 12, tzinfo=CHINA),
        appid="wx5a1e000000000001",
        mchid="1900000777",
        transaction_id="4200000001",
        order_no=ORDER,
        state="SUCCESS",
        total_fen=68000,
        settled_fen=68000,
        fee_millifen=408_000,
    )


def test_a_refund_is_told_from_a_payment_and_has_the_sum_that_was_asked_for() -> None:
    changed = {**refund(ORDER, "R1", fen=500), "退款金额": "4.50"}
    [row] = trade(trade_bill([changed]))
    assert isinstance(row, BilledRefund)
    assert (row.out_refund_no, row.refund_id, row.refund_fen, row.settled_fen) == ("R1", "5000000001", 500, 450)


def test_a_bill_of_payments_alone_needs_no_columns_of_refunds() -> None:
    columns = [name for name in TRADE_COLUMNS if name not in REFUND_COLUMNS]
    assert len(trade(trade_bill([payment(ORDER)], columns=columns))) == 1


def test_an_older_bill_without_the_sum_asked_for_gives_the_sum_refunded() -> None:
    columns = [name for name in TRADE_COLUMNS if name != "申请退款金额"]
    [row] = trade(trade_bill([refund(ORDER, "R1", fen=700)], columns=columns))
    assert isinstance(row, BilledRefund)
    assert row.refund_fen == 700


payments = st.builds(
    payment,
    st.text("0123456789abcdef", min_size=32, max_size=32),
    transaction_id=st.text("0123456789", min_size=28, max_size=28),
    fen=st.integers(0, 10**12),
    at=st.datetimes(FROM, datetime.fromisoformat("2040-01-01")).map(lambda moment: f"{moment:%Y-%m-%d %H:%M:%S}"),
    fee=st.integers(0, 10**7).map(lambda amount: f"{amount // 100_000}.{amount % 100_000:05}"),
    name=st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\r,`"), max_size=30),
)


@given(
    rows=st.lists(payments, max_size=6),
    columns=st.permutations([*TRADE_COLUMNS, "将来的列"]),
    end=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
)
def test_whatever_is_written_is_read_in_any_order_of_columns(
    rows: Sequence[Row], columns: Sequence[str], end: str, bom: bool
) -> None:
    # As a file is read: line ends are \n, with or without \r before it, and nothing else.
    text = trade_bill(rows, columns=columns, end=end, bom=bom)
    lines = [line + "\n" for line in text.split("\n")[:-1]]
    found = [
        (row.order_no, row.transaction_id, row.total_fen, f"{row.moment:%Y-%m-%d %H:%M:%S}", row.fee_millifen)
        for row in read_trade_bill(lines)
        if isinstance(row, BilledPayment)
    ]
    assert found == [
        (
            row["商户订单号"],
            row["微信订单号"],
            int(Decimal(row["订单金额"]) * 100),
            row["交易时间"],
            int(Decimal(row["手续费"]) * 100_000),
        )
        for row in rows
    ]


@given(st.integers(-(10**14), 10**14))
def test_an_amount_in_yuan_is_read_to_the_fen(fen: int) -> None:
    sign = "-" if fen < 0 else ""
    assert fen_of(f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02}") == fen


@given(st.text(max_size=12))
def test_what_is_no_amount_is_refused_and_never_guessed(text: str) -> None:
    digits = text.removeprefix("-").replace(".", "", 1)
    if text and not (digits.isascii() and digits.isdigit()):
        with pytest.raises(BillUnreadable):
            millifen_of(text)


@pytest.mark.parametrize("text", ["1e3", "NaN", "1_000.00", "１.00", "1.", "+1.00", " 1.00", "1,000.00", ".5", "0x1"])
def test_what_python_takes_for_a_number_is_not_therefore_an_amount(text: str) -> None:
    with pytest.raises(BillUnreadable):
        millifen_of(text)


def test_a_part_of_a_fen_is_no_amount_of_money() -> None:
    with pytest.raises(BillUnreadable, match="whole number of fen"):
        fen_of("1.005")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda rows: trade_bill(rows, totals={"总交易单数": "3"}), "总交易单数 says 3"),
        (lambda rows: trade_bill(rows, totals={"订单总金额": "1360.01"}), "订单总金额 says 1360.01"),
        (lambda rows: trade_bill(rows, totals={"手续费总金额": "0.00001"}), "手续费总金额"),
        (lambda rows: trade_bill(rows, totals={"申请退款总金额": "1.00"}), "申请退款总金额"),
        (lambda rows: trade_bill(rows, columns=[name for name in TRADE_COLUMNS if name != "微信订单号"]), "微信订单号"),
        (lambda rows: trade_bill(rows, columns=[*TRADE_COLUMNS, "费率"]), "same name"),
        (lambda rows: trade_bill(rows).rsplit("\n", 2)[0] + "\n", "breaks off"),
        (lambda rows: trade_bill(rows).splitlines()[0], "breaks off"),
        (lambda rows: "", "breaks off"),
        (lambda rows: trade_bill(rows) + "`1\n", "after the totals"),
        (lambda rows: trade_bill([{**rows[0], "交易时间": "2026-11-31 00:00:00"}]), "line 2: not a time"),
        (lambda rows: trade_bill(rows).replace("`JSAPI,", "", 1), "line 2 has 26 values"),
    ],
)
def test_a_bill_that_contradicts_itself_is_refused_with_the_place(
    spoil: Callable[[Sequence[Row]], str], reason: str
) -> None:
    rows = [payment(ORDER), payment(secrets.token_hex(16), transaction_id="4200000002")]
    with pytest.raises(BillUnreadable, match=reason):
        trade(spoil(rows))


@given(st.binary(max_size=200))
def test_bytes_that_are_no_bill_are_refused(raw: bytes) -> None:
    with pytest.raises(BillUnreadable):
        trade(raw.decode("latin-1"))


def test_movements_are_signed_by_their_direction() -> None:
    text = flow_bill([movement("42", 68000, voucher=ORDER), movement("42", -408, voucher=ORDER, business="扣除手续费")])
    moved = list(read_fund_flow(text.splitlines()))
    assert [(each.business_no, each.amount_fen, each.voucher) for each in moved] == [
        ("42", 68000, ORDER),
        ("42", -408, ORDER),
    ]


@pytest.mark.parametrize("total", ["资金流水总笔数", "收入笔数", "收入金额", "支出笔数", "支出金额"])
def test_a_fund_flow_bill_whose_totals_disagree_is_refused(total: str) -> None:
    text = flow_bill([movement("42", 68000, voucher=ORDER)], totals={total: "7"})
    with pytest.raises(BillUnreadable, match=total):
        list(read_fund_flow(text.splitlines()))


def test_a_movement_that_is_neither_income_nor_outgo_is_refused() -> None:
    text = flow_bill([movement("42", 68000, voucher=ORDER)]).replace("`收入,", "`其他,")
    with pytest.raises(BillUnreadable, match="neither income nor outgo"):
        list(read_fund_flow(text.splitlines()))


def test_the_columns_of_the_documents_are_the_ones_needed() -> None:
    assert len(TRADE_COLUMNS) == 27
    assert len(FLOW_COLUMNS) == 11


def test_the_recorded_trade_bill_is_read_whole() -> None:
    rows = trade((SAMPLES / "trade_all.csv").read_text(encoding="utf-8"))
    assert [(type(row).__name__, row.order_no[:2]) for row in rows] == [
        ("BilledPayment", "T2"),
        ("BilledPayment", "01"),
        ("BilledRefund", "01"),
    ]


def test_the_recorded_fund_flow_bill_is_read_whole() -> None:
    moved = list(read_fund_flow((SAMPLES / "fund_flow_basic.csv").read_text(encoding="utf-8").splitlines()))
    assert sum(each.amount_fen for each in moved) == 68000 - 408 - 34000 + 204 + 1
