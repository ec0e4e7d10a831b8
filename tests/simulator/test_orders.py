"""The order machine: every state against every event, and the race between closing and paying."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.simulator.pay.orders import (
    CLOSED_BY_ITSELF_MS,
    EXPIRY_DEFAULT_MS,
    EXPIRY_MOST_MS,
    MINUTE_MS,
    PREPAY_MS,
    Order,
    OrderRequest,
    TradeState,
    age,
    close,
    mark_refunded,
    pay,
    pay_anyway,
    place,
    view,
)
from engine.simulator.pay.refusals import ORDER_CLOSED, ORDER_PAID, REENTRY_CHANGED, Refusal

NOW_MS = 1_700_000_000_000
REQUEST = OrderRequest(
    mchid="1900000001",
    appid="wx1",
    out_trade_no="T00001",
    openid="o" * 28,
    total_fen=100,
    expires_ms=None,
    attach=None,
    notify_url="https://shop.example/notify",
    terms="a",
)


def enter(
    known: Order | None,
    *,
    now_ms: int = NOW_MS,
    terms: str = "a",
    expires_ms: int | None = None,
    changed_code: str = "INVALID_REQUEST",
) -> Order | Refusal:
    return place(
        known,
        replace(REQUEST, terms=terms, expires_ms=expires_ms),
        now_ms=now_ms,
        fresh_prepay_id=f"wx{now_ms}",
        changed_code=changed_code,
        paid_code="ORDERPAID",
    )


def fresh(expires_ms: int | None = None) -> Order:
    order = enter(None, expires_ms=expires_ms)
    assert isinstance(order, Order)
    return order


def pay_at(order: Order, now_ms: int = NOW_MS) -> Order | Refusal:
    return pay(order, now_ms=now_ms, transaction_id="42", paid_code="ORDERPAID")


def in_state(state: TradeState) -> Order:
    if state is TradeState.NOTPAY:
        return fresh()
    if state is TradeState.CLOSED:
        return replace(fresh(), state=state)
    return replace(fresh(), state=state, transaction_id="41", paid_ms=NOW_MS)


@pytest.mark.parametrize(
    ("asked_ms", "kept_ms"),
    [
        (None, NOW_MS + EXPIRY_DEFAULT_MS),
        (NOW_MS - 1, NOW_MS + MINUTE_MS),
        (NOW_MS + MINUTE_MS - 1, NOW_MS + MINUTE_MS),
        (NOW_MS + MINUTE_MS + 1, NOW_MS + MINUTE_MS + 1),
        (NOW_MS + EXPIRY_MOST_MS + 1, NOW_MS + EXPIRY_MOST_MS),
    ],
)
def test_time_expire_is_raised_to_a_minute_and_clipped_to_ninety_days(asked_ms: int | None, kept_ms: int) -> None:
    assert fresh(asked_ms).expires_ms == kept_ms


def test_same_parameters_return_the_living_prepay_id() -> None:
    order = fresh()
    assert enter(order, now_ms=NOW_MS + PREPAY_MS - 1) is order


def test_same_parameters_renew_a_prepay_id_after_two_hours() -> None:
    order = fresh()
    later_ms = NOW_MS + PREPAY_MS
    assert enter(order, now_ms=later_ms) == replace(order, prepay_id=f"wx{later_ms}", prepay_ms=later_ms)


def test_entering_again_after_time_expire_is_refused() -> None:
    assert enter(fresh(NOW_MS + MINUTE_MS), now_ms=NOW_MS + MINUTE_MS + 1) == ORDER_CLOSED


@pytest.mark.parametrize("code", list(REENTRY_CHANGED))
def test_other_parameters_are_refused_with_the_chosen_code(code: str) -> None:
    refusal = enter(fresh(), terms="b", changed_code=code)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code


@pytest.mark.parametrize(
    ("state", "refusal"),
    [
        (TradeState.SUCCESS, ORDER_PAID["ORDERPAID"]),
        (TradeState.REFUND, ORDER_PAID["ORDERPAID"]),
        (TradeState.CLOSED, ORDER_CLOSED),
    ],
)
def test_a_finished_order_is_not_entered_or_paid_again(state: TradeState, refusal: Refusal) -> None:
    order = in_state(state)
    assert (enter(order, terms="b"), pay_at(order)) == (refusal, refusal)


@pytest.mark.parametrize(("late_ms", "is_paid"), [(-1000, True), (0, True), (1, False)])
def test_time_expire_is_the_last_instant_to_pay(late_ms: int, is_paid: bool) -> None:
    order = fresh(NOW_MS + MINUTE_MS)
    assert isinstance(pay_at(order, order.expires_ms + late_ms), Order) is is_paid


@pytest.mark.parametrize("code", list(ORDER_PAID))
def test_closing_a_paid_order_is_refused_with_the_chosen_code(code: str) -> None:
    refusal = close(in_state(TradeState.SUCCESS), paid_code=code)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code


def test_closing_a_closed_order_changes_nothing() -> None:
    order = in_state(TradeState.CLOSED)
    assert close(order, paid_code="ORDERPAID") is order


@pytest.mark.parametrize(("old_ms", "state"), [(CLOSED_BY_ITSELF_MS - 1, "NOTPAY"), (CLOSED_BY_ITSELF_MS, "CLOSED")])
def test_an_unpaid_order_closes_by_itself_after_seven_days(old_ms: int, state: str) -> None:
    assert age(fresh(), now_ms=NOW_MS + old_ms).state == state


@pytest.mark.parametrize("state", [TradeState.SUCCESS, TradeState.REFUND, TradeState.CLOSED])
def test_a_finished_order_does_not_age(state: TradeState) -> None:
    order = in_state(state)
    assert age(order, now_ms=NOW_MS + CLOSED_BY_ITSELF_MS) is order


@pytest.mark.parametrize("state", [TradeState.NOTPAY, TradeState.CLOSED])
def test_the_anomaly_pays_an_order_that_has_no_money(state: TradeState) -> None:
    paid = pay_anyway(in_state(state), now_ms=NOW_MS, transaction_id="42")
    assert (paid.state, paid.transaction_id) == (TradeState.SUCCESS, "42")


@pytest.mark.parametrize("state", [TradeState.SUCCESS, TradeState.REFUND])
def test_the_anomaly_never_pays_twice(state: TradeState) -> None:
    order = in_state(state)
    assert pay_anyway(order, now_ms=NOW_MS, transaction_id="42") is order


def test_unpaid_orders_lack_the_payment_fields() -> None:
    assert view(fresh()).keys().isdisjoint({"transaction_id", "trade_type", "success_time", "payer"})


def test_a_paid_order_shows_who_paid_what_and_when() -> None:
    paid = pay_at(fresh())
    assert isinstance(paid, Order)
    shown = view(paid)
    assert (shown["success_time"], shown["payer"]) == ("2023-11-15T06:13:20+08:00", {"openid": "o" * 28})


steps = st.lists(st.tuples(st.sampled_from(["pay", "close", "enter", "age"]), st.integers(0, 8 * 86_400_000)))


@given(steps)
def test_of_close_and_pay_exactly_one_ever_wins(actions: list[tuple[str, int]]) -> None:
    order = fresh()
    now_ms = NOW_MS
    endings: list[str] = []
    for action, wait_ms in actions:
        now_ms += wait_ms
        before = age(order, now_ms=now_ms)
        match action:
            case "pay":
                after = pay_at(before, now_ms)
            case "close":
                after = close(before, paid_code="ORDERPAID")
            case "enter":
                after = enter(before, now_ms=now_ms)
            case _:
                after = before
        changed = after if isinstance(after, Order) else before
        if changed.state is not order.state:
            endings.append(changed.state)
        order = changed
    assert len(endings) <= 1
    assert (order.paid_ms is not None) == (endings == ["SUCCESS"])


def test_any_refund_turns_success_into_refund_once() -> None:
    refunded = mark_refunded(in_state(TradeState.SUCCESS))
    assert refunded.state is TradeState.REFUND
    assert mark_refunded(refunded) is refunded
