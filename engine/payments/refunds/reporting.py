"""What a report about a refund comes to, for a refund as it stands. Pure: reports come twice, late, in any order, as
answers and as notices, and the end state is right.

A refund that went wrong is not forgotten: WeChat's word that it succeeded after all is taken in every stage. What
always holds: success is final, and an order moves only along its own table.
"""

import enum
from dataclasses import dataclass

from engine.orders.states import MOVES, Event, State
from engine.payments.port import RefundReport, RefundState


class Stage(enum.StrEnum):
    """Where a refund stands; as the enum `refund_state` of the database."""

    INTENDED = "intended"
    PROCESSING = "processing"
    SUCCESS = "success"
    ABNORMAL = "abnormal"
    CLOSED = "closed"


class Noted(enum.StrEnum):
    """What a report did."""

    MOVED = "moved"
    REPEATED = "repeated"
    WAITS = "waits"
    MISMATCH = "mismatch"
    UNKNOWN_REFUND = "unknown_refund"

    @property
    def decided(self) -> bool:
        """Whether WeChat may stop telling us."""
        return self in (Noted.MOVED, Noted.REPEATED)


MOVES_BY_REPORT: dict[tuple[Stage, RefundState], Stage] = {
    (Stage.INTENDED, RefundState.PROCESSING): Stage.PROCESSING,
    (Stage.INTENDED, RefundState.SUCCESS): Stage.SUCCESS,
    (Stage.INTENDED, RefundState.ABNORMAL): Stage.ABNORMAL,
    (Stage.INTENDED, RefundState.CLOSED): Stage.CLOSED,
    (Stage.INTENDED, RefundState.REFUSED): Stage.CLOSED,
    (Stage.PROCESSING, RefundState.SUCCESS): Stage.SUCCESS,
    (Stage.PROCESSING, RefundState.ABNORMAL): Stage.ABNORMAL,
    (Stage.PROCESSING, RefundState.CLOSED): Stage.CLOSED,
    # Accepted once and unknown now: the same number is sent again.
    (Stage.PROCESSING, RefundState.UNKNOWN_REFUND): Stage.INTENDED,
    (Stage.ABNORMAL, RefundState.PROCESSING): Stage.PROCESSING,
    (Stage.ABNORMAL, RefundState.SUCCESS): Stage.SUCCESS,
    (Stage.ABNORMAL, RefundState.CLOSED): Stage.CLOSED,
    # We closed it on a refusal, and WeChat has it nevertheless.
    (Stage.CLOSED, RefundState.PROCESSING): Stage.PROCESSING,
    (Stage.CLOSED, RefundState.SUCCESS): Stage.SUCCESS,
    (Stage.CLOSED, RefundState.ABNORMAL): Stage.ABNORMAL,
}

NO_WORD = (RefundState.UNKNOWN, RefundState.UNKNOWN_REFUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundStanding:
    """A refund before a report. `order_state` is None for money of an order that the book does not have.

    Of the order's other refunds: `others_fen` in those that are not closed, `others_success_fen` in those that
    succeeded, and whether one is under way. `replaced`: whether another one was decided after it, in its place.
    `by_hand`: it is a success because a person said that the money went back in another way.
    """

    out_refund_no: str
    order_no: str
    stage: Stage
    amount_fen: int
    total_fen: int
    order_state: State | None
    others_fen: int
    others_success_fen: int
    others_under_way: bool
    replaced: bool = False
    by_hand: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to write down: the refund's stage, the order's state, and what is decided to go back in all."""

    stage: Stage
    order_state: State | None
    refunded_fen: int


def step_of(standing: RefundStanding, report: RefundReport, *, seen: Stage | None = None) -> Step | Noted:
    """What the report changes, or why nothing.

    `seen`: the stage in which WeChat was asked. An answer that says PROCESSING may be older than a notice that was
    faster, so it moves a refund out of a later stage only when the question was asked in that stage.
    """
    if report.state is RefundState.REFUSED and report.may_repeat:
        return Noted.WAITS
    stage = MOVES_BY_REPORT.get((standing.stage, report.state))
    if made_twice(standing, report):
        stage = Stage.SUCCESS  # from now on it is WeChat's
    if stage is None:
        waits = report.state in NO_WORD and standing.stage not in (Stage.SUCCESS, Stage.CLOSED)
        return Noted.WAITS if waits else Noted.REPEATED
    if report.refund_fen not in (None, standing.amount_fen):
        return Noted.MISMATCH
    mild = report.state in (RefundState.PROCESSING, RefundState.UNKNOWN_REFUND)
    if mild and standing.stage not in (Stage.INTENDED, seen):
        return Noted.REPEATED
    return Step(stage=stage, order_state=_order_state(standing, stage), refunded_fen=_refunded_fen(standing, stage))


def made_twice(standing: RefundStanding, report: RefundReport) -> bool:
    """Whether WeChat made a refund that a person had paid back in another way: the buyer may have the money twice."""
    return standing.by_hand and report.state is RefundState.SUCCESS


def by_hand(standing: RefundStanding) -> Step | None:
    """A person has given the money back in another way; None unless the refund has failed and its money is still owed:
    not made again since, and not more than was paid."""
    if standing.stage not in (Stage.ABNORMAL, Stage.CLOSED):
        return None
    if standing.stage is Stage.CLOSED and (
        standing.replaced or standing.others_fen + standing.amount_fen > standing.total_fen
    ):
        return None
    stage = Stage.SUCCESS
    return Step(stage=stage, order_state=_order_state(standing, stage), refunded_fen=_refunded_fen(standing, stage))


def _refunded_fen(standing: RefundStanding, stage: Stage) -> int:
    return standing.others_fen + (0 if stage is Stage.CLOSED else standing.amount_fen)


def _order_state(standing: RefundStanding, stage: Stage) -> State | None:
    """Where the order goes; None when it stays. While another refund is under way, that one moves the order."""
    if standing.order_state is None or standing.others_under_way:
        return None
    event = _event(standing, stage)
    return None if event is None else MOVES.get((standing.order_state, event))


def _event(standing: RefundStanding, stage: Stage) -> Event | None:
    match stage:
        case Stage.SUCCESS:
            whole = standing.others_success_fen + standing.amount_fen >= standing.total_fen
            return Event.REFUNDED if whole else Event.REFUNDED_IN_PART
        case Stage.CLOSED if standing.others_success_fen >= standing.total_fen:
            return Event.REFUNDED  # somebody made it elsewhere, and WeChat refused ours: no money is left to go back
        case Stage.ABNORMAL | Stage.CLOSED:
            return Event.REFUND_FAILED
        case Stage.INTENDED | Stage.PROCESSING:
            return Event.REFUND_DECIDED if standing.stage in (Stage.ABNORMAL, Stage.CLOSED) else None
