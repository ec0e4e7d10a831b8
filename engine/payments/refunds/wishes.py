"""What can be asked of the refund book, and what it answers.

A wish names tickets, a sum, both, or everything that is left. A refusal is a value with a code; the codes stand in
the order in which they are checked.
"""

import enum
from dataclasses import dataclass

from engine.stock.claim import Item


class Cause(enum.StrEnum):
    """Why money goes back; as the enum `refund_cause` of the database."""

    LATE = "late"
    MISPAID = "mispaid"
    UNKNOWN_ORDER = "unknown_order"
    BUYER = "buyer"
    ORGANIZER = "organizer"
    SESSION_CANCELLED = "session_cancelled"


class RefundCode(enum.StrEnum):
    """Why nothing was decided."""

    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    UNKNOWN_REFUND = "UNKNOWN_REFUND"
    KEY_REUSED = "KEY_REUSED"
    NOT_FAILED = "NOT_FAILED"
    NOT_TAKEN = "NOT_TAKEN"
    REFUND_UNDER_WAY = "REFUND_UNDER_WAY"
    NOT_REFUNDABLE = "NOT_REFUNDABLE"
    TOO_LATE = "TOO_LATE"
    TOO_MANY = "TOO_MANY"
    TOO_MUCH = "TOO_MUCH"
    NOTHING_TO_REFUND = "NOTHING_TO_REFUND"


@dataclass(frozen=True, slots=True)
class RequestKey:
    """What makes a request be done once: `request_id` is the same for its repeats, `digest` for the same content."""

    request_id: bytes
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundWish:
    """One order's money, as somebody wants it back.

    `whole`: all that is left of money and tickets. `items` alone: these tickets at their price, at most what is left
    of the money. `items` with `amount_fen`: these tickets for this sum. `amount_fen` alone: a sum, and the buyer keeps
    the tickets. `units_back`: the tickets are for sale again.
    """

    order_no: str
    cause: Cause
    reason: str
    units_back: bool
    whole: bool = False
    items: tuple[Item, ...] = ()
    amount_fen: int | None = None
    key: RequestKey | None = None

    def __post_init__(self) -> None:
        assert self.whole != (bool(self.items) or self.amount_fen is not None), "a wish says one thing"
        assert self.amount_fen is None or self.amount_fen >= 0
        assert all(item.quantity >= 1 for item in self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was written down, and is now certain to happen.

    `out_refund_no` is None when only tickets without a price went back: then there is nothing to send. `items` were
    taken back by this decision; `kept` are the units that still count for the order, which is what Redis has to be
    told; without any, `has_units` is false. `repeated`: an earlier request with this key decided it.
    """

    order_no: str
    sale_id: str
    out_refund_no: str | None
    amount_fen: int
    items: tuple[Item, ...]
    kept: tuple[Item, ...]
    has_units: bool
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class RefundRefusal:
    """Nothing was decided."""

    code: RefundCode
