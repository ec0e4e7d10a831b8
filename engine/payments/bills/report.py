"""A reconciliation for spreadsheets and programs: a CSV that a spreadsheet opens, and JSON. Pure.

In the CSV long numbers begin with a backtick, as in WeChat's own bills: a spreadsheet would round them otherwise, and
read some text as a formula. Its columns never change their names or order; new ones come last.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from engine.payments.bills.advice import Language, advice
from engine.payments.bills.days import CHINA
from engine.payments.bills.format import round_fen
from engine.payments.bills.outcome import DayResult, NotReconciled, Outcome, Why
from engine.payments.bills.records import Difference

COLUMNS = (
    "day",
    "merchant",
    "subject",
    "class",
    "time",
    "order_no",
    "transaction_id",
    "refund_no",
    "refund_id",
    "our_fen",
    "their_fen",
    "our_state",
    "their_state",
    "outcome",
    "what_to_do",
)
BOM = "\ufeff"  # without it, a spreadsheet takes the file for another encoding


def to_csv(outcomes: Iterable[Outcome], language: Language) -> bytes:
    """Every difference, UTF-8 with a byte order mark."""
    text = io.StringIO()
    text.write(BOM)
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for outcome in outcomes:
        if isinstance(outcome, DayResult):
            writer.writerows(_cells(outcome.day, difference, language) for difference in outcome.differences)
    return text.getvalue().encode()


def _cells(day: date, difference: Difference, language: Language) -> list[str]:
    numbers = (difference.order_no, difference.transaction_id, difference.out_refund_no, difference.refund_id)
    return [
        day.isoformat(),
        f"`{difference.mchid}",
        difference.subject,
        difference.kind,
        _time(difference),
        *(f"`{number}" if number else "" for number in numbers),
        "" if difference.ours_fen is None else str(difference.ours_fen),
        "" if difference.theirs_fen is None else str(difference.theirs_fen),
        difference.ours_state,
        difference.theirs_state,
        difference.outcome,
        advice(difference, language),
    ]


def as_json(outcomes: Sequence[Outcome], language: Language) -> dict[str, Any]:
    """`differences` is what is left to do, over all merchants; the repaired ones are counted apart."""
    done = [outcome for outcome in outcomes if isinstance(outcome, DayResult)]
    return {
        "verdict": verdict(outcomes),
        "differences": sum(outcome.left for outcome in done),
        "repaired": sum(outcome.repaired for outcome in done),
        "waiting": sum(outcome.waiting for outcome in done),
        "merchants": [_merchant(outcome, language) for outcome in outcomes],
    }


def verdict(outcomes: Sequence[Outcome]) -> str:
    """`agrees`, `differences`, or why a day could not be compared: that outranks what was found elsewhere."""
    whys = {outcome.why for outcome in outcomes if isinstance(outcome, NotReconciled)}
    for why in Why:
        if why in whys:
            return why.value
    left = sum(outcome.left for outcome in outcomes if isinstance(outcome, DayResult))
    return "differences" if left else "agrees"


def _merchant(outcome: Outcome, language: Language) -> dict[str, Any]:
    named = {"merchant": outcome.mchid, "day": outcome.day.isoformat()}
    if isinstance(outcome, NotReconciled):
        return {**named, "compared": False, "why": outcome.why, "reason": outcome.reason}
    funds = outcome.funds
    return {
        **named,
        "compared": True,
        "payments": {"count": outcome.payments.count, "fen": outcome.payments.fen},
        "refunds": {"count": outcome.refunds.count, "fen": outcome.refunds.fen},
        "fees_fen": round_fen(outcome.fee_millifen),
        "foreign_rows": outcome.foreign.count,
        "elsewhere": outcome.elsewhere,
        "waiting": outcome.waiting,
        "looked_at": sorted(day.isoformat() for day in outcome.looked_at),
        "funds": funds
        and {
            "income": {"count": funds.income.count, "fen": funds.income.fen},
            "outgo": {"count": funds.outgo.count, "fen": -funds.outgo.fen},
            "other": {"count": funds.other.count, "fen": funds.other.fen},
            "billed_fen": funds.billed_fen,
            "moved_fen": funds.moved_fen,
        },
        "differences": [_difference(difference, language) for difference in outcome.differences],
    }


def _difference(difference: Difference, language: Language) -> dict[str, Any]:
    return {
        "class": difference.kind,
        "subject": difference.subject,
        "time": _time(difference),
        "order_no": difference.order_no,
        "transaction_id": difference.transaction_id,
        "refund_no": difference.out_refund_no,
        "refund_id": difference.refund_id,
        "our_fen": difference.ours_fen,
        "their_fen": difference.theirs_fen,
        "our_state": difference.ours_state,
        "their_state": difference.theirs_state,
        "outcome": difference.outcome,
        "repaired": difference.repaired,
        "what_to_do": advice(difference, language),
    }


def _time(difference: Difference) -> str:
    return difference.moment.astimezone(CHINA).isoformat(" ", "seconds")[:19]
