"""Lies for a drill: rows of a bill changed on purpose, so that a merchant's reconciliation has something to find.

The ledger stays true; only the bill is altered, and only the rows of the number that was named (an
out_trade_no, or an out_refund_no for the row of a refund). The kinds are the five a merchant must tell
apart. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from engine.simulator.bills.fund_flow import Movement
from engine.simulator.bills.trade import Entry, fee_fen
from engine.simulator.pay import forms
from engine.simulator.pay.fields import INT64_MAX
from engine.simulator.pay.orders import Order, TradeState
from engine.simulator.pay.shapes import transaction_id

STRANGER = "o" + "0" * 27  # The buyer of a payment nobody placed.
STRANGER_FEN = 100


class Kind(StrEnum):
    MISSING_THERE = "missing_there"  # The bill lacks the row.
    MISSING_HERE = "missing_here"  # The bill has a payment the merchant has never heard of.
    AMOUNT = "amount"  # One fen more than was paid or refunded.
    STATE = "state"  # A payment reads REVOKED, a refund FAIL.
    DUPLICATE = "duplicate"  # The row stands there twice.


@dataclass(frozen=True, slots=True)
class Mismatch:
    """`moment_ms` and `amount_fen` are when an invented payment was made and its price; unused otherwise."""

    kind: Kind
    mchid: str
    appid: str
    number: str
    moment_ms: int
    amount_fen: int = STRANGER_FEN

    @property
    def key(self) -> str:
        return f"{self.mchid} {self.kind} {self.number}"

    def document(self) -> dict[str, Any]:
        return asdict(self)


def recall(document: Mapping[str, Any]) -> Mismatch:
    """The mismatch that `document()` described."""
    return Mismatch(**{**document, "kind": Kind(document["kind"])})


def read(document: Mapping[str, Any], *, mchid: str, appid: str, now_ms: int) -> Mismatch | str:
    """The mismatch a drill asks for, or what is wrong with it."""
    if document.get("kind") not in list(Kind):
        return f"kind: must be one of {', '.join(Kind)}"
    numbers = [document[name] for name in ("out_trade_no", "out_refund_no") if name in document]
    if len(numbers) != 1 or not isinstance(numbers[0], str) or not forms.REFUND_NO.fullmatch(numbers[0]):
        return "out_trade_no: give it, or out_refund_no, as a text"
    if document["kind"] == Kind.MISSING_HERE and "out_trade_no" not in document:
        return "out_trade_no: only payments can be invented"
    amount_fen = document.get("amount_fen", STRANGER_FEN)
    if type(amount_fen) is not int or not 1 <= amount_fen <= INT64_MAX:
        return "amount_fen: must be an integer of at least 1"
    return Mismatch(Kind(document["kind"]), mchid, appid, numbers[0], now_ms, amount_fen)


def stranger(mismatch: Mismatch) -> Order:
    """A paid order that only the bill knows."""
    paid_ms = mismatch.moment_ms
    return Order(
        mchid=mismatch.mchid,
        appid=mismatch.appid,
        out_trade_no=mismatch.number,
        openid=STRANGER,
        total_fen=mismatch.amount_fen,
        attach=None,
        notify_url="",
        terms="",
        created_ms=paid_ms,
        expires_ms=paid_ms,
        prepay_id="",
        prepay_ms=paid_ms,
        state=TradeState.SUCCESS,
        transaction_id=transaction_id(paid_ms, blake2b(mismatch.number.encode(), digest_size=8).digest()),
        paid_ms=paid_ms,
    )


def falsify(rows: Sequence[Entry], mismatches: Iterable[Mismatch], *, rate_bp: int) -> list[Entry]:
    """The rows of a trade bill with every mismatch in it; an invented payment is among `rows` already."""
    kinds = _kinds(mismatches)
    told: list[Entry] = []
    for row in rows:
        number = row.order.out_trade_no if row.refund is None else row.refund.out_refund_no
        told += _rows(row, kinds.get(number, frozenset()), rate_bp=rate_bp)
    return told


def falsify_movements(rows: Sequence[Movement], mismatches: Iterable[Mismatch]) -> list[Movement]:
    """The same for the fund-flow bill, which knows no states."""
    kinds = _kinds(mismatches)
    told: list[Movement] = []
    for row in rows:
        wrong = kinds.get(row.number, frozenset())
        if Kind.MISSING_THERE in wrong:
            continue
        if Kind.AMOUNT in wrong and row.step == 1:
            row = replace(row, signed_fen=row.signed_fen + (1 if row.signed_fen > 0 else -1))  # noqa: PLW2901
        told += [row, row] if Kind.DUPLICATE in wrong else [row]
    return told


def _kinds(mismatches: Iterable[Mismatch]) -> Mapping[str, frozenset[Kind]]:
    kinds: dict[str, frozenset[Kind]] = {}
    for mismatch in mismatches:
        kinds[mismatch.number] = kinds.get(mismatch.number, frozenset()) | {mismatch.kind}
    return kinds


def _rows(row: Entry, wrong: frozenset[Kind], *, rate_bp: int) -> list[Entry]:
    if not wrong:
        return [row]
    if Kind.MISSING_THERE in wrong:
        return []
    if Kind.AMOUNT in wrong and row.refund is None:
        row = replace(row, order_fen=row.order_fen + 1, fee_fen=fee_fen(row.order_fen + 1, rate_bp))
    elif Kind.AMOUNT in wrong:
        row = replace(row, refund_fen=row.refund_fen + 1)
    if Kind.STATE in wrong:
        row = replace(row, state="REVOKED") if row.refund is None else replace(row, refund_state="FAIL")
    return [row, row] if Kind.DUPLICATE in wrong else [row]
