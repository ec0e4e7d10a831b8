"""A merchant's day on the real ledger: what agrees, what midnight explains, and what is really missing."""

import os
import secrets
from datetime import timedelta
from pathlib import Path

import pytest

from engine.payments.bills.format import BillUnreadable
from engine.payments.bills.outcome import DayResult, NotReconciled, Outcome, Why
from engine.payments.bills.reconciler import Reconciler
from engine.payments.bills.records import Kind, Subject
from engine.payments.bills.source import BillType
from tests.payments.bills.conftest import AFTER, BEFORE, DAY, TODAY, BillDesk, Books, at, moment
from tests.payments.bills.writer import movement, payment, refund
from tests.payments.wechat.platform import MCHID

ORDER = "0123456789abcdef0123456789abcdef"
TRANSACTION = "4200000001"
LATE = "23:59:58"


def result(outcome: Outcome) -> DayResult:
    assert isinstance(outcome, DayResult), outcome
    return outcome


def found(outcome: Outcome) -> list[tuple[Subject, Kind]]:
    return [(each.subject, each.kind) for each in result(outcome).differences]


async def test_a_day_that_agrees_has_counts_and_no_differences(
    desk: BillDesk, books: Books, reconciler: Reconciler
) -> None:
    await books.paid(ORDER, TRANSACTION, moment(DAY), state="refunded")
    await books.refund(ORDER, "R1", moment(DAY, "13:00:00"))
    desk.has(DAY, [payment(ORDER, at=at(DAY)), refund(ORDER, "R1", at=at(DAY))])
    outcome = result(await reconciler.reconcile(MCHID, DAY))
    assert found(outcome) == []
    assert (outcome.payments.count, outcome.refunds.fen) == (1, 68000)


async def test_no_bill_stays_behind(desk: BillDesk, books: Books, reconciler: Reconciler, folder: Path) -> None:
    await books.paid(ORDER, TRANSACTION, moment(DAY))
    for day in (BEFORE, DAY, AFTER):
        desk.has(day, [payment(secrets.token_hex(16), transaction_id=f"{day}", at=at(day))])
    await reconciler.reconcile(MCHID, DAY)
    assert os.listdir(folder) == []


async def test_no_bill_stays_behind_when_it_cannot_be_read(
    desk: BillDesk, reconciler: Reconciler, folder: Path
) -> None:
    desk.has(DAY, [payment(ORDER)], totals={"总交易单数": "2"})
    with pytest.raises(BillUnreadable):
        await reconciler.reconcile(MCHID, DAY)
    assert os.listdir(folder) == []


async def test_a_bill_of_another_merchant_is_refused(desk: BillDesk, reconciler: Reconciler) -> None:
    desk.has(DAY, [payment(ORDER, mchid="1900000778")])
    with pytest.raises(BillUnreadable, match="1900000778"):
        await reconciler.reconcile(MCHID, DAY)


async def test_a_thousand_rows_over_many_pages_are_all_compared(
    desk: BillDesk, books: Books, reconciler: Reconciler
) -> None:
    numbers = [(secrets.token_hex(16), f"42{number:08}") for number in range(1100)]
    await books.sql(
        "insert into orders (order_no, sale_id, buyer, request_id, body_digest, state, amount_fen, deadline)"
        " select n, 'spring', decode(repeat('00', 16), 'hex'), decode(n, 'hex'), decode(n, 'hex'), 'paid', 68000, now()"
        " from unnest($1::text[]) n",
        [order_no for order_no, _ in numbers],
    )
    await books.sql(
        "insert into payments (transaction_id, order_no, sale_id, mchid, total_fen, success_at, learned_by)"
        " select t, n, 'spring', $3, 68000, $4, 'notify' from unnest($1::text[], $2::text[]) as u (n, t)",
        [order_no for order_no, _ in numbers],
        [transaction_id for _, transaction_id in numbers],
        MCHID,
        moment(DAY),
    )
    rows = [payment(order_no, transaction_id=number, at=at(DAY)) for order_no, number in numbers]
    desk.has(DAY, [*rows[:700], *rows[701:]])
    outcome = result(await reconciler.reconcile(MCHID, DAY))
    assert [(each.kind, each.order_no) for each in outcome.differences] == [(Kind.MISSING_THERE, numbers[700][0])]
    assert outcome.payments.count == 1099


async def test_a_payment_that_no_bill_around_its_day_has_is_missing_there(books: Books, reconciler: Reconciler) -> None:
    await books.paid(ORDER, TRANSACTION, moment(DAY))
    outcome = result(await reconciler.reconcile(MCHID, DAY))
    assert found(outcome) == [(Subject.PAYMENT, Kind.MISSING_THERE)]
    assert outcome.looked_at == {BEFORE, AFTER}


async def test_a_payment_near_midnight_is_found_in_the_next_days_bill(
    desk: BillDesk, books: Books, reconciler: Reconciler
) -> None:
    await books.paid(ORDER, TRANSACTION, moment(DAY, LATE))
    desk.has(AFTER, [payment(ORDER, at=at(AFTER, "00:00:00"))])
    outcome = result(await reconciler.reconcile(MCHID, DAY))
    assert (found(outcome), outcome.elsewhere) == ([], 1)


async def test_a_refund_sent_after_midnight_by_our_clock_is_found_in_the_bill_before(
    desk: BillDesk, books: Books, reconciler: Reconciler
) -> None:
    await books.paid(ORDER, TRANSACTION, moment(BEFORE), state="refunded")
    await books.refund(ORDER, "R1", moment(DAY, "00:00:01"))
    desk.has(BEFORE, [payment(ORDER, at=at(BEFORE)), refund(ORDER, "R1", at=at(BEFORE, LATE))])
    outcome = result(await reconciler.reconcile(MCHID, DAY))
    assert (found(outcome), outcome.elsewhere) == ([], 1)


async def test_the_bill_before_has_no_trouble_with_a_record_of_the_day_after(
    desk: BillDesk, books: Books, reconciler: Reconciler
) -> None:
    await books.paid(ORDER, TRANSACTION, moment(AFTER, "00:00:01"))
    desk.has(DAY, [payment(ORDER, at=at(DAY, LATE))])
    assert found(await reconciler.reconcile(MCHID, DAY)) == []


@pytest.mark.parametrize(("clock", "waiting", "differences"), [(LATE, 1, 0), ("12:00:00", 0, 1)])
async def test_only_what_is_near_midnight_waits_for_a_bill_that_is_not_there(
    desk: BillDesk, books: Books, reconciler: Reconciler, clock: str, waiting: int, differences: int
) -> None:
    yesterday = TODAY - timedelta(days=1)
    await books.paid(ORDER, TRANSACTION, moment(yesterday, clock))
    outcome = result(await reconciler.reconcile(MCHID, yesterday))
    assert (outcome.waiting, len(outcome.differences)) == (waiting, differences)


@pytest.mark.parametrize("state", ["intended", "closed"])
async def test_a_refund_that_wechat_need_not_know_is_not_missing(
    books: Books, reconciler: Reconciler, state: str
) -> None:
    await books.refund(ORDER, "R1", moment(DAY), state=state)
    assert found(await reconciler.reconcile(MCHID, DAY)) == []


async def test_a_payment_of_no_order_that_was_refunded_is_right(
    desk: BillDesk, books: Books, reconciler: Reconciler
) -> None:
    await books.payment(ORDER, TRANSACTION, moment(DAY))
    await books.refund(ORDER, f"R{ORDER}", moment(DAY), state="processing")
    desk.has(DAY, [payment(ORDER, at=at(DAY)), refund(ORDER, f"R{ORDER}", at=at(DAY), state="PROCESSING")])
    assert found(await reconciler.reconcile(MCHID, DAY)) == []


async def test_a_day_whose_bill_is_in_the_making_is_for_later(desk: BillDesk, reconciler: Reconciler) -> None:
    desk.not_ready.add(DAY)
    outcome = await reconciler.reconcile(MCHID, DAY)
    assert isinstance(outcome, NotReconciled)
    assert outcome.why is Why.NOT_READY


async def test_a_day_whose_bill_is_refused_is_not_compared(desk: BillDesk, with_funds: Reconciler) -> None:
    desk.refusing[BillType.FUND_FLOW] = "NO_AUTH"
    outcome = await with_funds.reconcile(MCHID, DAY)
    assert isinstance(outcome, NotReconciled)
    assert outcome.why is Why.REFUSED
    assert "fund-flow" in outcome.reason


async def test_a_payment_and_its_fee_in_the_account_agree(desk: BillDesk, books: Books, with_funds: Reconciler) -> None:
    await books.paid(ORDER, TRANSACTION, moment(DAY))
    booked = [movement(TRANSACTION, 68000, voucher=ORDER), movement(TRANSACTION, -408, voucher=ORDER)]
    desk.has(DAY, [payment(ORDER, at=at(DAY), fee="4.08000")], booked)
    outcome = result(await with_funds.reconcile(MCHID, DAY))
    assert found(outcome) == []
    assert outcome.funds is not None
    assert (outcome.funds.billed_fen, outcome.funds.moved_fen) == (67592, 67592)


async def test_money_that_was_booked_after_midnight_is_found_in_the_next_days_account(
    desk: BillDesk, books: Books, with_funds: Reconciler
) -> None:
    await books.paid(ORDER, TRANSACTION, moment(DAY, LATE))
    desk.has(DAY, [payment(ORDER, at=at(DAY, LATE))], [])
    desk.has(AFTER, [], [movement(TRANSACTION, 68000, voucher=ORDER, at=at(AFTER, "00:00:02"))])
    outcome = result(await with_funds.reconcile(MCHID, DAY))
    assert (found(outcome), outcome.elsewhere) == ([], 1)


async def test_a_movement_whose_row_stands_in_the_bill_before_is_explained_by_it(
    desk: BillDesk, books: Books, with_funds: Reconciler
) -> None:
    await books.paid(ORDER, TRANSACTION, moment(BEFORE, LATE))
    desk.has(BEFORE, [payment(ORDER, at=at(BEFORE, LATE))], [])
    desk.has(DAY, [], [movement(TRANSACTION, 68000, voucher=ORDER, at=at(DAY, "00:00:02"))])
    outcome = result(await with_funds.reconcile(MCHID, DAY))
    assert (found(outcome), outcome.elsewhere) == ([], 1)


async def test_money_that_was_never_booked_is_missing_in_the_account(
    desk: BillDesk, books: Books, with_funds: Reconciler
) -> None:
    await books.paid(ORDER, TRANSACTION, moment(DAY))
    desk.has(DAY, [payment(ORDER, at=at(DAY))], [])
    assert found(await with_funds.reconcile(MCHID, DAY)) == [(Subject.FUNDS, Kind.MISSING_THERE)]
