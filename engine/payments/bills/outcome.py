"""What reconciling one merchant's day came to."""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from engine.payments.bills.matching import Sum
from engine.payments.bills.records import Difference


@dataclass(frozen=True, slots=True)
class FundsResult:
    """The fund-flow bill: what moved for our payments and refunds, what the trade bill says should have, and the
    movements that are not ours."""

    income: Sum
    outgo: Sum
    other: Sum
    billed_fen: int
    moved_fen: int


@dataclass(slots=True)
class DayResult:
    """The trade bill of one merchant and day against our ledger.

    elsewhere: records of ours that stand in a neighbour day's bill, as midnight would have it.
    waiting: records near midnight that only the next day's bill, which is not there yet, can decide about.
    looked_at: the neighbour days whose bills were looked at.
    """

    mchid: str
    day: date
    payments: Sum
    refunds: Sum
    foreign: Sum
    fee_millifen: int
    differences: list[Difference]
    funds: FundsResult | None = None
    elsewhere: int = 0
    waiting: int = 0
    looked_at: set[date] = field(default_factory=set)

    @property
    def repaired(self) -> int:
        return sum(difference.repaired for difference in self.differences)

    @property
    def left(self) -> int:
        """Differences that somebody must look at."""
        return len(self.differences) - self.repaired


class Why(StrEnum):
    """Why a day could not be compared, the worst first."""

    AWAY = "away"  # WeChat Pay does not answer
    UNREADABLE = "unreadable"  # the bill is not what a bill is
    REFUSED = "refused"  # WeChat does not give it
    NOT_READY = "not_ready"  # it is not there yet


@dataclass(frozen=True, slots=True)
class NotReconciled:
    """The day could not be compared."""

    mchid: str
    day: date
    why: Why
    reason: str


Outcome = DayResult | NotReconciled
