"""What a person and a program are told."""

import csv
import io
from datetime import UTC, date, datetime

import pytest

from engine.cli.reconcile import chosen_day
from engine.cli.terminal import Stop
from engine.payments.bills.advice import Language
from engine.payments.bills.days import CHINA
from engine.payments.bills.matching import Sum
from engine.payments.bills.outcome import DayResult, FundsResult, NotReconciled, Outcome, Why
from engine.payments.bills.records import Difference, Kind, Subject
from engine.payments.bills.report import COLUMNS, as_json, to_csv, verdict
from engine.payments.bills.summary import DIFFERENCES_SHOWN_MAX, lines

DAY = date(2026, 11, 20)
MCHID = "1900000777"
BY_HAND = Difference(
    kind=Kind.MISSING_HERE,
    subject=Subject.REFUND,
    mchid=MCHID,
    moment=datetime(2026, 11, 20, 12, tzinfo=CHINA),
    order_no="0123456789abcdef0123456789abcdef",
    transaction_id="4200000008202611203733500001",
    out_refund_no='=HYPERLINK("http://evil")',
    refund_id="50000000382026112052732678859",
    theirs_fen=1234567,
    theirs_state="SUCCESS",
)
DONE = Difference(
    kind=Kind.MISSING_HERE,
    subject=Subject.PAYMENT,
    mchid=MCHID,
    moment=BY_HAND.moment,
    ours_state="paying",
    outcome="paid",
    repaired=True,
)
NOT_READY = NotReconciled(MCHID, DAY, Why.NOT_READY, "WeChat has not made the trade bill yet")
REFUSED = NotReconciled(MCHID, DAY, Why.REFUSED, "WeChat refuses the trade bill")


def day(*differences: Difference, waiting: int = 0) -> DayResult:
    return DayResult(
        mchid=MCHID,
        day=DAY,
        payments=Sum(2, 136000),
        refunds=Sum(1, 34000),
        foreign=Sum(3, 1),
        fee_millifen=612_500,
        differences=list(differences),
        funds=FundsResult(Sum(2, 136000), Sum(3, -34612), Sum(1, -5), 101388, 101388),
        waiting=waiting,
    )


def table(*outcomes: Outcome) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(outcomes, Language.EN).decode("utf-8-sig"))))


def test_the_columns_of_the_csv_are_the_documented_ones() -> None:
    assert to_csv([], Language.EN).decode("utf-8-sig").strip() == ",".join(COLUMNS)


def test_no_text_of_the_csv_is_a_formula_and_no_number_loses_digits() -> None:
    [row] = table(day(BY_HAND))
    assert row["refund_no"] == '`=HYPERLINK("http://evil")'
    assert row["transaction_id"] == "`4200000008202611203733500001"
    assert (row["our_fen"], row["their_fen"], row["time"]) == ("", "1234567", "2026-11-20 12:00:00")


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ([day()], "agrees"),
        ([day(DONE)], "agrees"),
        ([day(waiting=1)], "agrees"),
        ([day(), day(BY_HAND)], "differences"),
        ([day(BY_HAND), NOT_READY], "not_ready"),
        ([NOT_READY, REFUSED], "refused"),
        ([REFUSED, NotReconciled(MCHID, DAY, Why.AWAY, "TIMED_OUT"), day()], "away"),
    ],
)
def test_the_verdict_is_that_of_the_worst_merchant(outcomes: list[Outcome], said: str) -> None:
    assert verdict(outcomes) == said


def test_a_program_is_told_what_is_left_and_what_was_repaired() -> None:
    told = as_json([day(BY_HAND, DONE), NOT_READY], Language.EN)
    assert (told["differences"], told["repaired"]) == (1, 1)
    assert [merchant["compared"] for merchant in told["merchants"]] == [True, False]
    assert told["merchants"][0]["fees_fen"] == 613


def test_a_person_is_told_sums_in_yuan() -> None:
    told = "\n".join(lines([day()], Language.EN))
    assert "2 payments ¥1,360.00, 1 refunds ¥340.00, fees ¥6.13; 3 rows of others" in told
    assert "net ¥1,013.88; the trade bill makes it ¥1,013.88" in told


def test_a_person_is_told_in_chinese_what_to_do() -> None:
    told = "\n".join(lines([day(BY_HAND), NOT_READY], Language.ZH))
    assert "微信有、本系统无 · 退款" in told
    assert "商户平台手工退款" in told
    assert "未对账" in told


def test_a_long_list_is_cut_and_says_so() -> None:
    told = list(lines([day(*[BY_HAND] * (DIFFERENCES_SHOWN_MAX + 7))], Language.EN))
    assert "  and 7 more differences: see the CSV" in told


NOW = datetime(2026, 11, 21, 17, tzinfo=UTC)  # the 22nd in China


def test_yesterday_is_yesterday_in_china() -> None:
    assert chosen_day("yesterday", NOW) == date(2026, 11, 21)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-11-23", "has not come yet"),
        ("2026-08-01", "three months"),
        ("20261120", "is no day"),
        ("2026-02-30", "is no day"),
        ("", "is no day"),
    ],
)
def test_a_day_that_no_bill_can_have_is_refused_in_a_sentence(text: str, reason: str) -> None:
    with pytest.raises(Stop, match=reason):
        chosen_day(text, NOW)
