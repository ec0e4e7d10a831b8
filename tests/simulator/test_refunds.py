"""The refund machine: what is refused, what is repeated, and that money never exceeds the order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.simulator.pay.orders import Order, TradeState
from engine.simulator.pay.refunds import (
    REFUNDABLE_MS,
    REFUNDS_MAX,
    Refund,
    RefundRequest,
    RefundStatus,
    accept,
    callback_view,
    settle,
    view,
)
from engine.simulator.pay.refusals import (
    REFUND_CHANGED,
    REFUND_ORDER_UNKNOWN,
    REFUND_TOO_LATE,
    REFUND_TOO_MANY,
    REFUND_TOO_MUCH,
    REFUND_TOO_SOON,
    REFUND_TOTAL_DIFFERS,
    Refusal,
)

NOW_MS = 1_700_000_000_000
PAID = Order(
    mchid="1900000001",
    appid="wx1",
    out_trade_no="T00001",
    openid="o" * 28,
    total_fen=100,
    attach=None,
    notify_url="https://shop.example/notify",
    terms="a",
    created_ms=NOW_MS,
    expires_ms=NOW_MS + 1,
    prepay_id="wx1",
    prepay_ms=NOW_MS,
    state=TradeState.SUCCESS,
    transaction_id="42",
    paid_ms=NOW_MS,
)
UNPAID = replace(PAID, state=TradeState.NOTPAY, transaction_id=None, paid_ms=None)
REQUEST = RefundRequest(
    mchid="1900000001",
    out_refund_no="R1",
    out_trade_no="T00001",
    transaction_id=None,
    refund_fen=60,
    total_fen=100,
    notify_url=None,
    terms="a",
)


def ask(
    request: RefundRequest = REQUEST,
    *,
    known: Refund | None = None,
    order: Order | None = PAID,
    others: list[Refund] | None = None,
    now_ms: int = NOW_MS,
    spacing_ms: int = 0,
) -> Refund | Refusal:
    return accept(
        known,
        order,
        others or [],
        request,
        now_ms=now_ms,
        fresh_refund_id="50",
        spacing_ms=spacing_ms,
    )


def accepted(out_refund_no: str = "R0", refund_fen: int = 60) -> Refund:
    refund = ask(replace(REQUEST, out_refund_no=out_refund_no, refund_fen=refund_fen))
    assert isinstance(refund, Refund)
    return refund


@pytest.mark.parametrize(
    ("refusal", "outcome"),
    [
        (REFUND_CHANGED, ask(replace(REQUEST, terms="b"), known=accepted())),
        (REFUND_ORDER_UNKNOWN, ask(order=None)),
        (REFUND_ORDER_UNKNOWN, ask(order=UNPAID)),
        (REFUND_TOTAL_DIFFERS, ask(replace(REQUEST, total_fen=99))),
        (REFUND_TOO_LATE, ask(now_ms=NOW_MS + REFUNDABLE_MS + 1)),
        (REFUND_TOO_MANY, ask(replace(REQUEST, refund_fen=1), others=[accepted(refund_fen=1)] * REFUNDS_MAX)),
        (REFUND_TOO_MUCH, ask(replace(REQUEST, refund_fen=101))),
        (REFUND_TOO_MUCH, ask(replace(REQUEST, refund_fen=41), others=[accepted()])),
        (
            REFUND_TOO_SOON,
            ask(replace(REQUEST, refund_fen=1), others=[accepted()], now_ms=NOW_MS + 59_999, spacing_ms=60_000),
        ),
    ],
)
def test_each_wrong_refund_has_its_refusal(refusal: Refusal, outcome: Refund | Refusal) -> None:
    assert outcome == refusal


def test_the_same_number_returns_the_same_refund_even_when_settled() -> None:
    settled = settle(accepted(), RefundStatus.SUCCESS, now_ms=NOW_MS)
    assert ask(known=settled, others=[settled]) is settled


def test_a_closed_refund_frees_its_money_for_another() -> None:
    closed = settle(accepted(), RefundStatus.CLOSED, now_ms=NOW_MS)
    assert isinstance(ask(replace(REQUEST, refund_fen=100), others=[closed]), Refund)


def test_a_settled_refund_stays_as_it_is() -> None:
    settled = settle(accepted(), RefundStatus.SUCCESS, now_ms=NOW_MS)
    assert settle(settled, RefundStatus.CLOSED, now_ms=NOW_MS + 1) is settled


@pytest.mark.parametrize("status", [RefundStatus.SUCCESS, RefundStatus.CLOSED, RefundStatus.ABNORMAL])
def test_only_a_successful_refund_has_a_success_time(status: RefundStatus) -> None:
    shown = callback_view(settle(accepted(), status, now_ms=NOW_MS))
    assert ("success_time" in shown) == (status is RefundStatus.SUCCESS)


def test_the_callback_calls_the_status_by_another_name() -> None:
    refund = accepted()
    assert (view(refund)["status"], callback_view(refund)["refund_status"]) == ("PROCESSING", "PROCESSING")


attempts = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.integers(1, 120),
        st.sampled_from([RefundStatus.PROCESSING, RefundStatus.SUCCESS, RefundStatus.CLOSED]),
    ),
    max_size=30,
)


@given(attempts)
def test_refunds_never_exceed_the_order(tried: list[tuple[int, int, RefundStatus]]) -> None:
    book: dict[str, Refund] = {}
    for number, refund_fen, ending in tried:
        request = replace(REQUEST, out_refund_no=f"R{number}", refund_fen=refund_fen, terms=str(refund_fen))
        outcome = ask(request, known=book.get(f"R{number}"), others=list(book.values()))
        if isinstance(outcome, Refund):
            assert outcome.refund_fen == refund_fen
            book[outcome.out_refund_no] = settle(outcome, ending, now_ms=NOW_MS)
        alive = [refund for refund in book.values() if refund.status is not RefundStatus.CLOSED]
        assert sum(refund.refund_fen for refund in alive) <= PAID.total_fen
