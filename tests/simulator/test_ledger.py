"""The journal: what was recorded is there again, a torn tail is dropped, a damaged middle is not ignored."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.simulator.office.journal import LedgerError
from engine.simulator.office.ledger import SUPERSEDED_LEAST, Ledger, Paper
from engine.simulator.pay import notices
from engine.simulator.pay.orders import Order, TradeState
from engine.simulator.pay.refunds import Refund, RefundStatus

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


def supersede(file: Path) -> None:
    """A journal of which far more than half is superseded."""
    ledger = Ledger(file)
    ledger.record(order=ORDER)
    for _ in range(SUPERSEDED_LEAST + 10):
        ledger.record(order=ORDER)
    ledger.record(order=PAID, notice=NOTICE)
    ledger.record(refund=REFUND)
    ledger.close()


def test_a_start_rewrites_a_journal_that_is_mostly_superseded(file: Path) -> None:
    supersede(file)
    Ledger(file).close()
    assert len(file.read_bytes().splitlines()) == 3


def test_a_rewritten_journal_tells_the_same(file: Path) -> None:
    supersede(file)
    before = Ledger(file)
    told = (list(before.orders()), list(before.refunds()), before.pending())
    before.close()
    after = Ledger(file)
    assert (list(after.orders()), list(after.refunds()), after.pending()) == told
    assert after.order_of_transaction(PAID.mchid, "42") == PAID


def test_a_rewritten_journal_grows_on(file: Path) -> None:
    supersede(file)
    ledger = Ledger(file)
    ledger.record(delivered=NOTICE.id)
    ledger.close()
    assert Ledger(file).pending() == []


def test_a_rewritten_journal_is_still_held_by_one(file: Path) -> None:
    supersede(file)
    held = Ledger(file)
    with pytest.raises(LedgerError, match="another simulator"):
        Ledger(file)
    held.close()


def test_a_draft_left_by_a_crash_is_overwritten(file: Path) -> None:
    supersede(file)
    file.with_name(f".{file.name}.draft").write_bytes(b'{"order":')
    ledger = Ledger(file)
    assert list(ledger.orders()) == [PAID]


def test_a_small_journal_is_left_as_it_is(file: Path) -> None:
    fill(file)
    before = file.read_bytes()
    Ledger(file).close()
    assert file.read_bytes() == before


def test_a_cleared_ledger_is_empty_also_after_a_restart(file: Path) -> None:
    fill(file)
    ledger = Ledger(file)
    ledger.clear()
    ledger.record(order=ORDER)
    ledger.close()
    assert list(Ledger(file).orders()) == [ORDER]


def changes(number: int) -> dict[str, dict[str, Any]]:
    """What may happen to one order, by a name."""
    prepay_id = f"wx{number}"
    order = replace(ORDER, out_trade_no=f"T{number}", prepay_id=prepay_id)
    paid = replace(order, state=TradeState.SUCCESS, transaction_id=f"42{number}", paid_ms=NOW_MS)
    renewed = replace(order, prepay_id=f"wx{number}b", older_prepays=((prepay_id, NOW_MS),))
    return {
        f"place {number}": {"order": order},
        f"pay {number}": {"order": paid, "notice": replace(NOTICE, id=f"n{number}")},
        f"renew {number}": {"order": renewed},
        f"refund {number}": {"refund": replace(REFUND, out_refund_no=f"R{number}", out_trade_no=f"T{number}")},
        f"hear {number}": {"delivered": f"n{number}"},
        f"keep {number}": {"paper": Paper("shipping", f"{number}", {"sent": True})},
        f"drop {number}": {"paper": Paper("shipping", f"{number}", None)},
    }


CHANGES = {name: change for number in range(3) for name, change in changes(number).items()}


def told(ledger: Ledger) -> object:
    """Everything a ledger can be asked."""
    orders = list(ledger.orders())
    return (
        orders,
        list(ledger.refunds()),
        [ledger.refunds_of(order) for order in orders],
        ledger.pending(),
        dict(ledger.papers("shipping")),
        sorted(ledger._by_prepay),
    )


@given(names=st.lists(st.sampled_from(sorted(CHANGES)), max_size=30))
def test_after_any_changes_a_restart_and_a_rewritten_journal_tell_the_same(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "journal.jsonl"
        ledger = Ledger(file)
        for name in names:
            ledger.record(**CHANGES[name])
        before = told(ledger)
        ledger.close()
        restarted = Ledger(file)
        assert told(restarted) == before
        restarted._journal.rewrite(restarted._kept())
        restarted.close()
        rewritten = Ledger(file)
        assert told(rewritten) == before
        rewritten.close()
