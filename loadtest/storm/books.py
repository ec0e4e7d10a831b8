"""The three accounts after a storm, and the verdict: every fen is one paid order or one refund.

Pure: WeChat's ledger, what the buyers can read and the bill's differences come in, counts and reasons go out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

RESTING = frozenset({"paid", "released", "refunded"})
EXAMPLES_MAX = 5


@dataclass(frozen=True, slots=True)
class Trade:
    """One order at WeChat: what came, and what went back."""

    order_no: str
    came_fen: int
    refunded_fen: int
    refunding_fen: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """One order as its buyer reads it."""

    order_no: str
    state: str
    amount_fen: int
    refunded_fen: int

    @property
    def keeps_fen(self) -> int:
        """What the seller may keep of it."""
        return self.amount_fen - self.refunded_fen if self.state == "paid" else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`lost`: money that came and stays without its order. `double`: orders that took or gave more than once, or are
    paid by less than they cost. `unresolved`: orders and notices without an end."""

    orders: int
    paid: int
    paid_fen: int
    refunded: int
    refunded_fen: int
    lost: int
    double: int
    unresolved: int
    reasons: Sequence[str] = field(default_factory=tuple)


def judge(
    trades: Mapping[str, Trade], claims: Mapping[str, Claimed], *, acknowledged: Sequence[str], open_notices: int
) -> Verdict:
    """Compare what WeChat holds with what the buyers own."""
    lost, double, unresolved = [], [], []
    for trade in trades.values():
        stays_fen = trade.came_fen - trade.refunded_fen
        claim = claims.get(trade.order_no)
        keeps_fen = 0 if claim is None else claim.keeps_fen
        if stays_fen > keeps_fen:
            lost.append(f"{trade.order_no}: {stays_fen} fen stay for an order that is worth {keeps_fen}")
        elif stays_fen < keeps_fen:
            double.append(f"{trade.order_no}: {stays_fen} fen stay for an order that is worth {keeps_fen}")
        if trade.refunding_fen:
            unresolved.append(f"{trade.order_no}: {trade.refunding_fen} fen are still on their way back")
    for claim in claims.values():
        if claim.state not in RESTING:
            unresolved.append(f"{claim.order_no} is {claim.state}")
        if claim.keeps_fen and claim.order_no not in trades:
            double.append(f"{claim.order_no} is paid, and WeChat does not know it")
    gone = [f"{order_no} was acknowledged and is gone" for order_no in acknowledged if order_no not in claims]
    if open_notices:
        unresolved.append(f"{open_notices} notices wait in the inbox")
    return Verdict(
        orders=len(claims),
        paid=sum(trade.came_fen > 0 for trade in trades.values()),
        paid_fen=sum(trade.came_fen for trade in trades.values()),
        refunded=sum(trade.refunded_fen > 0 for trade in trades.values()),
        refunded_fen=sum(trade.refunded_fen for trade in trades.values()),
        lost=len(lost) + len(gone),
        double=len(double),
        unresolved=len(unresolved),
        reasons=(*_some(lost), *_some(gone), *_some(double), *_some(unresolved)),
    )


def _some(found: Sequence[str]) -> Sequence[str]:
    more = len(found) - EXAMPLES_MAX
    return [*found[:EXAMPLES_MAX], f"... and {more} more"] if more > 0 else list(found)
