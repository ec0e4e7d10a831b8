"""Whatever WeChat Pay, or somebody in its place, answers: never a crash, and no effect without a signature."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from engine.infra.reading import Unreadable, read_object
from engine.payments.port import CloseResult, Prepaid, RefundState, TradeState
from engine.payments.wechat.answers import (
    Answer,
    close_result,
    is_refusal,
    prepaid_or_refusal,
    redirect_report,
    refund_report,
    surely_undone,
    trade_report,
    worth_repeating,
)
from engine.payments.wechat.authenticity import SIGNED_HEADERS
from engine.payments.wechat.certificates import opened
from engine.payments.wechat.keys import VerifyingKeys
from engine.payments.wechat.transport import Arrival
from engine.payments.wechat.trust import judge
from tests.payments.wechat import platform
from tests.payments.wechat.platform import KEYS, NOW_S, Pairs, listed, refund, signed, to_json, trade
from tests.payments.wechat.test_notifications_fuzz import _JSON, ANY_TEXT

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
LOADED = VerifyingKeys.load({platform.SERIAL: KEYS / "platform_public.pem"})
UNTIL = datetime(2026, 1, 2, tzinfo=UTC)
ORDER_NO, REFUND_NO = "FG20260101000001", "RFG20260101000001"
API_V3_KEY = platform.API_V3_KEY.encode()
TRADE = to_json(trade())
STATUSES = st.sampled_from([200, 201, 202, 204, 301, 400, 401, 403, 404, 405, 429, 500, 502, 503, 599])
CODES = st.sampled_from(
    ["ORDERPAID", "ORDER_NOT_EXIST", "RESOURCE_NOT_EXISTS", "NOT_ENOUGH", "SYSTEM_ERROR", "FREQUENCY_LIMITED", "", "X"]
)


def judged(status: int, headers: Pairs, body: bytes) -> Answer | None:
    found = judge(Arrival(status, CIMultiDict(headers), body), LOADED, NOW_S)
    return found if isinstance(found, Answer) else None


@UNHURRIED
@given(st.data())
def test_a_success_with_other_bytes_is_no_answer(draw: st.DataObject) -> None:
    start = draw.draw(st.integers(0, len(TRADE)))
    end = draw.draw(st.integers(start, len(TRADE)))
    body = TRADE[:start] + draw.draw(st.binary(max_size=20)) + TRADE[end:]
    assume(body != TRADE)
    assert judged(200, signed(TRADE), body) is None


@UNHURRIED
@given(
    st.integers(200, 299),
    st.lists(st.tuples(st.sampled_from(SIGNED_HEADERS) | ANY_TEXT, ANY_TEXT), max_size=8),
    st.binary(max_size=200),
)
def test_a_success_that_nobody_signed_is_no_answer(status: int, headers: Pairs, body: bytes) -> None:
    assert judged(status, headers, body) is None


@UNHURRIED
@given(st.integers(300, 599), st.binary(max_size=200) | _JSON.map(to_json))
def test_an_unsigned_refusal_moves_nothing(status: int, body: bytes) -> None:
    answer = judged(status, [], body)
    assert answer is not None
    assert not surely_undone(answer)
    assert trade_report(answer, ORDER_NO).state in (TradeState.UNKNOWN, TradeState.UNKNOWN_ORDER)
    assert not trade_report(answer, ORDER_NO).signed
    assert close_result(answer) in (CloseResult.UNKNOWN, CloseResult.PAID)
    assert refund_report(answer, REFUND_NO).state in (RefundState.UNKNOWN, RefundState.UNKNOWN_REFUND)
    assert redirect_report(answer, REFUND_NO).state is RefundState.UNKNOWN
    assert not isinstance(prepaid_or_refusal(answer, valid_until=UNTIL, maybe_created=False), Prepaid)


@UNHURRIED
@given(
    STATUSES,
    st.binary(max_size=200)
    | _JSON.map(to_json)
    | CODES.map(lambda code: to_json({"code": code}))
    | st.tuples(st.sampled_from(sorted(trade())), _JSON).map(lambda row: to_json(trade() | {row[0]: row[1]}))
    | st.tuples(st.sampled_from(sorted(refund())), _JSON).map(lambda row: to_json(refund() | {row[0]: row[1]})),
    st.booleans(),
)
def test_a_signed_answer_of_any_shape_crashes_no_reader(status: int, body: bytes, is_signed: bool) -> None:
    answer = Answer(status, body, is_signed or status < 300)
    report = trade_report(answer, ORDER_NO)
    assert report.order_no == ORDER_NO
    if status != 200:
        assert report.state in (TradeState.UNKNOWN, TradeState.UNKNOWN_ORDER)
    if status != 204:
        assert close_result(answer) is not CloseResult.CLOSED
    for refunded in (refund_report(answer, REFUND_NO), redirect_report(answer, REFUND_NO)):
        assert refunded.out_refund_no == REFUND_NO
        assert status == 200 or refunded.state in (
            RefundState.UNKNOWN,
            RefundState.UNKNOWN_REFUND,
            RefundState.REFUSED,
        )
    prepaid = prepaid_or_refusal(answer, valid_until=UNTIL, maybe_created=False)
    assert status == 200 or not isinstance(prepaid, Prepaid)
    assert not (is_refusal(answer) and worth_repeating(answer))


@UNHURRIED
@given(st.binary(max_size=200) | _JSON.map(to_json) | _JSON.map(lambda data: to_json({"data": data})))
def test_a_list_of_certificates_of_any_shape_is_unreadable(body: bytes) -> None:
    try:
        found = opened(body, API_V3_KEY)
    except Unreadable:
        return
    raise AssertionError(found)


ENTRY = listed()


@UNHURRIED
@given(st.sampled_from(["serial_no", "encrypt_certificate"]), _JSON)
def test_a_certificate_with_any_field_of_any_shape_is_left_out(name: str, value: object) -> None:
    assume(value != ENTRY[name])
    body = to_json({"data": [ENTRY, ENTRY | {name: value}]})
    try:
        read_object(body)
    except Unreadable:
        assume(False)  # a number that is no JSON, or larger than any reader takes, spoils the whole body
    assert len(opened(body, API_V3_KEY)) == 1
