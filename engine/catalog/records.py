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
    """One date and place of an event. `cancelled`: it will not take place, and its tickets are refunded."""

    session_id: str
    event_id: str
    title: str
    venue: str
    starts_ms: int
    cancelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sku:
    """One tier of one session, sold in units. `withdrawn`: its session is cancelled."""

    sku_id: str
    session_id: str
    title: str
    price_fen: int
    capacity: int
    per_order_max: int
    withdrawn: bool = False

    @property
    def offered(self) -> int:
        """The units that Redis may give out; the capacity itself stays as the organizer wrote it."""
        return 0 if self.withdrawn else self.capacity


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundTier:
    """Who asks so many whole days before the session, or earlier, gets this percentage of the price back."""

    days_before: int
    percent: int

    def __str__(self) -> str:
        return f"{self.percent} % until {self.days_before} days before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """A window that offers SKUs of one event to a lane, in the order the organizer gave them.

    refunds: what a buyer gets back on asking, most days first; without tiers only the organizer refunds.
    refund_units_back: whether the units of a refund that a buyer asked for are for sale again.
    mchid: the merchant account that takes the sale's money; None leaves the choice to the settings.
    """

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
    refunds: tuple[RefundTier, ...] = ()
    refund_units_back: bool = True
    mchid: str | None = None
    paused: bool = False
    epoch: int = 0
