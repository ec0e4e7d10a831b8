"""The trade bill against the fund-flow bill: whether every payment and refund of ours moved the account by what the
trade bill says. Pure.

Per business number (WeChat's number of the payment or of the refund) all rows and all movements are summed up: a
payment is its settled sum less the fee, a refund takes its settled sum less the fee it gives back. A refund that was
not through when the bill was cut, and a payment that was undone, may have moved nothing in the end. Movements of no
payment or refund of ours, such as withdrawals or another shop's sales, are counted and left alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from engine.orders.records import ORDER_NO_CHARS, is_order_no
from engine.payments.bills.format import MILLIFEN_OF_FEN, round_fen
from engine.payments.bills.matching import Sum, is_ours
from engine.payments.bills.records import BilledPayment, BilledRow, Difference, Kind, Movement, Subject

REFUND_NO_PREFIX = "R"
SETTLED = frozenset({"SUCCESS", "REFUND"})


@dataclass(slots=True)
class Account:
    """One business number: what the trade bill says it moved, and what it moved."""

    moment: datetime
    billed_millifen: int = 0
    moved_fen: int = 0
    billed: bool = False
    moved: bool = False
    may_be_still: bool = False
    order_no: str = ""
    transaction_id: str = ""
    out_refund_no: str = ""
    refund_id: str = ""

    @property
    def agrees(self) -> bool:
        """The account moves in whole fen, so a fee with a fraction of one may differ by less than a fen."""
        if self.may_be_still and self.moved_fen == 0:
            return True
        same = abs(self.billed_millifen - self.moved_fen * MILLIFEN_OF_FEN) < MILLIFEN_OF_FEN
        return same and self.billed and self.moved

    def difference(self, mchid: str) -> Difference:
        unmatched = Kind.MISSING_THERE if self.billed else Kind.MISSING_HERE
        return Difference(
            kind=Kind.AMOUNT if self.billed and self.moved else unmatched,
            subject=Subject.FUNDS,
            mchid=mchid,
            moment=self.moment,
            order_no=self.order_no,
            transaction_id=self.transaction_id,
            out_refund_no=self.out_refund_no,
            refund_id=self.refund_id,
            ours_fen=round_fen(self.billed_millifen) if self.billed else None,
            theirs_fen=self.moved_fen if self.moved else None,
        )


def is_our_voucher(voucher: str) -> bool:
    """Whether this number of the merchant is one of our orders or refunds."""
    return is_order_no(voucher.removeprefix(REFUND_NO_PREFIX)[:ORDER_NO_CHARS])


@dataclass(slots=True)
class Flow:
    """Our business numbers of one merchant and day, and the account's movements."""

    appid: str
    income: Sum = field(default_factory=Sum)
    outgo: Sum = field(default_factory=Sum)
    other: Sum = field(default_factory=Sum)
    accounts: dict[str, Account] = field(default_factory=dict)
    _left: set[str] = field(default_factory=set)

    def bill(self, rows: Iterable[BilledRow]) -> None:
        """Rows of the trade bill. All of them must be in before the first movement."""
        for row in rows:
            if not is_ours(row, self.appid):
                if is_our_voucher(row.order_no):  # another application that numbers its orders as we do
                    self._left.add(_number(row))
            else:
                _bill(self._account(_number(row), row.moment), row)

    def move(self, movements: Iterable[Movement]) -> None:
        """Movements of the day."""
        for movement in movements:
            account = self.accounts.get(movement.business_no)
            if account is None:
                if movement.business_no in self._left or not is_our_voucher(movement.voucher):
                    self.other.add(movement.amount_fen)
                    continue
                account = self._account(movement.business_no, movement.moment)
                _name(account, movement)
            (self.income if movement.amount_fen > 0 else self.outgo).add(movement.amount_fen)
            account.moved_fen += movement.amount_fen
            account.moved = True

    def _account(self, number: str, moment: datetime) -> Account:
        return self.accounts.setdefault(number, Account(moment))

    def disagreeing(self) -> dict[str, Account]:
        return {number: account for number, account in self.accounts.items() if not account.agrees}

    @property
    def billed_fen(self) -> int:
        """What the trade bill says our payments and refunds moved in all."""
        return round_fen(sum(account.billed_millifen for account in self.accounts.values()))

    @property
    def moved_fen(self) -> int:
        return self.income.fen + self.outgo.fen


def bill_more(accounts: Mapping[str, Account], rows: Iterable[BilledRow]) -> None:
    """A neighbour's trade bill: only what these accounts lack."""
    for row in rows:
        account = accounts.get(_number(row))
        if account is not None:
            _bill(account, row)


def move_more(accounts: Mapping[str, Account], movements: Iterable[Movement]) -> None:
    """A neighbour's fund-flow bill, likewise."""
    for movement in movements:
        account = accounts.get(movement.business_no)
        if account is not None:
            account.moved_fen += movement.amount_fen
            account.moved = True


def _number(row: BilledRow) -> str:
    return row.transaction_id if isinstance(row, BilledPayment) else row.refund_id


def _bill(account: Account, row: BilledRow) -> None:
    if isinstance(row, BilledPayment):
        account.billed_millifen += row.settled_fen * MILLIFEN_OF_FEN - row.fee_millifen
    else:
        account.billed_millifen -= row.settled_fen * MILLIFEN_OF_FEN + row.fee_millifen
        account.out_refund_no, account.refund_id = row.out_refund_no, row.refund_id
    account.billed = True
    account.may_be_still = row.state not in SETTLED
    account.order_no, account.transaction_id = row.order_no, row.transaction_id


def _name(account: Account, movement: Movement) -> None:
    if movement.voucher.startswith(REFUND_NO_PREFIX):
        account.out_refund_no, account.refund_id = movement.voucher, movement.business_no
        account.order_no = movement.voucher[len(REFUND_NO_PREFIX) :][:ORDER_NO_CHARS]
    else:
        account.order_no, account.transaction_id = movement.voucher, movement.business_no
