"""What WeChat Pay's answers mean: from status, body and signature to the port's values.

Pure tables. Codes and statuses decide, messages never do. A 2xx arrives here only with a verified signature;
an error may come unsigned, and then it is believed as far as it costs nothing to be wrong: it can say "no",
but never "there is nothing" for certain. Whatever fits no row is UNKNOWN, which makes the caller query.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeGuard

from engine.infra.reading import Unreadable, read_object, text
from engine.payments.port import (
    CloseResult,
    Prepaid,
    ProviderRefusal,
    RefundReport,
    RefundState,
    RefusalKind,
    TradeReport,
    TradeState,
)
from engine.payments.wechat.contents import error_code, fen, in_fen, moment_or_none, paid_report, refund_state

PREPAY_ID_MAX = 64

# Codes WeChat sends with 500 although repeating the same request cannot help.
FINAL_CODES_OF_500 = frozenset({"OPENIDMISMATCH", "INVALIDTRANSACTIONID"})

# Refund refusals that time or a person cures without changing the request.
CURABLE_REFUND_CODES = frozenset({"NOTENOUGH", "NOAUTH", "ACCOUNTERROR", "RULELIMIT"})

REFUSAL_BY_CODE: Mapping[str, RefusalKind] = {
    "ORDERPAID": RefusalKind.ALREADY_PAID,
    "ORDERCLOSED": RefusalKind.ALREADY_CLOSED,
    "OUTTRADENOUSED": RefusalKind.NUMBER_TAKEN,
    "NOAUTH": RefusalKind.FORBIDDEN,
    "ACCOUNTERROR": RefusalKind.FORBIDDEN,
    "RULELIMIT": RefusalKind.FORBIDDEN,
    "TRADEERROR": RefusalKind.FORBIDDEN,
    "APPIDMCHIDNOTMATCH": RefusalKind.FORBIDDEN,
    "MCHNOTEXISTS": RefusalKind.FORBIDDEN,
    "OPENIDMISMATCH": RefusalKind.INVALID,
}
REFUSAL_BY_STATUS: Mapping[int, RefusalKind] = {
    400: RefusalKind.INVALID,
    401: RefusalKind.FORBIDDEN,
    403: RefusalKind.FORBIDDEN,
    404: RefusalKind.FORBIDDEN,
}


# A quota is exceeded; both names are in the documents, and a 429 needs neither.
LIMITED_CODES = frozenset({"FREQUENCYLIMITED", "RATELIMITEXCEEDED"})

# The number is known to WeChat Pay, whatever this call did; TRADE_ERROR may say so, too.
EXISTING = frozenset({RefusalKind.ALREADY_PAID, RefusalKind.ALREADY_CLOSED, RefusalKind.NUMBER_TAKEN})


class Silence(StrEnum):
    """Why there is no answer to believe. Only the first two say that nothing can have happened."""

    HELD_BACK = "HELD_BACK"  # our own quota was used up, so it was not sent
    NOT_SENT = "NOT_SENT"
    TIMED_OUT = "TIMED_OUT"
    BROKEN_OFF = "BROKEN_OFF"
    NOT_AUTHENTIC = "NOT_AUTHENTIC"
    TOO_LARGE = "TOO_LARGE"


@dataclass(frozen=True, slots=True)
class Answer:
    """One response. `signed` is always true for a 2xx. `body` is exactly what arrived."""

    status: int
    body: bytes
    signed: bool
    request_id: str = ""

    @property
    def code(self) -> str:
        return error_code(self.body)

    @property
    def detail(self) -> str:
        """For logs: never the message or the offending value, which may name a buyer."""
        return f"HTTP {self.status} {self.code} {self.request_id}".rstrip()


def worth_repeating(answer: Answer | Silence) -> bool:
    """Whether the same request may meet a better answer in a moment. 401 never does: somebody must look."""
    if isinstance(answer, Silence):
        return answer is not Silence.HELD_BACK  # it has waited already
    if answer.status == 202 or is_limited(answer):
        return True
    return answer.status >= 500 and not is_refusal(answer)


def is_limited(answer: Answer) -> bool:
    """Whether WeChat Pay counts too many requests. A refund may be accepted all the same."""
    return answer.status == 429 or (400 <= answer.status < 500 and answer.code in LIMITED_CODES)


def is_refusal(answer: Answer | Silence) -> TypeGuard[Answer]:
    """Whether this is a definite no to the request as it stands."""
    if isinstance(answer, Silence):
        return False
    if answer.status == 500:
        return answer.code in FINAL_CODES_OF_500
    return 400 <= answer.status < 500 and not is_limited(answer)


def surely_undone(answer: Answer | Silence) -> bool:
    """Whether the request certainly changed nothing: it never left, or a signed answer refuses it."""
    if isinstance(answer, Silence):
        return answer in (Silence.HELD_BACK, Silence.NOT_SENT)
    return answer.signed and is_refusal(answer)


def prepaid_or_refusal(
    answer: Answer | Silence, *, valid_until: datetime, maybe_created: bool
) -> Prepaid | ProviderRefusal:
    if isinstance(answer, Silence):
        kind = RefusalKind.RATE_LIMITED if answer is Silence.HELD_BACK else RefusalKind.UNKNOWN
        return ProviderRefusal(kind=kind, maybe_created=maybe_created, detail=answer)
    if answer.status == 200:
        try:
            prepay_id = text(read_object(answer.body), "prepay_id")
        except Unreadable as error:
            return ProviderRefusal(kind=RefusalKind.UNKNOWN, maybe_created=True, detail=f"{answer.detail}: {error}")
        if len(prepay_id) <= PREPAY_ID_MAX and prepay_id.isascii() and prepay_id.isprintable():
            return Prepaid(prepay_id, valid_until)
        return ProviderRefusal(kind=RefusalKind.UNKNOWN, maybe_created=True, detail=f"{answer.detail}: prepay_id")
    code = answer.code
    kind = RefusalKind.UNKNOWN
    if is_limited(answer):
        kind = RefusalKind.RATE_LIMITED
    elif is_refusal(answer):
        kind = REFUSAL_BY_CODE.get(code) or REFUSAL_BY_STATUS.get(answer.status, RefusalKind.INVALID)
    exists = code == "TRADEERROR" or kind in EXISTING
    return ProviderRefusal(kind=kind, maybe_created=maybe_created or exists, code=code, detail=answer.detail)


def trade_report(answer: Answer | Silence, order_no: str) -> TradeReport:
    if isinstance(answer, Silence):
        return TradeReport(order_no=order_no, state=TradeState.UNKNOWN, signed=False, detail=answer)
    if answer.status == 404 and answer.code == "ORDERNOTEXIST":
        state = TradeState.UNKNOWN_ORDER
        return TradeReport(order_no=order_no, state=state, signed=answer.signed, detail=answer.detail)
    if answer.status != 200:
        return _unknown_trade(answer, order_no, answer.detail)
    try:
        fields = read_object(answer.body)
        # The signature does not say which question this answers; the number inside does.
        if text(fields, "out_trade_no") != order_no:
            return _unknown_trade(answer, order_no, "an answer about another order")
        match text(fields, "trade_state"):
            case "SUCCESS" | "REFUND":
                return TradeReport(order_no=order_no, state=TradeState.PAID, signed=True, paid=paid_report(fields))
            case "NOTPAY":
                return TradeReport(order_no=order_no, state=TradeState.NOT_PAID, signed=True)
            case "CLOSED":
                return TradeReport(order_no=order_no, state=TradeState.CLOSED, signed=True)
            case other:
                return _unknown_trade(answer, order_no, f"trade_state {other}")
    except Unreadable as error:
        return _unknown_trade(answer, order_no, f"unreadable: {error}")


def _unknown_trade(answer: Answer, order_no: str, detail: str) -> TradeReport:
    return TradeReport(order_no=order_no, state=TradeState.UNKNOWN, signed=answer.signed, detail=detail)


def close_result(answer: Answer | Silence) -> CloseResult:
    if isinstance(answer, Silence):
        return CloseResult.UNKNOWN
    if answer.status == 204:
        return CloseResult.CLOSED
    if is_refusal(answer) and answer.code == "ORDERPAID":
        return CloseResult.PAID
    return CloseResult.UNKNOWN


def refund_report(answer: Answer | Silence, out_refund_no: str) -> RefundReport:
    """What an answer to a query, or a 200 to a refund, says. A refusal of a query is UNKNOWN."""
    if isinstance(answer, Silence):
        return unknown_refund(answer, out_refund_no)
    if answer.status == 404 and answer.code == "RESOURCENOTEXISTS":
        return RefundReport(out_refund_no=out_refund_no, state=RefundState.UNKNOWN_REFUND, detail=answer.detail)
    if answer.status != 200:
        return unknown_refund(answer, out_refund_no)
    try:
        fields = read_object(answer.body)
        if text(fields, "out_refund_no") != out_refund_no:
            return unknown_refund(answer, out_refund_no, "an answer about another refund")
        return RefundReport(
            out_refund_no=out_refund_no,
            state=refund_state(fields, "status"),
            refund_id=text(fields, "refund_id"),
            refund_fen=fen(in_fen(fields), "refund"),
            success_at=moment_or_none(fields, "success_time"),
            order_no=text(fields, "out_trade_no") if fields.get("out_trade_no") else None,
        )
    except Unreadable as error:
        return unknown_refund(answer, out_refund_no, f"unreadable: {error}")


def unknown_refund(answer: Answer | Silence, out_refund_no: str, detail: str = "") -> RefundReport:
    if isinstance(answer, Silence):
        code, found = "", str(answer)
    else:
        code, found = answer.code, answer.detail
    return RefundReport(
        out_refund_no=out_refund_no,
        state=RefundState.UNKNOWN,
        may_repeat=True,
        code=code,
        detail=detail or found,
    )


def redirect_report(answer: Answer | Silence, out_refund_no: str) -> RefundReport:
    """What an answer to sending a refund to a card says. Whatever is no success and no definite no is UNKNOWN."""
    if isinstance(answer, Answer) and is_refusal(answer) and answer.signed:
        return refused_refund(answer, out_refund_no)
    report = refund_report(answer, out_refund_no)
    if report.state is RefundState.UNKNOWN_REFUND:
        return unknown_refund(answer, out_refund_no)
    return report


def refused_refund(answer: Answer, out_refund_no: str) -> RefundReport:
    return RefundReport(
        out_refund_no=out_refund_no,
        state=RefundState.REFUSED,
        may_repeat=answer.code in CURABLE_REFUND_CODES,
        code=answer.code,
        detail=answer.detail,
    )
