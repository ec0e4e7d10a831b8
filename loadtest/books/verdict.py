"""The verdict on a drop: what everybody was told, held against what the books say.

Pure: facts in, judgement out. Four witnesses are compared, none of which is believed alone: what each buyer
was told (acknowledged orders, payments that WeChat confirmed), the order book as buyers read it at the end,
WeChat's ledger, and the engine's own stock, counts and audit.

The figures, exactly:
sold         units in orders that the book calls paid
oversold     per SKU, units in orders that hold or own them (or that Redis counts) beyond the capacity, summed
undersold    per SKU, the smaller of the units unsold at the end and the units still wanted by buyers who were
             told that it is sold out or who were still asking when the run ended, summed. Buyers who left of
             their own will want nothing; with nobody left to ask, unsold units are not a fault.
lost_paid    orders whose money WeChat keeps although the book neither calls them paid nor is refunding them,
             and payments confirmed to a buyer that the ledger or the book does not know
double_paid  payments beyond the first of one order, and transactions that count for two orders
overtaking   the most positions by which somebody was passed over (`fairness.py`) must stay within overtaking_max, the
             most people that the line called while one who looks as asked was not looking: only they can come
             between somebody who waits for room and the room that was kept, when one ahead of both comes late

Every other disagreement is a reason too. No reason, and the verdict is a pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from loadtest.crowd.told import MOVES, Told, reachable

HOLDING = frozenset({"held", "paying", "closing"})
OWNING = HOLDING | {"paid"}
EXAMPLES_MAX = 3
"""A reason names this many orders and counts the rest."""


@dataclass(frozen=True, slots=True)
class Booked:
    """One order as its buyer reads it from the engine after everything settled."""

    openid: str
    order_no: str
    state: str
    amount_fen: int
    units: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Ledgered:
    """One order in WeChat's ledger."""

    order_no: str
    total_fen: int
    trade_state: str
    transaction_id: str | None
    refunded_fen: int

    @property
    def took_money(self) -> bool:
        return self.trade_state in {"SUCCESS", "REFUND"}

    @property
    def kept_fen(self) -> int:
        return self.total_fen - self.refunded_fen if self.took_money else 0


@dataclass(frozen=True, slots=True)
class Stock:
    """One SKU as the engine counts it."""

    capacity: int
    free: int
    held: int
    sold: int


@dataclass(frozen=True, slots=True)
class Facts:
    per_buyer_max: int
    told: Sequence[Told]
    booked: Sequence[Booked]
    ledger: Sequence[Ledgered]
    stock: Mapping[str, Stock]
    orders_by_state: Mapping[str, int]
    """The engine's own count of the sale's orders."""
    wanted: Mapping[str, int]
    """Units that buyers still wanted at the end, per SKU; see `undersold`."""
    complaints: Mapping[str, int]
    """What simulated buyers saw and no promise allows, with how often."""
    audit_findings: Sequence[str]
    draw_findings: Sequence[str]
    """Why the draw is not what its rules say."""
    line_findings: Sequence[str]
    """What the engine's own audit of its line found wrong."""
    shared_places: Sequence[str]
    """Places that more than one buyer was told to have."""
    overtaking: int
    overtaking_max: int
    unsettled: Sequence[str]
    """What had not come to rest in time."""
    left_running: Sequence[str]
    """Processes of the stack that outlived it."""


@dataclass(frozen=True, slots=True)
class Judgement:
    capacity: int
    sold: int
    oversold: int
    undersold: int
    paid_orders: int
    paid_fen: int
    refunded_fen: int
    lost_paid: int
    double_paid: int
    reasons: tuple[str, ...]

    @property
    def is_pass(self) -> bool:
        return not self.reasons


def judge(facts: Facts) -> Judgement:
    book = {order.order_no: order for order in facts.booked}
    ledger = {order.order_no: order for order in facts.ledger}
    paid = [order for order in facts.booked if order.state == "paid"]
    sold = _units(paid)
    owned = _units(order for order in facts.booked if order.state in OWNING)
    oversold = sum(
        max(0, owned[sku] - stock.capacity, stock.held + stock.sold - stock.capacity)
        for sku, stock in facts.stock.items()
    )
    undersold = sum(
        min(max(0, stock.capacity - sold[sku]), facts.wanted.get(sku, 0)) for sku, stock in facts.stock.items()
    )
    lost = _lost_paid(facts, book=book, ledger=ledger)
    doubled = _double_paid(facts)

    reasons = [
        *_some(oversold, "unit sold beyond the capacity", "units sold beyond the capacity"),
        *_some(undersold, "unit unsold while buyers wanted it", "units unsold while buyers wanted them"),
        *_named(lost, "paid and lost: money is kept for no paid order"),
        *_named(doubled, "paid twice"),
        *_named(_forgotten(facts, book=book), "acknowledged, but not in the book as told"),
        *_named(_unpaid_owners(facts, ledger=ledger), "called paid without its money"),
        *_named(_over_limit(facts), "above the limit per buyer"),
        *_stock_reasons(facts, sold=sold),
        *_count_reasons(facts),
        *(f"buyers saw {count} times: {what}" for what, count in sorted(facts.complaints.items())),
        *(f"draw: {finding}" for finding in facts.draw_findings),
        *(f"line: {finding}" for finding in facts.line_findings),
        *_named(facts.shared_places, "places told to more than one buyer"),
        *_line_reasons(facts),
        *(f"audit: {finding}" for finding in facts.audit_findings),
        *(f"did not come to rest: {what}" for what in facts.unsettled),
        *(f"left running: {process}" for process in facts.left_running),
    ]
    return Judgement(
        capacity=sum(stock.capacity for stock in facts.stock.values()),
        sold=sum(sold.values()),
        oversold=oversold,
        undersold=undersold,
        paid_orders=len(paid),
        paid_fen=sum(order.amount_fen for order in paid),
        refunded_fen=sum(order.refunded_fen for order in facts.ledger),
        lost_paid=len(lost),
        double_paid=len(doubled),
        reasons=tuple(reasons),
    )


def _units(orders: Iterable[Booked]) -> Counter[str]:
    units: Counter[str] = Counter()
    for order in orders:
        for sku, quantity in order.units:
            units[sku] += quantity
    return units


def _lost_paid(facts: Facts, *, book: Mapping[str, Booked], ledger: Mapping[str, Ledgered]) -> list[str]:
    lost = []
    for money in facts.ledger:
        order = book.get(money.order_no)
        has_decision = order is not None and order.state in {"paid", "refunding"}
        if money.kept_fen > 0 and not has_decision:
            lost.append(money.order_no)
    for told in facts.told:
        record = ledger.get(told.order_no)
        if told.transactions and (record is None or not record.took_money or told.order_no not in book):
            lost.append(told.order_no)
    return sorted(set(lost))


def _double_paid(facts: Facts) -> list[str]:
    rows: Counter[str] = Counter(money.order_no for money in facts.ledger if money.took_money)
    doubled = {order_no for order_no, count in rows.items() if count > 1}
    doubled |= {told.order_no for told in facts.told if len(told.transactions) > 1}
    orders_of: dict[str, set[str]] = {}
    for money in facts.ledger:
        if money.took_money and money.transaction_id is not None:
            orders_of.setdefault(money.transaction_id, set()).add(money.order_no)
    for orders in orders_of.values():
        if len(orders) > 1:
            doubled |= orders
    return sorted(doubled)


def _forgotten(facts: Facts, *, book: Mapping[str, Booked]) -> list[str]:
    """Promise 3: what was acknowledged is in the book, unchanged, in the state told or a legal later one."""
    forgotten = []
    for told in facts.told:
        order = book.get(told.order_no)
        if (
            order is None
            or order.state not in reachable(told.state)
            or order.openid != told.openid
            or order.amount_fen != told.amount_fen
            or sorted(order.units) != sorted(told.units)
        ):
            forgotten.append(told.order_no)
    return forgotten


def _unpaid_owners(facts: Facts, *, ledger: Mapping[str, Ledgered]) -> list[str]:
    """The other half of promise 6: a paid order has its whole money, and a refunded one has given it back."""
    wrong = []
    for order in facts.booked:
        money = ledger.get(order.order_no)
        kept_fen = money.kept_fen if money is not None else 0
        if (order.state == "paid" and kept_fen != order.amount_fen) or (
            order.state == "refunded" and (money is None or kept_fen != 0)
        ):
            wrong.append(order.order_no)
    return wrong


def _over_limit(facts: Facts) -> list[str]:
    units: Counter[str] = Counter()
    for order in facts.booked:
        if order.state in OWNING:
            units[order.openid] += sum(quantity for _, quantity in order.units)
    return sorted(openid for openid, count in units.items() if count > facts.per_buyer_max)


def _stock_reasons(facts: Facts, *, sold: Counter[str]) -> list[str]:
    reasons = []
    for sku, stock in sorted(facts.stock.items()):
        if stock.free + stock.held + stock.sold != stock.capacity:
            reasons.append(
                f"{sku}: free {stock.free} + held {stock.held} + sold {stock.sold} is not the capacity {stock.capacity}"
            )
        if stock.sold != sold[sku]:
            reasons.append(f"{sku}: the stock counts {stock.sold} sold, the paid orders {sold[sku]}")
    return reasons


def _count_reasons(facts: Facts) -> list[str]:
    """An order that no buyer of the run can read would show here."""
    counted = Counter(order.state for order in facts.booked)
    return [
        f"the engine counts {facts.orders_by_state.get(state, 0)} {state} orders, the buyers {counted[state]}"
        for state in MOVES
        if facts.orders_by_state.get(state, 0) != counted[state]
    ]


def _line_reasons(facts: Facts) -> list[str]:
    if facts.overtaking <= facts.overtaking_max:
        return []
    return [f"somebody was passed over by {facts.overtaking} positions; up to {facts.overtaking_max} can be explained"]


def _some(count: int, one: str, many: str) -> list[str]:
    return [f"{count} {one if count == 1 else many}"] if count else []


def _named(names: Sequence[str], what: str) -> list[str]:
    if not names:
        return []
    shown = ", ".join(names[:EXAMPLES_MAX])
    more = f" and {len(names) - EXAMPLES_MAX} more" if len(names) > EXAMPLES_MAX else ""
    return [f"{len(names)} {what} ({shown}{more})"]
