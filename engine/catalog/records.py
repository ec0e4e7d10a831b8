"""What can be sold: an event's sessions and their SKUs, and the sales that offer them.

Plain records without behaviour; instants are milliseconds since the epoch, money is fen. A record that exists
was validated by the sale file's reader or read from the ledger, so nobody below checks it again.
"""

import enum
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


class Entry(enum.StrEnum):
    """Who may join a lane."""

    EVERYONE = "everyone"
    CODES = "codes"
    MEMBERS = "members"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One of the queues of a sale's line, by its ordinal in the organizer's order.

    weight: its share of those who are let through, beside the others'. quota_units: how many units its buyers may
    hold or have bought, together; None is no bound.
    """

    ordinal: int
    lane_id: str
    title: str = ""
    entry: Entry = Entry.EVERYONE
    weight: int = 1
    quota_units: int | None = None

    def __str__(self) -> str:
        title = f" {self.title!r}" if self.title else ""
        quota = "" if self.quota_units is None else f", at most {self.quota_units} units"
        return f"{self.lane_id}{title} ({self.entry}, weight {self.weight}{quota})"


class Challenge(enum.StrEnum):
    """When a buyer who joins has to prove some work first."""

    OFF = "off"
    SUSPICIOUS = "suspicious"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """A window that offers SKUs of one event, in the order the organizer gave them, to the people of its line.

    line_rate, line_concurrency: how many people are let through a second, and how many may be at the till at once;
    one of the two at least.
    lobby_opens_ms, lobby_closes_ms: when people may gather and when the draw is made; None: from the beginning, and
    when the sale opens.
    beacon_url, beacon_round: public randomness for the draw, if any. challenge: whether joining takes some work.
    round: how often units were put up again after the sale was sold out for good; final_round: the round that ended so.

    refunds: what a buyer gets back on asking, most days first; without tiers only the organizer refunds.
    refund_units_back: whether the units of a refund that a buyer asked for are for sale again.
    mchid: the merchant account that takes the sale's money; None leaves the choice to the settings.
    """

    sale_id: str
    title: str
    event: Event
    sessions: tuple[Session, ...]
    skus: tuple[Sku, ...]
    lanes: tuple[Lane, ...]
    opens_ms: int
    closes_ms: int
    time_zone: str
    hold_s: int
    per_buyer_max: int
    line_rate: int | None
    line_concurrency: int | None = None
    refunds: tuple[RefundTier, ...] = ()
    refund_units_back: bool = True
    mchid: str | None = None
    lobby_opens_ms: int | None = None
    lobby_closes_ms: int | None = None
    beacon_url: str | None = None
    beacon_round: int | None = None
    challenge: Challenge = Challenge.OFF
    round: int = 1
    final_round: int = 0
    paused: bool = False
    epoch: int = 0

    @property
    def draws_ms(self) -> int:
        """When the lobby closes and the draw is made."""
        return self.opens_ms if self.lobby_closes_ms is None else self.lobby_closes_ms

    @property
    def sold_out_for_good(self) -> bool:
        """Whether this round has ended with every unit sold."""
        return self.final_round == self.round
