"""The life of one order at WeChat, as pure functions from an order to an order or a refusal.

    NOTPAY -> SUCCESS -> REFUND      paid, then any refund, also a partial one
    NOTPAY -> CLOSED                 closed by the merchant, or by itself after 7 days

A failed payment and a passed time_expire leave NOTPAY. `pay` and `close` both start from NOTPAY only, so
whichever is recorded first wins and the other is refused: this is the race every merchant must survive.
Functions that change nothing return the very same object, so the caller knows there is nothing to record.
Clock and identifiers are arguments; nothing here stores.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from engine.simulator.pay.refusals import ORDER_CLOSED, ORDER_PAID, REENTRY_CHANGED, Refusal
from engine.simulator.pay.shapes import rfc3339

MINUTE_MS = 60_000
DAY_MS = 86_400_000
PREPAY_MS = 2 * 60 * MINUTE_MS  # Fixed by WeChat, independent of time_expire.
EXPIRY_LEAST_MS = MINUTE_MS  # An earlier time_expire is raised without a word.
EXPIRY_MOST_MS = 90 * DAY_MS  # A later one is clipped.
EXPIRY_DEFAULT_MS = 7 * DAY_MS
OLDER_PREPAYS_MAX = 5  # An order is bounded, however often it is entered again.
CLOSED_BY_ITSELF_MS = 7 * DAY_MS


class TradeState(StrEnum):
    NOTPAY = "NOTPAY"
    SUCCESS = "SUCCESS"
    REFUND = "REFUND"
    CLOSED = "CLOSED"


DESCRIPTIONS = {
    TradeState.NOTPAY: "订单未支付",
    TradeState.SUCCESS: "支付成功",
    TradeState.REFUND: "订单发生过退款，退款详情请查询退款单",
    TradeState.CLOSED: "订单已关闭",
}


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A valid order request; `terms` is a digest of its parameters, `expires_ms` the time_expire asked."""

    mchid: str
    appid: str
    out_trade_no: str
    openid: str
    total_fen: int
    expires_ms: int | None
    attach: str | None
    notify_url: str
    terms: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as WeChat keeps it; times in ms since the epoch."""

    mchid: str
    appid: str
    out_trade_no: str
    openid: str
    total_fen: int
    attach: str | None
    notify_url: str
    terms: str
    created_ms: int
    expires_ms: int
    prepay_id: str
    prepay_ms: int
    state: TradeState = TradeState.NOTPAY
    transaction_id: str | None = None
    paid_ms: int | None = None
    description: str = ""
    older_prepays: tuple[tuple[str, int], ...] = ()  # Others that may still be paid, the newest first.

    @property
    def prepay_ids(self) -> tuple[str, ...]:
        return (self.prepay_id, *(prepay_id for prepay_id, _ in self.older_prepays))

    def prepay_is_alive(self, prepay_id: str, *, now_ms: int) -> bool:
        """Whether this order may be paid by this prepay_id; each lives two hours."""
        known = ((self.prepay_id, self.prepay_ms), *self.older_prepays)
        return any(one == prepay_id and now_ms < given_ms + PREPAY_MS for one, given_ms in known)

    @property
    def was_paid(self) -> bool:
        return self.state in (TradeState.SUCCESS, TradeState.REFUND)


def place(
    known: Order | None,
    request: OrderRequest,
    *,
    now_ms: int,
    fresh_prepay_id: str,
    changed_code: str,
    paid_code: str,
    renewal: str = "same",
    expiry_most_ms: int = EXPIRY_MOST_MS,
) -> Order | Refusal:
    """Create the order, or enter it again with identical parameters.

    A re-entry returns the order with its living prepay_id, or with the fresh one when the old has died. By
    `renewal` it may also get the fresh one always: in place of the old one (`fresh`) or beside it
    (`fresh_beside`).
    """
    if known is None:
        latest_ms = now_ms + EXPIRY_DEFAULT_MS if request.expires_ms is None else request.expires_ms
        return Order(
            mchid=request.mchid,
            appid=request.appid,
            out_trade_no=request.out_trade_no,
            openid=request.openid,
            total_fen=request.total_fen,
            attach=request.attach,
            notify_url=request.notify_url,
            terms=request.terms,
            created_ms=now_ms,
            expires_ms=min(max(latest_ms, now_ms + EXPIRY_LEAST_MS), now_ms + expiry_most_ms),
            prepay_id=fresh_prepay_id,
            prepay_ms=now_ms,
            description=request.description,
        )
    if known.was_paid:
        return ORDER_PAID[paid_code]
    if known.state is TradeState.CLOSED:
        return ORDER_CLOSED
    if known.terms != request.terms:
        return REENTRY_CHANGED[changed_code]
    if now_ms > known.expires_ms:
        return ORDER_CLOSED
    if renewal == "same" and now_ms < known.prepay_ms + PREPAY_MS:
        return known
    older = ((known.prepay_id, known.prepay_ms), *known.older_prepays)[:OLDER_PREPAYS_MAX]
    return replace(
        known,
        prepay_id=fresh_prepay_id,
        prepay_ms=now_ms,
        older_prepays=older if renewal == "fresh_beside" else (),
    )


def pay(order: Order, *, now_ms: int, transaction_id: str, paid_code: str) -> Order | Refusal:
    """The buyer pays, no later than time_expire itself."""
    if order.was_paid:
        return ORDER_PAID[paid_code]
    if order.state is TradeState.CLOSED or now_ms > order.expires_ms:
        return ORDER_CLOSED
    return replace(order, state=TradeState.SUCCESS, transaction_id=transaction_id, paid_ms=now_ms)


def pay_anyway(order: Order, *, now_ms: int, transaction_id: str) -> Order:
    """An anomaly for drills: money arrives for an order in any state; a paid one stays as it is."""
    if order.was_paid:
        return order
    return replace(order, state=TradeState.SUCCESS, transaction_id=transaction_id, paid_ms=now_ms)


def close(order: Order, *, paid_code: str) -> Order | Refusal:
    """The merchant closes; closing a closed order again succeeds."""
    if order.was_paid:
        return ORDER_PAID[paid_code]
    if order.state is TradeState.CLOSED:
        return order
    return replace(order, state=TradeState.CLOSED)


def age(order: Order, *, now_ms: int) -> Order:
    """Close an unpaid order that is 7 days old."""
    if order.state is TradeState.NOTPAY and now_ms >= order.created_ms + CLOSED_BY_ITSELF_MS:
        return replace(order, state=TradeState.CLOSED)
    return order


def mark_refunded(order: Order) -> Order:
    """Any accepted refund, also a partial one, turns SUCCESS into REFUND."""
    return order if order.state is TradeState.REFUND else replace(order, state=TradeState.REFUND)


def view(order: Order) -> dict[str, object]:
    """What a query answers and a callback carries. Unpaid orders lack the payment fields."""
    shown: dict[str, object] = {
        "appid": order.appid,
        "mchid": order.mchid,
        "out_trade_no": order.out_trade_no,
        "trade_state": order.state,
        "trade_state_desc": DESCRIPTIONS[order.state],
    }
    if order.paid_ms is None:
        shown["amount"] = {"payer_currency": "CNY", "total": order.total_fen}
        shown["promotion_detail"] = []
        shown["scene_info"] = {"device_id": ""}
        return shown
    shown["transaction_id"] = order.transaction_id
    shown["trade_type"] = "JSAPI"
    shown["bank_type"] = "OTHERS"
    if order.attach is not None:
        shown["attach"] = order.attach
    shown["success_time"] = rfc3339(order.paid_ms)
    shown["payer"] = {"openid": order.openid}
    shown["amount"] = {
        "total": order.total_fen,
        "payer_total": order.total_fen,
        "currency": "CNY",
        "payer_currency": "CNY",
    }
    return shown
