"""The storm's verdict: what it calls lost, double and unresolved."""

from loadtest.storm.books import Claimed, Trade, Verdict, judge

PAID = Claimed("A", "paid", 100, 0)


def trade(order_no: str = "A", came_fen: int = 100, refunded_fen: int = 0, refunding_fen: int = 0) -> Trade:
    return Trade(order_no, came_fen, refunded_fen, refunding_fen)


def judged(*trades: Trade, claims: tuple[Claimed, ...] = (PAID,), open_notices: int = 0) -> Verdict:
    return judge(
        {one.order_no: one for one in trades},
        {one.order_no: one for one in claims},
        acknowledged=["A"],
        open_notices=open_notices,
    )


def counts(verdict: Verdict) -> tuple[int, int, int]:
    return verdict.lost, verdict.double, verdict.unresolved


def test_a_paid_order_with_its_money_is_right() -> None:
    assert counts(judged(trade())) == (0, 0, 0)


def test_an_unpaid_order_that_was_released_is_right() -> None:
    assert counts(judged(trade(came_fen=0), claims=(Claimed("A", "released", 100, 0),))) == (0, 0, 0)


def test_a_ticket_given_back_leaves_the_rest() -> None:
    assert counts(judged(trade(refunded_fen=40), claims=(Claimed("A", "paid", 100, 40),))) == (0, 0, 0)


def test_money_that_stays_for_a_released_order_is_lost() -> None:
    assert counts(judged(trade(), claims=(Claimed("A", "released", 100, 0),))) == (1, 0, 0)


def test_money_for_an_order_nobody_has_is_lost() -> None:
    assert judged(trade(), trade("B")).lost == 1


def test_a_paid_order_whose_money_went_back_is_double() -> None:
    assert counts(judged(trade(refunded_fen=100))) == (0, 1, 0)


def test_a_paid_order_that_wechat_does_not_know_is_double() -> None:
    assert judged(claims=(PAID,)).double == 1


def test_an_acknowledged_order_that_is_gone_is_lost() -> None:
    assert judged(claims=()).lost == 1


def test_an_order_without_an_end_is_unresolved() -> None:
    assert judged(trade(came_fen=0), claims=(Claimed("A", "closing", 100, 0),)).unresolved == 1


def test_money_on_its_way_back_is_unresolved() -> None:
    found = judged(trade(refunded_fen=60, refunding_fen=40), claims=(Claimed("A", "paid", 100, 60),))
    assert found.unresolved == 1


def test_an_open_notice_is_unresolved() -> None:
    assert judged(trade(), open_notices=2).unresolved == 1
