"""One page of a bill against one page of the ledger: five classes, and what is none of our business."""

import secrets
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.payments.bills.advice import ADVICE, Language, advice
from engine.payments.bills.days import CHINA, DAYS_BACK_MAX, day_of, days_left, newest_ready, starts_at
from engine.payments.bills.flow import Flow
from engine.payments.bills.matching import REFUND_STATES, Ledger, Matching, near_midnight
from engine.payments.bills.records import (
    BilledPayment,
    BilledRefund,
    BilledRow,
    Difference,
    Kind,
    Movement,
    OurPayment,
    OurRefund,
    Subject,
)

APPID, MCHID = "wx5a1e000000000001", "1900000777"
NOON = datetime(2026, 11, 20, 12, tzinfo=CHINA)
ORDER = "0123456789abcdef0123456789abcdef"
AFTER = time(10)

PAID = BilledPayment(NOON, APPID, MCHID, "4200", ORDER, "SUCCESS", 68000, 68000, 408_000)
BACK = BilledRefund(NOON, APPID, MCHID, "4200", ORDER, "5000", "R1", "SUCCESS", 34000, 34000, -204_000)
OUR_PAID = OurPayment("4200", ORDER, MCHID, 68000, NOON, "paid")
OUR_BACK = OurRefund("R1", "5000", ORDER, "4200", MCHID, 34000, "success", NOON)


def compared(rows: list[BilledRow], *ours: OurPayment | OurRefund, orders: dict[str, str] | None = None) -> Matching:
    matching = Matching(APPID, MCHID)
    ledger = Ledger(
        {each.transaction_id: each for each in ours if isinstance(each, OurPayment)},
        {each.out_refund_no: each for each in ours if isinstance(each, OurRefund)},
        orders or {},
    )
    matching.compare(matching.ours(rows), ledger)
    return matching


def found(matching: Matching) -> list[tuple[Subject, Kind]]:
    return [(each.subject, each.kind) for each in matching.differences]


def test_rows_that_the_ledger_has_make_no_difference() -> None:
    matching = compared([PAID, BACK], OUR_PAID, OUR_BACK)
    assert found(matching) == []
    assert (matching.payments.count, matching.payments.fen, matching.refunds.fen) == (1, 68000, 34000)


@pytest.mark.parametrize(
    "row",
    [replace(PAID, appid="wxother"), replace(PAID, order_no="T2026"), replace(BACK, order_no=ORDER.upper())],
)
def test_rows_of_others_are_counted_and_left_alone(row: BilledRow) -> None:
    matching = compared([row])
    assert (found(matching), matching.foreign.count, matching.payments.count) == ([], 1, 0)


def test_a_payment_we_never_heard_of_is_missing_here_and_says_whether_the_order_is_ours() -> None:
    [known] = compared([PAID], orders={ORDER: "released"}).differences
    [unknown] = compared([PAID]).differences
    assert (known.kind, known.order_known, known.ours_state) == (Kind.MISSING_HERE, True, "released")
    assert (unknown.kind, unknown.order_known, unknown.theirs_fen) == (Kind.MISSING_HERE, False, 68000)


def test_a_payment_of_another_amount_is_told_with_both() -> None:
    [difference] = compared([replace(PAID, total_fen=68001)], OUR_PAID).differences
    assert (difference.kind, difference.ours_fen, difference.theirs_fen) == (Kind.AMOUNT, 68000, 68001)


@pytest.mark.parametrize(
    ("row", "ours"),
    [
        (replace(PAID, state="REVOKED"), OUR_PAID),
        (PAID, replace(OUR_PAID, order_state="closing")),
        (PAID, replace(OUR_PAID, order_state=None)),
        (PAID, replace(OUR_PAID, order_no="f" * 32)),
    ],
)
def test_a_payment_without_its_decision_is_a_difference_of_state(row: BilledPayment, ours: OurPayment) -> None:
    assert found(compared([row], ours)) == [(Subject.PAYMENT, Kind.STATE)]


def test_a_payment_of_no_order_that_goes_back_whole_is_right() -> None:
    assert found(compared([PAID], replace(OUR_PAID, order_state=None, refunds_fen=68000))) == []


@pytest.mark.parametrize("state", ["paid", "refunding", "refunded", "refund_failed"])
def test_a_payment_whose_order_went_on_is_right(state: str) -> None:
    assert found(compared([PAID], replace(OUR_PAID, order_state=state))) == []


def test_a_row_that_stands_there_twice_is_one_duplicate_and_no_second_payment() -> None:
    assert found(compared([PAID, PAID], OUR_PAID)) == [(Subject.PAYMENT, Kind.DUPLICATE)]


def test_an_order_paid_by_two_transactions_is_a_duplicate_though_both_are_known() -> None:
    second, ours = replace(PAID, transaction_id="4201"), replace(OUR_PAID, transaction_id="4201")
    assert found(compared([PAID, second], OUR_PAID, ours)) == [(Subject.PAYMENT, Kind.DUPLICATE)]


def test_a_duplicate_on_a_later_page_is_seen() -> None:
    matching = Matching(APPID, MCHID)
    for _ in range(2):
        matching.compare(matching.ours([BACK]), Ledger({}, {"R1": OUR_BACK}, {}))
    assert found(matching) == [(Subject.REFUND, Kind.DUPLICATE)]


def test_a_refund_made_by_hand_is_missing_here() -> None:
    assert found(compared([replace(BACK, out_refund_no="by-hand")], OUR_BACK)) == [(Subject.REFUND, Kind.MISSING_HERE)]


def test_a_refund_of_another_amount_is_a_difference() -> None:
    assert found(compared([replace(BACK, refund_fen=1)], OUR_BACK)) == [(Subject.REFUND, Kind.AMOUNT)]


@pytest.mark.parametrize("theirs", ["SUCCESS", "PROCESSING", "CHANGE", "FAIL", "SOMETHING"])
@pytest.mark.parametrize("ours", ["intended", "processing", "success", "abnormal", "closed"])
def test_a_refund_may_have_gone_on_since_the_bill_but_never_back(theirs: str, ours: str) -> None:
    # One line for every state of the bill: what ours may be.
    right = {
        "SUCCESS": "success",
        "PROCESSING": "processing success abnormal closed",
        "CHANGE": "abnormal success",
        "FAIL": "closed",
        "SOMETHING": "",
    }
    expected = [] if ours in right[theirs].split() else [(Subject.REFUND, Kind.STATE)]
    assert found(compared([replace(BACK, state=theirs)], replace(OUR_BACK, state=ours))) == expected


def test_what_the_bill_lacks_is_unseen() -> None:
    matching = compared([PAID], OUR_PAID)
    other = replace(OUR_PAID, transaction_id="4209")
    assert matching.unseen_payments([OUR_PAID, other]) == [other]
    assert matching.unseen_refunds([OUR_BACK]) == [OUR_BACK]


@given(
    st.lists(st.sampled_from(["same", "gone here", "gone there", "amount", "state", "twice"]), max_size=30),
)
def test_every_spoilt_row_is_one_difference_of_its_class_and_no_other(fates: list[str]) -> None:
    rows: list[BilledRow] = []
    ours: list[OurPayment] = []
    expected = []
    for number, fate in enumerate(fates):
        transaction_id, order_no = f"42{number:04}", secrets.token_hex(16)
        row = replace(PAID, transaction_id=transaction_id, order_no=order_no)
        mine = replace(OUR_PAID, transaction_id=transaction_id, order_no=order_no)
        match fate:
            case "gone here":
                rows, expected = [*rows, row], [*expected, Kind.MISSING_HERE]
            case "gone there":
                ours, expected = [*ours, mine], [*expected, Kind.MISSING_THERE]
            case "amount":
                rows, ours, expected = [*rows, replace(row, total_fen=1)], [*ours, mine], [*expected, Kind.AMOUNT]
            case "state":
                rows, ours, expected = [*rows, row], [*ours, replace(mine, order_state="held")], [*expected, Kind.STATE]
            case "twice":
                rows, ours, expected = [*rows, row, row], [*ours, mine], [*expected, Kind.DUPLICATE]
            case _:
                rows, ours = [*rows, row], [*ours, mine]
    matching = compared(rows, *ours)
    kinds = [each.kind for each in matching.differences] + [Kind.MISSING_THERE for _ in matching.unseen_payments(ours)]
    assert sorted(kinds) == sorted(expected)


def moved(number: str, fen: int, *, voucher: str = ORDER, at: datetime = NOON) -> Movement:
    return Movement(at, number, "交易", fen, voucher)


def flowed(rows: list[BilledRow], *movements: Movement) -> list[Difference]:
    flow = Flow(APPID)
    flow.bill(rows)
    flow.move(movements)
    return [account.difference(MCHID) for account in flow.disagreeing().values()]


def test_payment_less_fee_and_refund_less_returned_fee_agree_with_the_account() -> None:
    movements = [moved("4200", 68000), moved("4200", -408), moved("5000", -34000 + 204, voucher="R1")]
    assert flowed([PAID, BACK], *movements) == []


def test_a_fee_that_was_booked_wrong_is_a_difference_of_the_funds() -> None:
    [difference] = flowed([PAID], moved("4200", 68000), moved("4200", -409))
    assert (difference.kind, difference.ours_fen, difference.theirs_fen) == (Kind.AMOUNT, 67592, 67591)


def test_a_fee_with_a_part_of_a_fen_agrees_with_its_rounding() -> None:
    row = replace(PAID, total_fen=99, settled_fen=99, fee_millifen=594)
    assert flowed([row], moved("4200", 99), moved("4200", -1)) == []


def test_a_payment_that_never_reached_the_account_is_missing_there() -> None:
    [difference] = flowed([PAID])
    assert (difference.kind, difference.subject) == (Kind.MISSING_THERE, Subject.FUNDS)


def test_a_movement_that_no_row_explains_is_missing_here() -> None:
    [difference] = flowed([], moved("5009", -100, voucher=f"R{ORDER}-2"))
    assert (difference.kind, difference.order_no) == (Kind.MISSING_HERE, ORDER)


@pytest.mark.parametrize("voucher", ["", "withdrawal", "T20260101", "REF123"])
def test_movements_of_others_are_left_alone(voucher: str) -> None:
    assert flowed([], moved("77", 100, voucher=voucher)) == []


def test_movements_of_another_application_with_numbers_like_ours_are_left_alone() -> None:
    assert flowed([replace(PAID, appid="wxother")], moved("4200", 68000)) == []


@pytest.mark.parametrize("state", ["PROCESSING", "FAIL", "CHANGE"])
def test_a_refund_that_was_not_through_may_have_moved_nothing(state: str) -> None:
    assert flowed([replace(BACK, state=state)]) == []


def test_a_china_day_begins_at_sixteen_hundred_universal_time() -> None:
    assert starts_at(date(2026, 11, 20)) == datetime(2026, 11, 19, 16, tzinfo=UTC)
    assert day_of(datetime(2026, 11, 20, 16, tzinfo=UTC)) == date(2026, 11, 21)


def test_only_the_last_hour_of_a_day_may_be_in_the_next_bill() -> None:
    day = date(2026, 11, 20)
    assert near_midnight(starts_at(day) + timedelta(hours=23), day)
    assert not near_midnight(starts_at(day) + timedelta(hours=22, minutes=59), day)


def test_a_bill_is_ready_only_after_ten_in_china() -> None:
    before, after = (datetime(2026, 11, 21, 1, 59, tzinfo=UTC), datetime(2026, 11, 21, 2, 0, tzinfo=UTC))
    assert (newest_ready(before, AFTER), newest_ready(after, AFTER)) == (date(2026, 11, 19), date(2026, 11, 20))


@given(
    now=st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: NOON + timedelta(minutes=minutes)),
    age_days=st.integers(-5, 200),
    done=st.sets(st.integers(0, 120)),
)
def test_the_days_left_are_every_day_since_the_first_that_is_not_done(
    now: datetime, age_days: int, done: set[int]
) -> None:
    newest = newest_ready(now, AFTER)
    first = newest - timedelta(days=age_days)
    finished = {newest - timedelta(days=back) for back in done}
    left = list(days_left(now, after_time=AFTER, first_day=first, finished=finished))
    assert left == sorted(left, reverse=True)
    assert not finished & set(left)
    oldest = max(day_of(now) - timedelta(days=DAYS_BACK_MAX), min(first, newest))
    everything = {oldest + timedelta(days=ahead) for ahead in range((newest - oldest).days + 1)}
    assert set(left) | (finished & everything) == everything


def test_without_any_payment_only_the_newest_day_is_looked_at() -> None:
    now = datetime(2026, 11, 21, 3, tzinfo=UTC)
    assert list(days_left(now, after_time=AFTER, first_day=None, finished=())) == [date(2026, 11, 20)]


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("subject", list(Subject))
@pytest.mark.parametrize("kind", list(Kind))
def test_every_difference_says_what_to_do(language: Language, subject: Subject, kind: Kind) -> None:
    if (subject, kind) not in ADVICE:
        # An account has neither states nor duplicates: everything is in its sum.
        assert subject is Subject.FUNDS
        assert kind in (Kind.STATE, Kind.DUPLICATE)
        return
    difference = Difference(kind=kind, subject=subject, mchid=MCHID, moment=NOON, ours_state="paid")
    assert advice(difference, language)


def test_the_table_of_refund_states_knows_every_state_of_the_bill() -> None:
    assert set(REFUND_STATES) == {"SUCCESS", "PROCESSING", "FAIL", "CHANGE"}
