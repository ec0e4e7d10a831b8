"""What an answer means, row by row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from engine.payments.port import CloseResult, Prepaid, ProviderRefusal, RefundState, RefusalKind, TradeState
from engine.payments.wechat.answers import (
    Answer,
    Silence,
    close_result,
    prepaid_or_refusal,
    refund_report,
    surely_undone,
    trade_report,
    worth_repeating,
)
from tests.payments.wechat.platform import refund, to_json, trade

UNTIL = datetime(2026, 1, 1, tzinfo=UTC)
ORDER_NO = "FG20260101000001"
REFUND_NO = "RFG20260101000001"


def error(status: int, code: str, *, signed: bool = True) -> Answer:
    return Answer(status, to_json({"code": code, "message": "…"}), signed)


def ok(fields: dict[str, Any]) -> Answer:
    return Answer(200, to_json(fields), signed=True)


@pytest.mark.parametrize(
    ("answer", "kind", "repeat", "undone"),
    [
        (error(400, "ORDER_PAID"), RefusalKind.ALREADY_PAID, False, True),
        (error(400, "ORDERPAID"), RefusalKind.ALREADY_PAID, False, True),
        (error(400, "ORDER_CLOSED"), RefusalKind.ALREADY_CLOSED, False, True),
        (error(403, "OUT_TRADE_NO_USED"), RefusalKind.NUMBER_TAKEN, False, True),
        (error(400, "OUT_TRADE_NO_USED"), RefusalKind.NUMBER_TAKEN, False, True),
        (error(400, "PARAM_ERROR"), RefusalKind.INVALID, False, True),
        (error(400, "INVALID_REQUEST", signed=False), RefusalKind.INVALID, False, False),
        (error(500, "OPENID_MISMATCH"), RefusalKind.INVALID, False, True),
        (error(401, "SIGN_ERROR", signed=False), RefusalKind.FORBIDDEN, False, False),
        (error(400, "APPID_MCHID_NOT_MATCH"), RefusalKind.FORBIDDEN, False, True),
        (error(403, "NO_AUTH"), RefusalKind.FORBIDDEN, False, True),
        (error(403, "A_CODE_OF_TOMORROW"), RefusalKind.FORBIDDEN, False, True),
        (Answer(404, b"", signed=False), RefusalKind.FORBIDDEN, False, False),
        (Answer(405, b"", signed=False), RefusalKind.INVALID, False, False),
        (error(429, "FREQUENCY_LIMITED"), RefusalKind.RATE_LIMITED, True, False),
        (error(429, "RATELIMIT_EXCEEDED"), RefusalKind.RATE_LIMITED, True, False),
        (error(403, "FREQUENCY_LIMITED"), RefusalKind.RATE_LIMITED, True, False),
        (error(429, "ORDER_PAID"), RefusalKind.RATE_LIMITED, True, False),
        (error(500, "SYSTEM_ERROR"), RefusalKind.UNKNOWN, True, False),
        (Answer(502, b"<html>", signed=False), RefusalKind.UNKNOWN, True, False),
        (Answer(202, b"", signed=True), RefusalKind.UNKNOWN, True, False),
        (Answer(302, b"", signed=False), RefusalKind.UNKNOWN, False, False),
        (Silence.TIMED_OUT, RefusalKind.UNKNOWN, True, False),
        (Silence.BROKEN_OFF, RefusalKind.UNKNOWN, True, False),
        (Silence.NOT_AUTHENTIC, RefusalKind.UNKNOWN, True, False),
        (Silence.TOO_LARGE, RefusalKind.UNKNOWN, True, False),
        (Silence.NOT_SENT, RefusalKind.UNKNOWN, True, True),
        (Silence.HELD_BACK, RefusalKind.RATE_LIMITED, False, True),
    ],
    ids=str,
)
def test_a_create_without_a_prepay_id(answer: Answer | Silence, kind: RefusalKind, repeat: bool, undone: bool) -> None:
    refusal = prepaid_or_refusal(answer, valid_until=UNTIL, maybe_created=False)
    assert isinstance(refusal, ProviderRefusal)
    assert (refusal.kind, worth_repeating(answer), surely_undone(answer)) == (kind, repeat, undone)


def test_a_number_that_exists_may_be_paid_whatever_this_call_did() -> None:
    refusal = prepaid_or_refusal(error(403, "OUT_TRADE_NO_USED"), valid_until=UNTIL, maybe_created=False)
    assert isinstance(refusal, ProviderRefusal)
    assert refusal.maybe_created


def test_a_prepay_id_is_taken() -> None:
    answer = ok({"prepay_id": "wx201410272009395522657a690389285100"})
    prepaid = prepaid_or_refusal(answer, valid_until=UNTIL, maybe_created=True)
    assert prepaid == Prepaid("wx201410272009395522657a690389285100", UNTIL)


@pytest.mark.parametrize("prepay_id", [None, "", 5, "wx" * 40, "wx\n1", "票"], ids=repr)
def test_a_prepay_id_of_another_shape_is_an_unknown_outcome(prepay_id: object) -> None:
    refusal = prepaid_or_refusal(ok({"prepay_id": prepay_id}), valid_until=UNTIL, maybe_created=False)
    assert isinstance(refusal, ProviderRefusal)
    assert (refusal.kind, refusal.maybe_created) == (RefusalKind.UNKNOWN, True)


def test_a_refusal_never_repeats_the_message_or_the_value() -> None:
    body = {"code": "PARAM_ERROR", "message": "oSecretOpenid", "detail": {"value": "oSecretOpenid"}}
    refusal = prepaid_or_refusal(Answer(400, to_json(body), True), valid_until=UNTIL, maybe_created=False)
    assert "oSecretOpenid" not in repr(refusal)


@pytest.mark.parametrize(
    ("answer", "state", "signed"),
    [
        (ok(trade(state="SUCCESS")), TradeState.PAID, True),
        (ok(trade(state="REFUND")), TradeState.PAID, True),
        (ok(trade(state="NOTPAY")), TradeState.NOT_PAID, True),
        (ok(trade(state="CLOSED")), TradeState.CLOSED, True),
        (ok(trade(state="USERPAYING")), TradeState.UNKNOWN, True),
        (ok(trade(state="A_STATE_OF_TOMORROW")), TradeState.UNKNOWN, True),
        (ok(trade("FG20260101000002", "CLOSED")), TradeState.UNKNOWN, True),
        (ok(trade() | {"transaction_id": None}), TradeState.UNKNOWN, True),
        (ok({}), TradeState.UNKNOWN, True),
        (Answer(200, b"", signed=True), TradeState.UNKNOWN, True),
        (Answer(204, b"", signed=True), TradeState.UNKNOWN, True),
        (error(404, "ORDER_NOT_EXIST"), TradeState.UNKNOWN_ORDER, True),
        (error(404, "ORDERNOTEXIST", signed=False), TradeState.UNKNOWN_ORDER, False),
        (Answer(404, b"", signed=False), TradeState.UNKNOWN, False),
        (error(404, "RESOURCE_NOT_EXISTS"), TradeState.UNKNOWN, True),
        (error(500, "ORDER_NOT_EXIST"), TradeState.UNKNOWN, True),
        (error(429, "FREQUENCY_LIMITED"), TradeState.UNKNOWN, True),
        (Silence.TIMED_OUT, TradeState.UNKNOWN, False),
    ],
    ids=str,
)
def test_a_query(answer: Answer | Silence, state: TradeState, signed: bool) -> None:
    report = trade_report(answer, ORDER_NO)
    assert (report.order_no, report.state, report.signed) == (ORDER_NO, state, signed)


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (Answer(204, b"", signed=True), CloseResult.CLOSED),
        (Answer(200, b"{}", signed=True), CloseResult.UNKNOWN),
        (error(400, "ORDERPAID"), CloseResult.PAID),
        (error(400, "ORDER_PAID", signed=False), CloseResult.PAID),
        (error(403, "TRADE_ERROR"), CloseResult.UNKNOWN),
        (error(403, "ORDER_PAID"), CloseResult.PAID),
        (error(429, "RATELIMIT_EXCEEDED"), CloseResult.UNKNOWN),
        (error(500, "ORDERPAID"), CloseResult.UNKNOWN),
        (error(400, "ORDER_CLOSED"), CloseResult.UNKNOWN),
        (error(404, "ORDER_NOT_EXIST"), CloseResult.UNKNOWN),
        (error(500, "SYSTEM_ERROR"), CloseResult.UNKNOWN),
        (Silence.TIMED_OUT, CloseResult.UNKNOWN),
        (Silence.NOT_AUTHENTIC, CloseResult.UNKNOWN),
    ],
    ids=str,
)
def test_a_close(answer: Answer | Silence, result: CloseResult) -> None:
    assert close_result(answer) is result


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (ok(refund(status="PROCESSING")), RefundState.PROCESSING),
        (ok(refund(status="SUCCESS")), RefundState.SUCCESS),
        (ok(refund(status="ABNORMAL")), RefundState.ABNORMAL),
        (ok(refund(status="CLOSED")), RefundState.CLOSED),
        (ok(refund(status="A_STATE_OF_TOMORROW")), RefundState.UNKNOWN),
        (ok(refund("another")), RefundState.UNKNOWN),
        (ok({}), RefundState.UNKNOWN),
        (error(404, "RESOURCE_NOT_EXISTS"), RefundState.UNKNOWN_REFUND),
        (error(403, "NOT_ENOUGH"), RefundState.UNKNOWN),
        (Answer(502, b"", signed=False), RefundState.UNKNOWN),
        (Silence.BROKEN_OFF, RefundState.UNKNOWN),
    ],
    ids=str,
)
def test_a_refund(answer: Answer | Silence, state: RefundState) -> None:
    report = refund_report(answer, REFUND_NO)
    assert (report.out_refund_no, report.state) == (REFUND_NO, state)
