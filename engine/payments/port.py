"""What the engine asks of a payment provider, and the values it gets back.

The rooms above know only this page; `engine.payments.wechat` is its first implementation. Three rules hold
for every provider:

* A refusal and an unknown outcome are values. An unknown outcome is never dressed up as a refusal, because
  units whose payment is unknown must stay held. Only a bug raises.
* A number (`order_no`, `out_refund_no`) is chosen by the engine and never changes on a repeat. It belongs to one
  merchant account (`mchid`), which the order remembers.
* What a notice or a report says is authentic, but not yet right: comparing amount, merchant, application and
  buyer with the order is the engine's business.

Times are aware datetimes, money is whole fen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from multidict import MultiMapping


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepayRequest:
    """One order to be paid. A repeat must be equal in every field; the provider compares them.

    order_no: 6 to 32 of [0-9A-Za-z_-]. total_fen: at least 1. expires_at: the last instant the buyer can pay.
    """

    order_no: str
    mchid: str
    description: str
    total_fen: int
    openid: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Prepaid:
    """The provider takes the money until `valid_until`; after it, ask again with the same request."""

    prepay_id: str
    valid_until: datetime


class RefusalKind(StrEnum):
    """Why there is no prepay_id, in the order a caller should consider them."""

    ALREADY_PAID = "ALREADY_PAID"  # query it: the money is there
    ALREADY_CLOSED = "ALREADY_CLOSED"  # this number is spent; only a new order can be paid
    NUMBER_TAKEN = "NUMBER_TAKEN"  # the number exists with other fields, or is paid: query it
    INVALID = "INVALID"  # a field is wrong; repeating cannot help
    FORBIDDEN = "FORBIDDEN"  # key, permission or account: somebody must look
    RATE_LIMITED = "RATE_LIMITED"  # over the merchant's quota; ask again later
    UNKNOWN = "UNKNOWN"  # no trustworthy answer; ask again later with the same request


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRefusal:
    """No prepay_id this time.

    maybe_created: whether a try of this call may nevertheless have created a payable trade. While it is true,
    "unknown order" from a query proves nothing until the call is certainly over.
    code: the provider's own code, "" if it gave none. detail: for logs; free of personal fields.
    """

    kind: RefusalKind
    maybe_created: bool
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidReport:
    """The provider's word that money moved, from a notice or a query."""

    order_no: str
    transaction_id: str
    total_fen: int
    mchid: str
    appid: str
    openid: str
    success_at: datetime


class TradeState(StrEnum):
    NOT_PAID = "NOT_PAID"  # may be paid at any moment; close it before releasing anything
    PAID = "PAID"  # also when it was refunded since
    CLOSED = "CLOSED"  # never paid, and can never be paid
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeReport:
    """What a query found. `paid` is there exactly when the state is PAID.

    signed: whether the provider's signature vouches for the state. PAID, NOT_PAID and CLOSED are never
    reported without it; UNKNOWN_ORDER may be, and then it is a hint only.
    """

    order_no: str
    state: TradeState
    signed: bool
    paid: PaidReport | None = None
    detail: str = ""

    def __post_init__(self) -> None:
        assert (self.state is TradeState.PAID) == (self.paid is not None)


class CloseResult(StrEnum):
    CLOSED = "CLOSED"  # definite: nobody can pay it any more
    PAID = "PAID"  # query it for the report
    UNKNOWN = "UNKNOWN"  # query, then decide


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """Money back, in full or in part, to the way it came.

    out_refund_no: up to 64 of [0-9A-Za-z_-], the same for ever. total_fen: what the order cost.
    sent_before: this number may have been sent earlier, so the provider is queried first.
    """

    out_refund_no: str
    order_no: str
    mchid: str
    refund_fen: int
    total_fen: int
    reason: str
    sent_before: bool = False


class CardOwner(StrEnum):
    """Whose bank card takes a refund that the buyer's own account could not."""

    BUYER = "BUYER"
    MERCHANT = "MERCHANT"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectRequest:
    """An ABNORMAL refund, sent to a bank card instead. The buyer's card and name are for BUYER alone, and never logged.

    bank_type: a code of the provider (`CMB_DEBIT`).
    """

    out_refund_no: str
    refund_id: str
    mchid: str
    owner: CardOwner
    bank_type: str
    bank_account: str = field(default="", repr=False)
    real_name: str = field(default="", repr=False)


class RefundState(StrEnum):
    PROCESSING = "PROCESSING"
    SUCCESS = "SUCCESS"
    ABNORMAL = "ABNORMAL"  # the buyer's account cannot take it: somebody must act
    CLOSED = "CLOSED"  # gave up; refunding again needs a new number
    UNKNOWN_REFUND = "UNKNOWN_REFUND"  # the provider never got it: send it again under the same number
    REFUSED = "REFUSED"  # nothing was moved, and the code says why
    UNKNOWN = "UNKNOWN"  # query, then decide


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundReport:
    """Where a refund stands. order_no, refund_id, refund_fen and success_at are there when the provider named them.

    may_repeat: for REFUSED and UNKNOWN, whether the very same request can succeed later.
    """

    out_refund_no: str
    state: RefundState
    refund_id: str | None = None
    refund_fen: int | None = None
    success_at: datetime | None = None
    order_no: str | None = field(default=None, compare=False)
    may_repeat: bool = False
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidNotice:
    """digest: 16 bytes of what was said, the same for every repeat; the same for all notices."""

    notice_id: str
    event_type: str
    digest: bytes
    paid: PaidReport


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundNotice:
    """state is SUCCESS, ABNORMAL or CLOSED."""

    notice_id: str
    event_type: str
    digest: bytes
    out_refund_no: str
    refund_id: str
    order_no: str
    transaction_id: str
    mchid: str
    state: RefundState
    refund_fen: int
    total_fen: int
    success_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherNotice:
    """Authentic, and about something else than this merchant's payments and refunds; `content` is its JSON."""

    notice_id: str
    event_type: str
    digest: bytes
    mchid: str
    content: Mapping[str, Any]


Notice = PaidNotice | RefundNotice | OtherNotice


class NotificationRefused(Exception):
    """The bytes are not a notice we can take: answer with `status`, count `reason`, do not echo the body."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


class PaymentProvider(Protocol):
    """`appid` is the application whose buyers pay; `mchids` are the merchant accounts it may pay to."""

    @property
    def appid(self) -> str: ...

    @property
    def mchids(self) -> frozenset[str]: ...

    def merchant_for(self, order_no: str) -> str:
        """The account a new order pays to, when its sale names none: the same for the same number and settings."""

    async def create(self, request: PrepayRequest) -> Prepaid | ProviderRefusal:
        """Makes the order payable, or finds that it is; repeats itself within a bounded time."""

    async def client_parameters(self, prepay_id: str, mchid: str) -> Mapping[str, str]:
        """What the buyer's device needs to pay, signed now."""

    async def query(self, order_no: str, mchid: str) -> TradeReport: ...

    async def close(self, order_no: str, mchid: str) -> CloseResult:
        """Makes the order unpayable for ever. Closing a closed order is CLOSED again."""

    async def refund(self, request: RefundRequest) -> RefundReport: ...

    async def query_refund(self, out_refund_no: str, mchid: str) -> RefundReport: ...

    async def redirect_refund(self, request: RedirectRequest) -> RefundReport:
        """Sends an ABNORMAL refund to a bank card. PROCESSING, REFUSED or UNKNOWN; query before a repeat."""

    def read_notification(self, headers: MultiMapping[str], raw_body: bytes, now_s: float) -> Notice:
        """Checks, decrypts and reads one notice; pure. `headers` must look names up without regard to case.

        Raises NotificationRefused, and nothing else, whatever the bytes.
        """
