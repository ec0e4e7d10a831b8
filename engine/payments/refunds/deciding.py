"""What a wish comes to, for an order as it stands. Pure: the book reads the standing under the order's lock and
writes the plan down.

What always holds: the refunds of an order that are not closed never exceed what was paid for it, a ticket is taken
back once, and an order has at most one refund under way. The last also keeps WeChat's rules easy: its numbers count
up, and the next one waits for a minute after the last one was sent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.orders.states import MOVES, Event, State
from engine.payments.refunds.wishes import RefundCode, RefundRefusal, RefundWish
from engine.stock.claim import Item

REFUNDS_MAX = 50  # partial refunds of one order, by WeChat's rules
REFUNDABLE = timedelta(days=365)  # after the payment, by WeChat's rules
# WeChat wants a minute between two refunds of one order. We count from the moment a call began, and it may take a
# while to arrive.
REFUND_SPACING_S = 75.0


@dataclass(frozen=True, slots=True)
class Ticket:
    """One line of an order. `taken`: given up in refunds so far; `returned`: of those, for sale again."""

    sku_id: str
    session_id: str
    quantity: int
    price_fen: int
    returned: int
    taken: int

    @property
    def left(self) -> int:
        return self.quantity - self.taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """The money of an order."""

    transaction_id: str
    mchid: str
    total_fen: int
    success_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An order before a decision. `refunded_fen`: in all refunds that are not closed; `refunds`: closed ones too."""

    order_no: str
    sale_id: str
    state: State
    has_units: bool
    payment: Payment | None
    refunded_fen: int
    refunds: int
    last_sent_at: datetime | None
    tickets: tuple[Ticket, ...]
    now: datetime

    @property
    def left_fen(self) -> int:
        """What can still go back."""
        return max(0, (self.payment.total_fen if self.payment else 0) - self.refunded_fen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to write down. `out_refund_no` is None when no money moves."""

    standing: Standing
    state: State
    out_refund_no: str | None
    amount_fen: int
    items: tuple[Item, ...]
    units_back: bool
    has_units: bool
    next_check_at: datetime


def plan(
    standing: Standing, wish: RefundWish, *, session_id: str | None = None, spacing_s: float = REFUND_SPACING_S
) -> Plan | RefundRefusal:
    """What the wish comes to. With a session, a `whole` wish means the tickets of that session alone."""
    refusal = refusal_of(standing, State.PAID)
    if refusal is not None:
        return RefundRefusal(refusal)
    items, amount_fen = _asked(standing, wish, session_id)
    left = {ticket.sku_id: ticket.left for ticket in standing.tickets}
    if len({item.sku_id for item in items}) < len(items) or any(
        item.quantity > left.get(item.sku_id, 0) for item in items
    ):
        return RefundRefusal(RefundCode.TOO_MUCH)
    if amount_fen > standing.left_fen:
        return RefundRefusal(RefundCode.TOO_MUCH)
    free = amount_fen == 0
    if free and not (items and _price_fen(standing, items) == 0):
        return RefundRefusal(RefundCode.NOTHING_TO_REFUND)
    back = sum(item.quantity for item in items) if wish.units_back and standing.has_units else 0
    held = sum(ticket.quantity - ticket.returned for ticket in standing.tickets)
    taken = sum(ticket.taken for ticket in standing.tickets) + sum(item.quantity for item in items)
    whole_free = free and standing.left_fen == 0 and taken == sum(ticket.quantity for ticket in standing.tickets)
    return Plan(
        standing=standing,
        state=_free_state(whole=whole_free) if free else MOVES[State.PAID, Event.REFUND_DECIDED],
        out_refund_no=None if free else next_refund_no(standing),
        amount_fen=amount_fen,
        items=items,
        units_back=back > 0,
        has_units=standing.has_units and held > back,
        next_check_at=not_before(standing, spacing_s=spacing_s),
    )


def plan_again(
    standing: Standing, amount_fen: int, items: tuple[Item, ...], *, closed: bool, spacing_s: float = REFUND_SPACING_S
) -> Plan | RefundRefusal:
    """A closed refund under a new number, of what is left if part of it went back elsewhere. Its tickets are taken
    back and its units told of already."""
    refusal = refusal_of(standing, State.REFUND_FAILED)
    if refusal is not None:
        return RefundRefusal(refusal)
    if not closed:
        return RefundRefusal(RefundCode.NOT_REFUNDABLE)
    amount_fen = min(amount_fen, standing.left_fen)
    if not amount_fen:
        return RefundRefusal(RefundCode.TOO_MUCH)
    return Plan(
        standing=standing,
        state=MOVES[State.REFUND_FAILED, Event.REFUND_DECIDED],
        out_refund_no=next_refund_no(standing),
        amount_fen=amount_fen,
        items=items,
        units_back=False,
        has_units=standing.has_units,
        next_check_at=not_before(standing, spacing_s=spacing_s),
    )


def refusal_of(standing: Standing, state: State) -> RefundCode | None:
    """Why nothing can be refunded to this order at all, unless it stands in this state."""
    if standing.state is not state:
        under_way = standing.state is State.REFUNDING
        return RefundCode.REFUND_UNDER_WAY if under_way else RefundCode.NOT_REFUNDABLE
    if standing.payment is not None and standing.now > standing.payment.success_at + REFUNDABLE:
        return RefundCode.TOO_LATE
    return RefundCode.TOO_MANY if standing.refunds >= REFUNDS_MAX else None


def next_refund_no(standing: Standing) -> str:
    """The number of the order's next refund. Late money alone has the number without a count."""
    return f"R{standing.order_no}-{standing.refunds + 1}"


def not_before(standing: Standing, *, spacing_s: float) -> datetime:
    """When the next refund may be sent."""
    if standing.last_sent_at is None:
        return standing.now
    return max(standing.now, standing.last_sent_at + timedelta(seconds=spacing_s))


def kept_of(standing: Standing, planned: Plan | None = None) -> tuple[Item, ...]:
    """The units that count for the order, after the plan if there is one: what Redis has to be told."""
    if not (planned.has_units if planned else standing.has_units):
        return ()
    back = {item.sku_id: item.quantity for item in planned.items} if planned and planned.units_back else {}
    kept = (
        Item(ticket.sku_id, ticket.quantity - ticket.returned - back.get(ticket.sku_id, 0))
        for ticket in standing.tickets
    )
    return tuple(item for item in kept if item.quantity > 0)


def _asked(standing: Standing, wish: RefundWish, session_id: str | None) -> tuple[tuple[Item, ...], int]:
    """Tickets and money that the wish means."""
    items = wish.items
    if wish.whole:
        items = tuple(
            Item(ticket.sku_id, ticket.left)
            for ticket in standing.tickets
            if ticket.left > 0 and session_id in (None, ticket.session_id)
        )
        if session_id is None:
            return items, standing.left_fen
    if wish.amount_fen is not None:
        return items, wish.amount_fen
    return items, min(standing.left_fen, _price_fen(standing, items))


def _price_fen(standing: Standing, items: tuple[Item, ...]) -> int:
    prices = {ticket.sku_id: ticket.price_fen for ticket in standing.tickets}
    return sum(item.quantity * prices.get(item.sku_id, 0) for item in items)


def _free_state(*, whole: bool) -> State:
    """Where tickets without a price leave the order: nothing is sent, so it is refunded as soon as it is decided."""
    event = Event.REFUNDED if whole else Event.REFUNDED_IN_PART
    return MOVES[MOVES[State.PAID, Event.REFUND_DECIDED], event]
