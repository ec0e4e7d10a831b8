"""Our ledger against the trade bill, and the trade bill against the fund-flow bill. Pure.

A row is compared only when it is ours: our application and an order number of our form. Others share the merchant
account, and are counted and left alone.

A billed row is looked up by its number, whatever day our own record stands in. The other way round, a record of ours
that the day's bill lacks is `unseen` first: near midnight it may stand in a neighbour's bill, and whoever asks must
look there before it is a difference.

States are compared knowing that a bill is a snapshot: a refund may have gone on since, but never back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from engine.orders.records import is_order_no
from engine.payments.bills.days import ONE_DAY, starts_at
from engine.payments.bills.records import (
    BilledPayment,
    BilledRefund,
    BilledRow,
    Difference,
    Kind,
    OurPayment,
    OurRefund,
    Subject,
)

NEAR_MIDNIGHT = timedelta(hours=1)  # what two clocks, a retried refund and a slow booking may differ by

MONEY_DECIDED = frozenset({"paid", "refunding", "refunded", "refund_failed"})
PAID_STATES = frozenset({"SUCCESS", "REFUND"})

# What our refund may be by now, by what it was when the bill was cut.
REFUND_STATES: Mapping[str, frozenset[str]] = {
    "SUCCESS": frozenset({"success"}),
    "PROCESSING": frozenset({"processing", "success", "abnormal", "closed"}),
    "CHANGE": frozenset({"abnormal", "success"}),
    "FAIL": frozenset({"closed"}),
}


@dataclass(frozen=True, slots=True)
class Ledger:
    """What our ledger says about the rows of one page: payments and refunds by number, order states by order."""

    payments: Mapping[str, OurPayment]
    refunds: Mapping[str, OurRefund]
    orders: Mapping[str, str]


@dataclass(slots=True)
class Sum:
    """A count and the fen behind it."""

    count: int = 0
    fen: int = 0

    def add(self, fen: int) -> None:
        self.count += 1
        self.fen += fen


def near_midnight(moment: datetime, day: date, margin: timedelta = NEAR_MIDNIGHT) -> bool:
    """Whether it is so late on this day that the next day's bill may have it."""
    return moment >= starts_at(day + ONE_DAY) - margin


def is_ours(row: BilledRow, appid: str) -> bool:
    return row.appid == appid and is_order_no(row.order_no)


@dataclass(slots=True)
class Matching:
    """The trade bill of one merchant and day, page by page."""

    appid: str
    mchid: str
    payments: Sum = field(default_factory=Sum)
    refunds: Sum = field(default_factory=Sum)
    foreign: Sum = field(default_factory=Sum)
    fee_millifen: int = 0
    differences: list[Difference] = field(default_factory=list)
    seen_payments: set[str] = field(default_factory=set)
    seen_refunds: set[str] = field(default_factory=set)
    _transaction_of: dict[str, str] = field(default_factory=dict)

    def ours(self, rows: Iterable[BilledRow]) -> list[BilledRow]:
        """The rows that are ours; the others are counted."""
        own = []
        for row in rows:
            if is_ours(row, self.appid):
                own.append(row)
                self.fee_millifen += row.fee_millifen
            else:
                self.foreign.add(row.total_fen if isinstance(row, BilledPayment) else -row.refund_fen)
        return own

    def compare(self, own: Iterable[BilledRow], ledger: Ledger) -> None:
        """One page of our rows, with what the ledger says about them."""
        for row in own:
            if isinstance(row, BilledPayment):
                self._compare_payment(row, ledger)
            else:
                self._compare_refund(row, ledger)

    def _compare_payment(self, row: BilledPayment, ledger: Ledger) -> None:
        self.payments.add(row.total_fen)
        ours = ledger.payments.get(row.transaction_id)
        first = self._transaction_of.setdefault(row.order_no, row.transaction_id)
        if row.transaction_id in self.seen_payments or first != row.transaction_id:
            self._differs(Kind.DUPLICATE, row, ours, ledger)
            if row.transaction_id in self.seen_payments:
                return
        self.seen_payments.add(row.transaction_id)
        if ours is None:
            self._differs(Kind.MISSING_HERE, row, None, ledger)
            return
        if ours.total_fen != row.total_fen:
            self._differs(Kind.AMOUNT, row, ours, ledger)
        decided = ours.order_state in MONEY_DECIDED or ours.refunds_fen >= ours.total_fen
        if not decided or row.state not in PAID_STATES or ours.order_no != row.order_no:
            self._differs(Kind.STATE, row, ours, ledger)

    def _differs(self, kind: Kind, row: BilledPayment, ours: OurPayment | None, ledger: Ledger) -> None:
        state = ours.order_state if ours is not None else ledger.orders.get(row.order_no)
        self.differences.append(
            Difference(
                kind=kind,
                subject=Subject.PAYMENT,
                mchid=self.mchid,
                moment=row.moment,
                order_no=row.order_no,
                transaction_id=row.transaction_id,
                ours_fen=None if ours is None else ours.total_fen,
                theirs_fen=row.total_fen,
                ours_state=state or "",
                theirs_state=row.state,
            )
        )

    def _compare_refund(self, row: BilledRefund, ledger: Ledger) -> None:
        self.refunds.add(row.refund_fen)
        ours = ledger.refunds.get(row.out_refund_no)
        if row.out_refund_no in self.seen_refunds:
            self._refund_differs(Kind.DUPLICATE, row, ours)
            return
        self.seen_refunds.add(row.out_refund_no)
        if ours is None:
            self._refund_differs(Kind.MISSING_HERE, row, None)
            return
        if ours.amount_fen != row.refund_fen:
            self._refund_differs(Kind.AMOUNT, row, ours)
        may_be = REFUND_STATES.get(row.state, frozenset())
        if ours.state not in may_be or ours.order_no != row.order_no:
            self._refund_differs(Kind.STATE, row, ours)

    def _refund_differs(self, kind: Kind, row: BilledRefund, ours: OurRefund | None) -> None:
        self.differences.append(
            Difference(
                kind=kind,
                subject=Subject.REFUND,
                mchid=self.mchid,
                moment=row.moment,
                order_no=row.order_no,
                transaction_id=row.transaction_id,
                out_refund_no=row.out_refund_no,
                refund_id=row.refund_id,
                ours_fen=None if ours is None else ours.amount_fen,
                theirs_fen=row.refund_fen,
                ours_state="" if ours is None else ours.state,
                theirs_state=row.state,
            )
        )

    def unseen_payments(self, ours: Iterable[OurPayment]) -> list[OurPayment]:
        """Of our payments of the day, those that its bill lacks."""
        return [payment for payment in ours if payment.transaction_id not in self.seen_payments]

    def unseen_refunds(self, ours: Iterable[OurRefund]) -> list[OurRefund]:
        return [refund for refund in ours if refund.out_refund_no not in self.seen_refunds]


def unbilled_payment(ours: OurPayment) -> Difference:
    """A payment of ours that no bill around its day has."""
    return Difference(
        kind=Kind.MISSING_THERE,
        subject=Subject.PAYMENT,
        mchid=ours.mchid,
        moment=ours.moment,
        order_no=ours.order_no,
        transaction_id=ours.transaction_id,
        ours_fen=ours.total_fen,
        ours_state=ours.order_state or "",
    )


def unbilled_refund(ours: OurRefund) -> Difference:
    return Difference(
        kind=Kind.MISSING_THERE,
        subject=Subject.REFUND,
        mchid=ours.mchid,
        moment=ours.moment,
        order_no=ours.order_no,
        transaction_id=ours.transaction_id,
        out_refund_no=ours.out_refund_no,
        refund_id=ours.refund_id or "",
        ours_fen=ours.amount_fen,
        ours_state=ours.state,
    )
