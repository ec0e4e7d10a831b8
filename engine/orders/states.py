"""The life of an order: one table, and nothing else changes a state.

Every pair of a state and an event is a move, a harmless repeat, or a bug. The SQL takes the states it may leave
from `sources`, the documentation draws its picture from `diagram`, and a test compares the states with the enum of
the database.

Money decides: a payment that WeChat reports moves every order that still has its units to `paid`, whatever we
thought of it; for a released order it asks for a decision (`paid` again, or `refunding`). Money that is not the
order's (another amount, another buyer) sends the order to `refunding` once WeChat confirmed it. An order without a
price is `paid` from the start.
"""

import enum


class State(enum.StrEnum):
    """As the enum `order_state` of the database."""

    HELD = "held"
    PAYING = "paying"
    CLOSING = "closing"
    PAID = "paid"
    RELEASED = "released"
    REFUNDING = "refunding"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"


class Event(enum.StrEnum):
    """What happens to an order, as a past participle."""

    PAYMENT_STARTED = "payment_started"
    LAPSED = "lapsed"
    CANCELLED = "cancelled"
    FOUND_UNPAID = "found_unpaid"
    PAID = "paid"
    RETAKEN = "retaken"
    MISPAID = "mispaid"
    PAID_TOO_LATE = "paid_too_late"
    REFUND_DECIDED = "refund_decided"
    REFUNDED = "refunded"
    REFUNDED_IN_PART = "refunded_in_part"
    REFUND_FAILED = "refund_failed"


MOVES: dict[tuple[State, Event], State] = {
    (State.HELD, Event.PAYMENT_STARTED): State.PAYING,
    (State.HELD, Event.LAPSED): State.RELEASED,
    (State.HELD, Event.CANCELLED): State.RELEASED,
    (State.HELD, Event.PAID): State.PAID,
    (State.PAYING, Event.LAPSED): State.CLOSING,
    (State.PAYING, Event.CANCELLED): State.CLOSING,
    (State.PAYING, Event.PAID): State.PAID,
    (State.CLOSING, Event.FOUND_UNPAID): State.RELEASED,
    (State.CLOSING, Event.PAID): State.PAID,
    (State.HELD, Event.MISPAID): State.REFUNDING,
    (State.PAYING, Event.MISPAID): State.REFUNDING,
    (State.CLOSING, Event.MISPAID): State.REFUNDING,
    (State.RELEASED, Event.MISPAID): State.REFUNDING,
    (State.RELEASED, Event.RETAKEN): State.PAID,
    (State.RELEASED, Event.PAID_TOO_LATE): State.REFUNDING,
    (State.PAID, Event.REFUND_DECIDED): State.REFUNDING,
    (State.REFUNDING, Event.REFUNDED): State.REFUNDED,
    (State.REFUNDING, Event.REFUNDED_IN_PART): State.PAID,
    (State.REFUNDING, Event.REFUND_FAILED): State.REFUND_FAILED,
    (State.REFUND_FAILED, Event.REFUNDED): State.REFUNDED,
    (State.REFUND_FAILED, Event.REFUNDED_IN_PART): State.PAID,
    (State.REFUND_FAILED, Event.REFUND_DECIDED): State.REFUNDING,
}

HARMLESS: frozenset[tuple[State, Event]] = frozenset(
    {
        (State.PAYING, Event.PAYMENT_STARTED),
        (State.PAID, Event.PAID),
        (State.PAID, Event.RETAKEN),
        (State.PAID, Event.LAPSED),
        (State.PAID, Event.FOUND_UNPAID),
        (State.CLOSING, Event.LAPSED),
        (State.CLOSING, Event.CANCELLED),
        (State.RELEASED, Event.LAPSED),
        (State.RELEASED, Event.CANCELLED),
        (State.RELEASED, Event.FOUND_UNPAID),
        (State.REFUNDING, Event.PAID),
        (State.REFUNDING, Event.REFUND_DECIDED),
        (State.REFUNDED, Event.PAID),
        (State.REFUNDED, Event.REFUNDED),
        (State.PAID, Event.PAID_TOO_LATE),
        (State.REFUNDING, Event.PAID_TOO_LATE),
        (State.REFUNDED, Event.PAID_TOO_LATE),
        (State.REFUNDING, Event.MISPAID),
        (State.REFUNDED, Event.MISPAID),
        (State.REFUND_FAILED, Event.PAID),
        (State.REFUND_FAILED, Event.REFUND_FAILED),
    }
)

OPEN: tuple[State, ...] = (State.HELD, State.PAYING, State.CLOSING)


def sources(event: Event, to: State) -> list[str]:
    """The states from which this event moves an order to `to`, as the database spells them."""
    return [state.value for (state, moved_by), after in MOVES.items() if moved_by is event and after is to]


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> held", "    [*] --> paid: free"]
    lines += [f"    {state} --> {after}: {event}" for (state, event), after in MOVES.items()]
    return "\n".join(lines)
