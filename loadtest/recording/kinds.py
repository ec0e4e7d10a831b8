"""Kinds of request and of good outcome: the words that every count, histogram, SLO and chart of a run uses.

A wire names each request by its route (`join`, `line`, `order` ...). What a person came for is counted as goodput, by
kind and never as a sum: a hundred thousand polls do not make up for one lost order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Goodput = Literal["joins", "polls", "passes", "orders", "refusals", "checkouts", "payments"]
"""joins      a place given, or shown again
polls      the line document, or one's own place
passes     the right to order
orders     held: acknowledged after the ledger has it; a repeated request gets its order again, and counts again
refusals   an order answered no, with a code
checkouts  the parameters for WeChat's cashier
payments   orders that the engine called paid to their buyer"""
GOODPUTS: tuple[Goodput, ...] = get_args(Goodput)

PAID = "paid"
"""The kind under which the crowd records that an order is paid as far as its buyer was told."""

BY_REQUEST: Mapping[str, Goodput] = {
    "join": "joins",
    "line": "polls",
    "where": "polls",
    "pass": "passes",
    "order": "orders",
    "payment": "checkouts",
    PAID: "payments",
}
"""Kind of request to what its good answers are."""


def goodput_of(kind: str, outcome: str) -> Goodput | None:
    """What an answer counts as; None for an outage, for a refusal that is no answer to an order, and for requests
    that nobody comes for (login, the wallet, readings of one's own order)."""
    if outcome.startswith("outage:"):
        return None
    if outcome.isdigit():
        return BY_REQUEST.get(kind) if int(outcome) < 400 else None
    return "refusals" if kind == "order" else None


def requests_of(goodput: Goodput) -> tuple[str, ...]:
    """The kinds of request that people make for it. A refusal comes of asking for an order."""
    return ("order",) if goodput == "refusals" else tuple(kind for kind, good in BY_REQUEST.items() if good == goodput)
