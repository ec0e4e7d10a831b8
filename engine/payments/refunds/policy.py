"""What a buyer gets back on asking: a share of the price of the chosen tickets, by whole days before the session.

A tier counts from the start of the session backwards, by the clock on the wall where the sale is: "7 days before" a
session on Friday at half past seven ends on the Friday before, at half past seven. Of the tiers that still fit, the
one with the most days counts; when none fits, or the session has begun, nothing goes back. A ticket goes by its own
session. The share is rounded down to a fen, ticket by ticket, so that tickets given back one by one give the same as
all at once, and never more than was paid. A cancelled session gives everything back.

Pure: the clock is an argument.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

WHOLE_PERCENT = 100
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Whoever asks at least so many whole days before the session gets so much of the price."""

    days_before: int
    percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """Tickets of one SKU that could go back; `cancelled`: their session does not take place."""

    sku_id: str
    quantity: int
    price_fen: int
    starts_at: datetime
    cancelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferLine:
    """What the tickets of one SKU would give now."""

    sku_id: str
    quantity: int
    percent: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Offer:
    """What the buyer would get; tickets that give nothing are part of it."""

    lines: tuple[OfferLine, ...]

    @property
    def amount_fen(self) -> int:
        return sum(line.amount_fen for line in self.lines)

    @property
    def whole(self) -> bool:
        """Whether something is given for every ticket: nobody gives a ticket back for nothing by mistake."""
        return bool(self.lines) and all(line.percent > 0 for line in self.lines)


def days_before(now: datetime, starts_at: datetime, zone: tzinfo) -> int | None:
    """Whole days from now until the session starts; None once it has started."""
    now, starts_at = now.astimezone(UTC), starts_at.astimezone(UTC)  # instants are compared, not clocks on walls
    if now >= starts_at:
        return None
    wall_start = starts_at.astimezone(zone).replace(tzinfo=None)
    days = (wall_start - now.astimezone(zone).replace(tzinfo=None)) // DAY + 1
    # A clock that was set forward or back in between makes a day longer or shorter: the instants decide.
    while days > 0 and now > _instant(wall_start - days * DAY, zone):
        days -= 1
    return days


def percent_at(tiers: Sequence[Tier], days: int | None) -> int:
    """The share of the tier with the most days that still fits."""
    if days is None:
        return 0
    fitting = [tier for tier in tiers if tier.days_before <= days]
    return max(fitting, key=lambda tier: tier.days_before).percent if fitting else 0


def offer(offered: Sequence[Offered], tiers: Sequence[Tier], zone: tzinfo, now: datetime) -> Offer:
    """What these tickets would give now."""
    lines = []
    for one in offered:
        percent = WHOLE_PERCENT if one.cancelled else percent_at(tiers, days_before(now, one.starts_at, zone))
        lines.append(
            OfferLine(
                sku_id=one.sku_id,
                quantity=one.quantity,
                percent=percent,
                amount_fen=one.price_fen * percent // WHOLE_PERCENT * one.quantity,
            )
        )
    return Offer(tuple(lines))


def _instant(wall: datetime, zone: tzinfo) -> datetime:
    return wall.replace(tzinfo=zone).astimezone(UTC)
