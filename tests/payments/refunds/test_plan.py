"""What a wish comes to, over its whole domain: never more than was paid, no ticket twice, one refund at a time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.orders.states import State
from engine.payments.refunds.deciding import REFUNDS_MAX, Payment, Plan, Standing, Ticket, kept_of, plan, plan_again
from engine.payments.refunds.wishes import Cause, RefundCode, RefundRefusal, RefundWish
from engine.stock.claim import Item

NOW = datetime(2027, 1, 1, tzinfo=UTC)
TICKETS = (
    Ticket("floor", "night", 2, 10000, returned=0, taken=0),
    Ticket("stand", "matinee", 3, 5000, returned=0, taken=0),
    Ticket("gift", "night", 1, 0, returned=0, taken=0),
)
STANDING = Standing(
    order_no="1",
    sale_id="spring",
    state=State.PAID,
    has_units=True,
    payment=Payment(transaction_id="4200", mchid="1", total_fen=35000, success_at=NOW - timedelta(days=1)),
    refunded_fen=0,
    refunds=0,
    last_sent_at=None,
    tickets=TICKETS,
    now=NOW,
)

items = st.lists(
    st.builds(Item, st.sampled_from(["floor", "stand", "gift", "none"]), st.integers(1, 3)),
    min_size=1,
    max_size=3,
    unique_by=lambda item: item.sku_id,
).map(tuple)
sums = st.integers(0, 40000)
said = (
    st.just({"whole": True})
    | st.fixed_dictionaries({"items": items})
    | st.fixed_dictionaries({"amount_fen": sums})
    | st.fixed_dictionaries({"items": items, "amount_fen": sums})
)


def wish(units_back: bool = True, **rest: Any) -> RefundWish:
    return RefundWish(order_no="1", cause=Cause.ORGANIZER, reason="x", units_back=units_back, **rest)


def after(standing: Standing, planned: Plan, *, closed: bool) -> Standing:
    """As the ledger reads once the refund is over, made or closed."""
    given_up = {item.sku_id: item.quantity for item in planned.items}
    back = given_up if planned.units_back else {}
    tickets = []
    for ticket in standing.tickets:
        returned = ticket.returned + back.get(ticket.sku_id, 0)
        taken = ticket.taken + (0 if closed else given_up.get(ticket.sku_id, 0))
        tickets.append(replace(ticket, returned=returned, taken=max(returned, taken)))
    return replace(
        standing,
        has_units=planned.has_units,
        refunded_fen=standing.refunded_fen + (0 if closed else planned.amount_fen),
        refunds=standing.refunds + (planned.out_refund_no is not None),
        tickets=tuple(tickets),
    )


def code_of(standing: Standing, **rest: Any) -> RefundCode:
    refused = plan(standing, wish(**rest))
    assert isinstance(refused, RefundRefusal), refused
    return refused.code


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ({"amount_fen": 35001}, RefundCode.TOO_MUCH),
        ({"items": (Item("floor", 3),)}, RefundCode.TOO_MUCH),
        ({"items": (Item("none", 1),)}, RefundCode.TOO_MUCH),
        ({"items": (Item("floor", 1), Item("floor", 1))}, RefundCode.TOO_MUCH),
        ({"amount_fen": 0}, RefundCode.NOTHING_TO_REFUND),
        ({"items": (Item("floor", 1),), "amount_fen": 0}, RefundCode.NOTHING_TO_REFUND),
    ],
)
def test_what_the_order_does_not_have_is_refused(rest: dict[str, Any], code: RefundCode) -> None:
    assert code_of(STANDING, **rest) is code


def test_after_a_year_it_is_too_late() -> None:
    late = replace(STANDING, now=NOW + timedelta(days=364, seconds=1))
    assert code_of(late, whole=True) is RefundCode.TOO_LATE


def test_the_fifty_first_refund_is_one_too_many() -> None:
    assert code_of(replace(STANDING, refunds=REFUNDS_MAX), amount_fen=1) is RefundCode.TOO_MANY


@given(st.sampled_from([state for state in State if state is not State.PAID]), said)
def test_only_a_paid_order_is_refunded(state: State, rest: dict[str, Any]) -> None:
    under_way = state is State.REFUNDING
    code = RefundCode.REFUND_UNDER_WAY if under_way else RefundCode.NOT_REFUNDABLE
    assert code_of(replace(STANDING, state=state), **rest) is code


@given(st.lists(st.tuples(said, st.booleans(), st.booleans()), max_size=8))
def test_whatever_is_wished_no_fen_and_no_ticket_goes_back_twice(
    wishes: list[tuple[dict[str, Any], bool, bool]],
) -> None:
    standing, numbers = STANDING, []
    for rest, units_back, closed in wishes:
        planned = plan(standing, wish(units_back, **rest))
        if isinstance(planned, RefundRefusal):
            continue
        if planned.out_refund_no is not None:
            numbers.append(planned.out_refund_no)
        kept = {item.sku_id: item.quantity for item in kept_of(standing, planned)}
        assert bool(kept) == planned.has_units
        standing = after(standing, planned, closed=closed and planned.out_refund_no is not None)
        assert kept == {item.sku_id: item.quantity for item in kept_of(standing)}
        assert 0 <= standing.refunded_fen <= 35000
        assert all(0 <= ticket.returned <= ticket.taken <= ticket.quantity for ticket in standing.tickets)
    assert len(set(numbers)) == len(numbers)


@given(st.lists(said, max_size=5))
def test_everything_that_is_left_ends_the_order(wishes: list[dict[str, Any]]) -> None:
    standing = STANDING
    for rest in wishes:
        planned = plan(standing, wish(**rest))
        if isinstance(planned, Plan):
            standing = after(standing, planned, closed=False)
    planned = plan(standing, wish(whole=True))
    if isinstance(planned, Plan):
        assert standing.refunded_fen + planned.amount_fen == 35000
        assert not planned.has_units


@given(said, st.booleans())
def test_a_closed_refund_is_repeated_with_its_sum_and_tickets_and_frees_no_unit_again(
    rest: dict[str, Any], units_back: bool
) -> None:
    first = plan(STANDING, wish(units_back, **rest))
    if isinstance(first, RefundRefusal) or first.out_refund_no is None:
        return
    failed = replace(after(STANDING, first, closed=True), state=State.REFUND_FAILED)
    again = plan_again(failed, first.amount_fen, first.items, closed=True)
    assert isinstance(again, Plan)
    assert (again.amount_fen, again.items, again.units_back) == (first.amount_fen, first.items, False)
    assert again.out_refund_no != first.out_refund_no


def test_a_session_takes_back_its_own_tickets_at_their_price() -> None:
    planned = plan(STANDING, wish(whole=True), session_id="matinee")
    assert isinstance(planned, Plan)
    assert (planned.amount_fen, planned.items) == (15000, (Item("stand", 3),))


def test_the_next_refund_is_sent_a_minute_after_the_last() -> None:
    sent = replace(STANDING, last_sent_at=NOW - timedelta(seconds=10))
    planned = plan(sent, wish(amount_fen=1), spacing_s=60)
    assert isinstance(planned, Plan)
    assert planned.next_check_at == NOW + timedelta(seconds=50)
