"""The journal: what was recorded is there again, a torn tail is dropped, a damaged middle is not ignored."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.simulator import notices
from engine.simulator.ledger import Ledger, LedgerError
from engine.simulator.orders import Order, TradeState
from engine.simulator.refunds import Refund, RefundStatus

NOW_MS = 1_700_000_000_000
ORDER = Order(
    mchid="1900000001",
    appid="wx1",
    out_trade_no="T00001",
    openid="o" * 28,
    total_fen=100,
    attach="附",
    notify_url="https://shop.example/notify",
    terms="a",
    created_ms=NOW_MS,
    expires_ms=NOW_MS + 60_000,
    prepay_id="wx1",
    prepay_ms=NOW_MS,
)
PAID = replace(ORDER, state=TradeState.SUCCESS, transaction_id="42", paid_ms=NOW_MS)
REFUND = Refund(
    mchid="1900000001",
    out_refund_no="R1",
    refund_id="50",
    out_trade_no="T00001",
    transaction_id="42",
    refund_fen=100,
    total_fen=100,
    notify_url=None,
    terms="a",
    created_ms=NOW_MS,
    status=RefundStatus.PROCESSING,
)
NOTICE = notices.paid(PAID, notice_id="n1", now_ms=NOW_MS)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def fill(file: Path) -> None:
    ledger = Ledger(file)
    ledger.record(order=ORDER)
    ledger.record(order=PAID, notice=NOTICE)
    ledger.record(refund=REFUND)
    ledger.close()


def test_everything_recorded_is_there_after_a_restart(file: Path) -> None:
    fill(file)
    ledger = Ledger(file)
    assert ledger.order("1900000001", "T00001", now_ms=NOW_MS) == PAID
    assert ledger.order_of_prepay("wx1", now_ms=NOW_MS) == PAID
    assert ledger.order_of_transaction("1900000001", "42") == PAID
    assert ledger.refunds_of(PAID) == [REFUND]
    assert ledger.pending() == [NOTICE]
    ledger.close()


def test_a_delivered_notice_is_not_pending_after_a_restart(file: Path) -> None:
    fill(file)
    ledger = Ledger(file)
    ledger.record(delivered="n1")
    ledger.close()
    again = Ledger(file)
    assert again.pending() == []
    again.close()


def test_a_transaction_of_another_merchant_is_not_found(file: Path) -> None:
    fill(file)
    ledger = Ledger(file)
    assert ledger.order_of_transaction("1900000002", "42") is None
    ledger.close()


@pytest.mark.parametrize("torn", [b'{"order":{"mch', b"{", b'{"delivered":"n1"}'])
def test_a_last_line_cut_short_is_dropped_and_writing_goes_on(file: Path, torn: bytes) -> None:
    fill(file)
    whole = file.read_bytes()
    file.write_bytes(whole + torn)
    ledger = Ledger(file)
    assert ledger.pending() == [NOTICE]
    ledger.record(delivered="n1")
    ledger.close()
    assert file.read_bytes() == whole + b'{"delivered":"n1"}\n'


@pytest.mark.parametrize("damage", [b"x\n", b"[]\n", b'{"order":{}}\n', b'{"refund":{"status":"?"}}\n'])
def test_a_damaged_line_stops_the_start_and_is_named(file: Path, damage: bytes) -> None:
    fill(file)
    file.write_bytes(damage + file.read_bytes())
    with pytest.raises(LedgerError, match="line 1"):
        Ledger(file)


def test_a_second_process_may_not_hold_the_journal(file: Path) -> None:
    ledger = Ledger(file)
    with pytest.raises(LedgerError, match="another simulator"):
        Ledger(file)
    ledger.close()
