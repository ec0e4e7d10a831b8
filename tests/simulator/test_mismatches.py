"""The lies a drill puts into bills: each alters its own row, and no other."""

import pytest

from engine.simulator.bills import mismatches
from engine.simulator.bills.fund_flow import Movement
from engine.simulator.bills.mismatches import Kind, Mismatch, falsify, falsify_movements, read
from engine.simulator.bills.trade import BillType, Entry
from tests.simulator.test_bills import PAID, REFUND, rows
from tests.simulator.test_fundflow import flow

ROWS = rows(PAID, refunds=(REFUND,), bill_type=BillType.ALL)


def lie(kind: Kind, number: str = "T00001") -> Mismatch:
    return Mismatch(kind, "1900000001", "wx1", number, PAID.paid_ms or 0)


def told(kind: Kind, number: str = "T00001") -> list[Entry]:
    return falsify(ROWS, [lie(kind, number)], rate_bp=60)


def moved(kind: Kind, number: str = "T00001") -> list[Movement]:
    return falsify_movements(flow(PAID, refunds=[REFUND]), [lie(kind, number)])


def test_a_missing_row_takes_no_other_with_it() -> None:
    assert told(Kind.MISSING_THERE) == [ROWS[1]]
    assert told(Kind.MISSING_THERE, "R1") == [ROWS[0]]


def test_a_duplicate_stands_there_twice() -> None:
    assert told(Kind.DUPLICATE) == [ROWS[0], ROWS[0], ROWS[1]]


def test_a_wrong_amount_is_one_fen_more() -> None:
    assert (told(Kind.AMOUNT)[0].order_fen, told(Kind.AMOUNT, "R1")[1].refund_fen) == (12_346, 1_001)


def test_a_wrong_state_says_revoked_or_failed() -> None:
    assert (told(Kind.STATE)[0].state, told(Kind.STATE, "R1")[1].refund_state) == ("REVOKED", "FAIL")


def test_an_invented_payment_has_every_mark_of_a_real_one() -> None:
    order = mismatches.stranger(lie(Kind.MISSING_HERE, "T77777"))
    assert [(row.order.out_trade_no, row.order_fen) for row in rows(order)] == [("T77777", 100)]
    assert len(order.transaction_id or "") == 28


def test_the_fund_flow_lies_about_the_same_number() -> None:
    assert [row.number for row in moved(Kind.MISSING_THERE)] == ["R1", "R1"]
    assert [row.signed_fen for row in moved(Kind.AMOUNT, "R1")][-2] == -1001
    assert len(moved(Kind.DUPLICATE, "R1")) == 6


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "other", "out_trade_no": "T00001"},
        {"kind": "amount"},
        {"kind": "amount", "out_trade_no": "T00001", "out_refund_no": "R1"},
        {"kind": "amount", "out_trade_no": "票"},
        {"kind": "missing_here", "out_refund_no": "R1"},
        {"kind": "missing_here", "out_trade_no": "T77777", "amount_fen": 0},
        {"kind": ["amount"], "out_trade_no": "T00001"},
    ],
)
def test_a_mismatch_that_makes_no_sense_is_explained(document: dict[str, object]) -> None:
    assert isinstance(read(document, mchid="1", appid="wx1", now_ms=0), str)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_mismatch_is_remembered_as_it_was(kind: Kind) -> None:
    assert mismatches.recall(lie(kind).document()) == lie(kind)
