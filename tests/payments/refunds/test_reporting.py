"""Reports about one refund, in any order and number: the end state is WeChat's last word."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from engine.orders.states import MOVES, State
from engine.payments.port import RefundReport, RefundState
from engine.payments.refunds.reporting import Noted, RefundStanding, Stage, Step, by_hand, step_of

NUMBER = "R1"
STANDING = RefundStanding(
    out_refund_no=NUMBER,
    order_no="1",
    stage=Stage.INTENDED,
    amount_fen=300,
    total_fen=1000,
    order_state=State.REFUNDING,
    others_fen=0,
    others_success_fen=0,
    others_under_way=False,
)

reports = st.builds(
    RefundReport,
    out_refund_no=st.just(NUMBER),
    state=st.sampled_from(RefundState),
    may_repeat=st.booleans(),
    refund_fen=st.sampled_from([None, 300]),
)


def report(state: RefundState, **rest: object) -> RefundReport:
    return replace(RefundReport(out_refund_no=NUMBER, state=state), **rest)  # type: ignore[arg-type]


def after(standing: RefundStanding, told: RefundReport) -> RefundStanding:
    step = step_of(standing, told, seen=standing.stage)
    if isinstance(step, Noted):
        return standing
    return replace(standing, stage=step.stage, order_state=step.order_state or standing.order_state)


def step(standing: RefundStanding, told: RefundReport, seen: Stage | None = None) -> Step:
    found = step_of(standing, told, seen=seen)
    assert isinstance(found, Step), found
    return found


def test_a_part_of_the_money_leads_back_to_paid() -> None:
    assert step(STANDING, report(RefundState.SUCCESS)).order_state is State.PAID


def test_the_last_part_of_the_money_makes_the_order_refunded() -> None:
    standing = replace(STANDING, others_success_fen=700, others_fen=700)
    assert step(standing, report(RefundState.SUCCESS)) == Step(
        stage=Stage.SUCCESS, order_state=State.REFUNDED, refunded_fen=1000
    )


def test_a_closed_refund_gives_its_sum_free_for_another() -> None:
    standing = replace(STANDING, others_fen=200)
    assert step(standing, report(RefundState.CLOSED)) == Step(
        stage=Stage.CLOSED, order_state=State.REFUND_FAILED, refunded_fen=200
    )


def test_a_refusal_that_a_person_can_cure_moves_nothing() -> None:
    assert step_of(STANDING, report(RefundState.REFUSED, may_repeat=True)) is Noted.WAITS


def test_a_final_refusal_closes_the_refund() -> None:
    assert step(STANDING, report(RefundState.REFUSED)).stage is Stage.CLOSED


def test_another_sum_than_ours_moves_nothing() -> None:
    assert step_of(STANDING, report(RefundState.SUCCESS, refund_fen=301)) is Noted.MISMATCH


def test_an_accepting_answer_that_a_faster_notice_overtook_moves_nothing() -> None:
    failed = replace(STANDING, stage=Stage.ABNORMAL, order_state=State.REFUND_FAILED)
    assert step_of(failed, report(RefundState.PROCESSING), seen=Stage.INTENDED) is Noted.REPEATED


def test_an_abnormal_refund_that_is_on_its_way_again_is_asked_about_again() -> None:
    failed = replace(STANDING, stage=Stage.ABNORMAL, order_state=State.REFUND_FAILED)
    found = step(failed, report(RefundState.PROCESSING), seen=Stage.ABNORMAL)
    assert (found.stage, found.order_state) == (Stage.PROCESSING, State.REFUNDING)


def test_success_after_all_is_taken_even_when_we_had_closed_the_refund() -> None:
    closed = replace(STANDING, stage=Stage.CLOSED, order_state=State.REFUND_FAILED, amount_fen=1000)
    found = step(closed, report(RefundState.SUCCESS))
    assert (found.stage, found.order_state, found.refunded_fen) == (Stage.SUCCESS, State.REFUNDED, 1000)


def test_while_its_successor_is_under_way_a_closed_refund_does_not_move_the_order() -> None:
    closed = replace(STANDING, stage=Stage.CLOSED, others_under_way=True, others_fen=300)
    found = step(closed, report(RefundState.SUCCESS))
    assert (found.order_state, found.refunded_fen) == (None, 600)


def test_money_of_an_order_that_nobody_knows_moves_no_order() -> None:
    assert step(replace(STANDING, order_state=None), report(RefundState.SUCCESS)).order_state is None


def test_only_a_failed_refund_is_settled_by_hand() -> None:
    stages = {stage for stage in Stage if by_hand(replace(STANDING, stage=stage)) is not None}
    assert stages == {Stage.ABNORMAL, Stage.CLOSED}


@given(st.lists(reports, max_size=8))
def test_once_successful_nothing_moves_a_refund_or_its_order(told: list[RefundReport]) -> None:
    standing = after(STANDING, report(RefundState.SUCCESS))
    for one in told:
        assert step_of(standing, one, seen=standing.stage) in (Noted.REPEATED, Noted.WAITS)


@given(st.lists(reports, max_size=8))
def test_success_is_the_end_whatever_came_before_it(told: list[RefundReport]) -> None:
    standing = STANDING
    for one in told:
        standing = after(standing, one)
    end = after(standing, report(RefundState.SUCCESS))
    assert (end.stage, end.order_state) == (Stage.SUCCESS, State.PAID)


@given(st.lists(reports, max_size=8))
def test_a_repeated_report_changes_nothing_and_orders_move_only_along_their_table(told: list[RefundReport]) -> None:
    standings = [STANDING]
    for one in told:
        standings.append(after(standings[-1], one))
        assert after(standings[-1], one) == standings[-1]
    allowed = {(before, to) for (before, _), to in MOVES.items()}
    for before, to in pairwise(standings):
        assert before.order_state == to.order_state or (before.order_state, to.order_state) in allowed


@given(st.lists(reports, max_size=8))
def test_the_order_has_failed_exactly_while_its_refund_has(told: list[RefundReport]) -> None:
    standing = STANDING
    for one in told:
        standing = after(standing, one)
        failed = standing.stage in (Stage.ABNORMAL, Stage.CLOSED)
        assert (standing.order_state is State.REFUND_FAILED) == failed
