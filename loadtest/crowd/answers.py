"""What the engine and WeChat's cashier answer, as a phone understands it: sale, order, refusal, wallet. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from loadtest.wires.port import Body, Reply

PAID_BEFORE = "已支付"
"""How WeChat's cashier refuses an order that is paid: an earlier answer was lost on the way."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The engine's no: a stable code, and the wait after which asking again may help."""

    status: int
    code: str
    retry_after_ms: int | None


@dataclass(frozen=True, slots=True)
class Sku:
    sku: str
    session: str
    title: str
    price_fen: int
    per_order_max: int


@dataclass(frozen=True, slots=True)
class Sale:
    sale: str
    title: str
    event: str
    opens_ms: int
    closes_ms: int
    hold_s: int
    per_buyer_max: int
    skus: tuple[Sku, ...]


@dataclass(frozen=True, slots=True)
class Order:
    order_no: str
    state: str
    amount_fen: int
    deadline_ms: int
    units: tuple[tuple[str, int], ...]
    """(sku, quantity) of each item."""
    sale: str = ""


@dataclass(frozen=True, slots=True)
class Wallet:
    """What `wx.requestPayment` told the mini program; the money itself is only in WeChat's ledger."""

    is_paid: bool
    """The phone was told that it is paid, now or before; an untold payment reads False."""
    result: str
    transaction_id: str | None


def refusal_from(reply: Reply) -> Refusal:
    after = reply.body.get("retry_after_ms")
    return Refusal(reply.status, reply.outcome, after if isinstance(after, int) else None)


def wallet_from(reply: Reply) -> Wallet:
    result = str(reply.body.get("result", reply.status))
    is_paid = result == "ok" or PAID_BEFORE in result
    return Wallet(is_paid=is_paid, result=result, transaction_id=reply.body.get("transaction_id"))


def order_from(body: Body) -> Order:
    return Order(
        order_no=body["order_no"],
        state=body["state"],
        amount_fen=body["amount_fen"],
        deadline_ms=body["deadline_ms"],
        units=tuple((item["sku"], item["quantity"]) for item in body["items"]),
        sale=body.get("sale", ""),
    )


def sale_from(body: Body) -> Sale:
    return Sale(
        sale=body["sale"],
        title=body["title"],
        event=str(body["event"]["title"] if isinstance(body["event"], dict) else body["event"]),
        opens_ms=body["opens_ms"],
        closes_ms=body["closes_ms"],
        hold_s=body["hold_s"],
        per_buyer_max=body["per_buyer_max"],
        skus=tuple(
            Sku(row["sku"], row["session"], row["title"], row["price_fen"], row["per_order_max"])
            for row in body["skus"]
        ),
    )
