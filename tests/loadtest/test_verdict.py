"""The demo's verdict fails for the right reason: each test bends one fact of an honest drop."""

from dataclasses import replace

import pytest

from engine.orders import states
from loadtest.books.verdict import Booked, Facts, Ledgered, Stock, judge
from loadtest.crowd.told import MOVES, Told, reachable

BUYERS = ("anna", "bo", "chen")


def told(openid: str, *, state: str = "paid", quantity: int = 2) -> Told:
    return Told(
        openid=openid,
        order_no=f"order-{openid}",
        units=(("floor", quantity),),
        amount_fen=quantity * 100,
        deadline_ms=0,
        state=state,
        transactions={f"transaction-{openid}"} if state == "paid" else set(),
    )


def booked(openid: str, *, state: str = "paid", quantity: int = 2) -> Booked:
    return Booked(openid, f"order-{openid}", state, quantity * 100, (("floor", quantity),))


def money(openid: str, *, total_fen: int = 200, refunded_fen: int = 0) -> Ledgered:
    return Ledgered(f"order-{openid}", total_fen, "SUCCESS", f"transaction-{openid}", refunded_fen)


@pytest.fixture
def honest() -> Facts:
    """Three buyers bought two units each, which were all there were."""
    return Facts(
        per_buyer_max=6,
        told=[told(openid) for openid in BUYERS],
        booked=[booked(openid) for openid in BUYERS],
        ledger=[money(openid) for openid in BUYERS],
        stock={"floor": Stock(capacity=6, free=0, held=0, sold=6)},
        orders_by_state={"paid": 3},
        wanted={"floor": 40},
        complaints={},
        draw_findings=[],
        line_findings=[],
        shared_places=[],
        overtaking=3,
        overtaking_max=3,
        audit_findings=[],
        unsettled=[],
        left_running=[],
    )


def sole_reason(facts: Facts) -> str:
    (reason,) = judge(facts).reasons
    return reason


def test_an_honest_drop_passes_with_its_figures(honest: Facts) -> None:
    judgement = judge(honest)

    assert judgement.is_pass
    assert (judgement.capacity, judgement.sold) == (6, 6)
    assert (judgement.paid_orders, judgement.paid_fen, judgement.refunded_fen) == (3, 600, 0)


def test_money_for_a_released_order_is_lost_paid(honest: Facts) -> None:
    late = [*honest.ledger, money("dora")]
    facts = replace(
        honest,
        told=[*honest.told, told("dora", state="paying")],
        booked=[*honest.booked, booked("dora", state="released")],
        ledger=late,
        orders_by_state={"paid": 3, "released": 1},
    )

    assert judge(facts).lost_paid == 1
    assert "paid and lost" in sole_reason(facts)


def test_money_for_an_order_nobody_knows_is_lost_paid(honest: Facts) -> None:
    facts = replace(honest, ledger=[*honest.ledger, money("nobody")])

    assert judge(facts).lost_paid == 1


def test_a_payment_confirmed_to_the_buyer_and_absent_from_the_ledger_is_lost_paid(honest: Facts) -> None:
    unpaid = Ledgered("order-anna", 200, "NOTPAY", None, 0)
    facts = replace(honest, ledger=[unpaid, *honest.ledger[1:]])

    assert judge(facts).lost_paid == 1


def test_money_given_back_in_full_is_not_lost(honest: Facts) -> None:
    facts = replace(
        honest,
        told=[*honest.told, told("dora", state="released")],
        booked=[*honest.booked, booked("dora", state="refunded")],
        ledger=[*honest.ledger, money("dora", refunded_fen=200)],
        orders_by_state={"paid": 3, "refunded": 1},
    )

    assert judge(facts).is_pass
    assert judge(facts).refunded_fen == 200


def test_a_refund_in_part_of_a_refunded_order_is_lost_paid(honest: Facts) -> None:
    facts = replace(
        honest,
        booked=[*honest.booked, booked("dora", state="refunded")],
        ledger=[*honest.ledger, money("dora", refunded_fen=150)],
        orders_by_state={"paid": 3, "refunded": 1},
    )

    assert judge(facts).lost_paid == 1


def test_two_transactions_told_for_one_order_are_double_paid(honest: Facts) -> None:
    honest.told[0].transactions.add("transaction-again")

    assert judge(honest).double_paid == 1
    assert "paid twice" in sole_reason(honest)


def test_one_transaction_counted_for_two_orders_is_double_paid(honest: Facts) -> None:
    copied = replace(honest.ledger[0], transaction_id="transaction-bo")

    assert judge(replace(honest, ledger=[copied, *honest.ledger[1:]])).double_paid == 2


def test_more_units_owned_than_the_capacity_is_oversold(honest: Facts) -> None:
    facts = replace(honest, stock={"floor": Stock(capacity=5, free=0, held=0, sold=6)})

    assert judge(facts).oversold == 1
    assert "1 unit sold beyond the capacity" in judge(facts).reasons


def test_a_hold_beyond_the_capacity_is_oversold_though_the_stock_denies_it(honest: Facts) -> None:
    facts = replace(
        honest, booked=[*honest.booked, booked("dora", state="held")], orders_by_state={"paid": 3, "held": 1}
    )

    assert judge(facts).oversold == 2


def test_units_left_over_while_buyers_wanted_them_are_undersold(honest: Facts) -> None:
    facts = replace(honest, stock={"floor": Stock(capacity=9, free=3, held=0, sold=6)})

    assert judge(facts).undersold == 3
    assert "3 units unsold" in sole_reason(facts)


def test_units_left_over_that_nobody_wanted_are_no_fault(honest: Facts) -> None:
    facts = replace(honest, stock={"floor": Stock(capacity=9, free=3, held=0, sold=6)}, wanted={})

    assert judge(facts).undersold == 0
    assert judge(facts).is_pass


def test_undersold_counts_no_more_than_was_wanted(honest: Facts) -> None:
    facts = replace(honest, stock={"floor": Stock(capacity=9, free=3, held=0, sold=6)}, wanted={"floor": 1})

    assert judge(facts).undersold == 1


def test_an_acknowledged_order_missing_from_the_book_fails(honest: Facts) -> None:
    facts = replace(honest, told=[*honest.told, told("dora", state="held")])

    assert "acknowledged" in sole_reason(facts)
    assert "order-dora" in sole_reason(facts)


def test_an_order_told_paid_and_booked_released_fails(honest: Facts) -> None:
    told_paid = replace(told("dora"), transactions=set())
    facts = replace(
        honest,
        told=[*honest.told, told_paid],
        booked=[*honest.booked, booked("dora", state="released")],
        orders_by_state={"paid": 3, "released": 1},
    )

    assert "not in the book as told" in sole_reason(facts)


def test_an_order_told_held_and_released_later_is_fine(honest: Facts) -> None:
    facts = replace(
        honest,
        told=[*honest.told, told("dora", state="held")],
        booked=[*honest.booked, booked("dora", state="released")],
        orders_by_state={"paid": 3, "released": 1},
    )

    assert judge(facts).is_pass


def test_an_order_booked_for_another_buyer_fails(honest: Facts) -> None:
    stolen = replace(honest.booked[0], openid="mallory")

    assert "not in the book as told" in sole_reason(replace(honest, booked=[stolen, *honest.booked[1:]]))


def test_a_paid_order_without_its_money_fails(honest: Facts) -> None:
    facts = replace(honest, told=honest.told[1:], ledger=honest.ledger[1:])

    assert "called paid without its money" in sole_reason(facts)


def test_a_paid_order_whose_money_went_back_fails(honest: Facts) -> None:
    facts = replace(honest, ledger=[replace(honest.ledger[0], refunded_fen=200), *honest.ledger[1:]])

    assert "called paid without its money" in sole_reason(facts)


def test_a_buyer_above_the_limit_fails(honest: Facts) -> None:
    assert "above the limit per buyer" in judge(replace(honest, per_buyer_max=1)).reasons[0]


def test_stock_that_does_not_add_up_fails(honest: Facts) -> None:
    facts = replace(honest, stock={"floor": Stock(capacity=6, free=1, held=0, sold=6)}, wanted={})

    assert "is not the capacity" in sole_reason(facts)


def test_stock_that_disagrees_with_the_paid_orders_fails(honest: Facts) -> None:
    facts = replace(honest, stock={"floor": Stock(capacity=6, free=2, held=0, sold=4)})

    assert "the stock counts 4 sold, the paid orders 6" in sole_reason(facts)


def test_an_order_that_no_buyer_can_read_fails(honest: Facts) -> None:
    facts = replace(honest, orders_by_state={"paid": 4})

    assert sole_reason(facts) == "the engine counts 4 paid orders, the buyers 3"


@pytest.mark.parametrize(
    ("bent", "reason"),
    [
        ({"complaints": {"one key gave two orders": 2}}, "buyers saw 2 times: one key gave two orders"),
        ({"draw_findings": ["another seed"]}, "draw: another seed"),
        ({"line_findings": ["exit status 1"]}, "line: exit status 1"),
        ({"shared_places": ["public 7"]}, "1 places told to more than one buyer (public 7)"),
        ({"overtaking": 4}, "somebody was passed over by 4 positions; up to 3 can be explained"),
        ({"audit_findings": ["exit status 1"]}, "audit: exit status 1"),
        ({"unsettled": ["1 closing orders"]}, "did not come to rest: 1 closing orders"),
        ({"left_running": ["web-1 (7)"]}, "left running: web-1 (7)"),
    ],
)
def test_every_other_witness_can_fail_the_drop(honest: Facts, bent: dict[str, object], reason: str) -> None:
    assert sole_reason(replace(honest, **bent)) == reason


def test_the_verdict_knows_the_moves_that_the_engine_makes() -> None:
    moves = {state.value: set[str]() for state in states.State}
    for (state, _), after in states.MOVES.items():
        moves[state.value].add(after.value)

    assert {state: set(after) for state, after in MOVES.items()} == moves


def test_a_paid_order_never_becomes_unpaid() -> None:
    assert reachable("paid") == {"paid", "refunding", "refunded", "refund_failed"}
