"""One order as its buyer was told of it, and which states may follow the one that was told. Pure.

The moves are the engine's own (docs/orders.md); a test keeps them equal, since nothing here imports the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MOVES: Mapping[str, frozenset[str]] = {
    "held": frozenset({"paying", "released", "paid", "refunding"}),
    "paying": frozenset({"paid", "closing", "refunding"}),
    "closing": frozenset({"released", "paid", "refunding"}),
    "released": frozenset({"paid", "refunding"}),
    "paid": frozenset({"refunding"}),
    "refunding": frozenset({"refunded", "refund_failed", "paid"}),
    "refund_failed": frozenset({"refunding", "refunded", "paid"}),
    "refunded": frozenset(),
}


def reachable(state: str) -> frozenset[str]:
    """The state itself and every state that an order told to be in it may be in later."""
    seen = {state}
    todo = [state]
    while todo:
        for following in MOVES.get(todo.pop(), ()):
            if following not in seen:
                seen.add(following)
                todo.append(following)
    return frozenset(seen)


@dataclass(slots=True)
class Told:
    """One acknowledged order as its buyer knows it; `state` is the last one the engine told."""

    openid: str
    order_no: str
    units: tuple[tuple[str, int], ...]
    amount_fen: int
    deadline_ms: int
    state: str
    transactions: set[str] = field(default_factory=set)
    """What WeChat told the buyer's phone, once for each payment that it called successful."""
