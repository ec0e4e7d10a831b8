"""What is compared, and what a comparison can find. Money is whole fen; fees are thousandths of a fen, because bills
write them with five decimals of a yuan. Moments are aware datetimes."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class BilledPayment:
    """A payment as the trade bill has it: SUCCESS, or REVOKED when it was undone."""

    moment: datetime
    appid: str
    mchid: str
    transaction_id: str
    order_no: str
    state: str
    total_fen: int
    settled_fen: int
    fee_millifen: int


@dataclass(frozen=True, slots=True)
class BilledRefund:
    """A refund as the trade bill has it, in the state it had when the bill was cut: SUCCESS, PROCESSING, FAIL, CHANGE.

    refund_fen is what was asked for, settled_fen what left the account without coupons.
    """

    moment: datetime
    appid: str
    mchid: str
    transaction_id: str
    order_no: str
    refund_id: str
    out_refund_no: str
    state: str
    refund_fen: int
    settled_fen: int
    fee_millifen: int


BilledRow = BilledPayment | BilledRefund


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of the fund-flow bill; amount_fen is negative for an outgo. business_no is WeChat's number of the
    payment or the refund, voucher ours."""

    moment: datetime
    business_no: str
    business: str
    amount_fen: int
    voucher: str


@dataclass(frozen=True, slots=True)
class OurPayment:
    """A payment in our ledger. order_state is None when the order is unknown; refunds_fen is what of it went or is
    going back."""

    transaction_id: str
    order_no: str
    mchid: str
    total_fen: int
    moment: datetime
    order_state: str | None
    refunds_fen: int = 0


@dataclass(frozen=True, slots=True)
class OurRefund:
    """A refund in our ledger; moment is when it was sent."""

    out_refund_no: str
    refund_id: str | None
    order_no: str
    transaction_id: str
    mchid: str
    amount_fen: int
    state: str
    moment: datetime


class Subject(StrEnum):
    """What differs. For FUNDS, `ours` is what the trade bill says and `theirs` what the fund-flow bill says."""

    PAYMENT = "payment"
    REFUND = "refund"
    FUNDS = "funds"


class Kind(StrEnum):
    """The five classes, in the order they are reported."""

    MISSING_HERE = "missing_here"  # WeChat has money that we do not know
    MISSING_THERE = "missing_there"  # we have money that WeChat does not bill
    AMOUNT = "amount"
    STATE = "state"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as it should be. An amount or state is None where there is none to compare.

    ours_state: of our order for a payment, of our refund for a refund; "" when we know neither.
    outcome: what a repair made of it, "" before or without one; repaired: whether nothing is left to do.
    """

    kind: Kind
    subject: Subject
    mchid: str
    moment: datetime
    order_no: str = ""
    transaction_id: str = ""
    out_refund_no: str = ""
    refund_id: str = ""
    ours_fen: int | None = None
    theirs_fen: int | None = None
    ours_state: str = ""
    theirs_state: str = ""
    outcome: str = ""
    repaired: bool = False

    @property
    def order_known(self) -> bool:
        return self.ours_state != ""
