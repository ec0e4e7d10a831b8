"""What can be sold: an event's sessions and their SKUs, and the sales that offer them.

Plain records without behaviour; instants are milliseconds since the epoch, money is fen. A record that exists
was validated by the sale file's reader or read from the ledger, so nobody below checks it again.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    event_id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One date and place of an event."""

    session_id: str
    event_id: str
    title: str
    venue: str
    starts_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sku:
    """One tier of one session, sold in units."""

    sku_id: str
    session_id: str
    title: str
    price_fen: int
    capacity: int
    per_order_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """A window that offers SKUs of one event to a lane, in the order the organizer gave them."""

    sale_id: str
    title: str
    event: Event
    sessions: tuple[Session, ...]
    skus: tuple[Sku, ...]
    lane: str
    opens_ms: int
    closes_ms: int
    time_zone: str
    hold_s: int
    per_buyer_max: int
    line_rate: int
    paused: bool = False
    epoch: int = 0
