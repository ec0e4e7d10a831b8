"""Refunds over HTTP for buyers: what was refunded, what a refund would give now, and asking for it."""

from collections.abc import Callable
from typing import Any

from engine.orders.reading import OrderReader
from engine.orders.records import Order, is_order_no
from engine.orders.request import is_idempotency_key
from engine.orders.states import State
from engine.payments.refunds.book import RefundBook
from engine.payments.refunds.deciding import Standing, refusal_of
from engine.payments.refunds.reading import RefundReader, Terms
from engine.payments.refunds.requests import key_of, read_buyers_items
from engine.payments.refunds.telling import RefundTeller
from engine.payments.refunds.wishes import Cause, Decided, RefundCode, RefundRefusal, RefundWish
from engine.stock.claim import Item
from engine.web.buyers import Buyers
from engine.web.http import Request, Response, answer, read_body, refuse
from engine.web.problems import Code
from engine.web.routes import Route

KEY_HEADER = "Idempotency-Key"
BUYERS_REASON = "退票 Returned by the buyer"

# Every reason for no refund, as people are told.
CODES: dict[RefundCode, Code] = {
    RefundCode.UNKNOWN_ORDER: Code.UNKNOWN_ORDER,
    RefundCode.UNKNOWN_REFUND: Code.UNKNOWN_REFUND,
    RefundCode.KEY_REUSED: Code.KEY_REUSED,
    RefundCode.NOT_FAILED: Code.REFUND_NOT_FAILED,
    RefundCode.NOT_TAKEN: Code.CARD_NOT_TAKEN,
    RefundCode.REFUND_UNDER_WAY: Code.REFUND_UNDER_WAY,
    RefundCode.NOT_REFUNDABLE: Code.NOT_REFUNDABLE,
    RefundCode.TOO_LATE: Code.REFUND_TOO_LATE,
    RefundCode.TOO_MANY: Code.REFUND_TOO_MANY,
    RefundCode.TOO_MUCH: Code.REFUND_TOO_MUCH,
    RefundCode.NOTHING_TO_REFUND: Code.NOTHING_TO_REFUND,
}


def buyers_wish(standing: Standing, terms: Terms, items: tuple[Item, ...]) -> RefundWish | RefundRefusal:
    """What the sale's policy makes of a buyer's tickets at this moment; none named means all that give something."""
    refusal = refusal_of(standing, State.PAID)
    if refusal is not None:
        return RefundRefusal(refusal)
    left = {ticket.sku_id: ticket.left for ticket in standing.tickets}
    if any(item.quantity > left.get(item.sku_id, 0) for item in items):
        return RefundRefusal(RefundCode.TOO_MUCH)
    offer = terms.offer(standing, items)
    if not offer.whole:
        return RefundRefusal(RefundCode.NOTHING_TO_REFUND)
    return RefundWish(
        order_no=standing.order_no,
        cause=Cause.BUYER,
        reason=BUYERS_REASON,
        units_back=terms.units_back,
        items=tuple(Item(line.sku_id, line.quantity) for line in offer.lines),
        # Money that was given back before is not given twice.
        amount_fen=min(offer.amount_fen, standing.left_fen),
    )


class RefundRoutes:
    """What a buyer asks."""

    def __init__(
        self,
        book: RefundBook,
        reader: RefundReader,
        teller: RefundTeller,
        orders: OrderReader,
        buyers: Buyers,
        *,
        now_s: Callable[[], int],
        body_bytes_max: int,
        body_timeout_s: float,
    ) -> None:
        self._book = book
        self._reader = reader
        self._teller = teller
        self._orders = orders
        self._buyers = buyers
        self._now_s = now_s
        self._body_bytes_max = body_bytes_max
        self._body_timeout_s = body_timeout_s

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/v1/orders/{no}/refunds", self.get_refunds),
            Route("POST", "/v1/orders/{no}/refunds", self.post_refund),
        ]

    async def get_refunds(self, request: Request, order_no: str) -> Response:
        """The order's refunds, and what giving back all tickets would give now."""
        order = await self._own(request, order_no)
        if isinstance(order, Code):
            return refuse(request, order)
        refunds = await self._reader.of_order(order_no)
        return answer(
            {
                "order_no": order_no,
                "refunds": [refund.document() for refund in refunds],
                "offer": await self._offer(order),
            }
        )

    async def _offer(self, order: Order) -> dict[str, Any] | None:
        """What a refund would give now, or None when there would be none."""
        if order.state is not State.PAID:
            return None
        standing = await self._reader.standing(order.order_no)
        if standing is None or standing.state is not State.PAID:
            return None
        terms = await self._reader.terms(order)
        wish = buyers_wish(standing, terms, ())
        if isinstance(wish, RefundRefusal):
            return None
        return {
            "amount_fen": wish.amount_fen,
            "items": [
                {
                    "sku": line.sku_id,
                    "quantity": line.quantity,
                    "percent": line.percent,
                    "amount_fen": line.amount_fen,
                }
                for line in terms.offer(standing).lines
            ],
        }

    async def post_refund(self, request: Request, order_no: str) -> Response:
        """Give tickets back for what the sale's policy gives. 201 leaves only after the COMMIT."""
        order = await self._own(request, order_no)
        if isinstance(order, Code):
            return refuse(request, order)
        key = request.headers.get(KEY_HEADER, "")
        if not is_idempotency_key(key):
            return refuse(request, Code.KEY_INVALID)
        raw = await read_body(request, bytes_max=self._body_bytes_max, timeout_s=self._body_timeout_s)
        items = read_buyers_items(raw)
        if isinstance(items, Code):
            return refuse(request, items)
        terms = await self._reader.terms(order)
        decided = await self._book.decide_by(
            order_no,
            lambda standing: buyers_wish(standing, terms, items),
            key=key_of(order.buyer, key, order_no, items),
        )
        if isinstance(decided, RefundRefusal):
            return refuse(request, CODES[decided.code])
        await self._teller.tell(decided)
        return answer(await decision_document(self._reader, decided), status=201)

    async def _own(self, request: Request, order_no: str) -> Order | Code:
        buyer = self._buyers.of(request, now_s=self._now_s())
        if buyer is None:
            return Code.LOGIN_REQUIRED
        order = await self._orders.read(order_no if is_order_no(order_no) else "")
        return order if order is not None and order.buyer == buyer else Code.UNKNOWN_ORDER


async def decision_document(reader: RefundReader, decided: Decided) -> dict[str, Any]:
    """A decision as its asker sees it; `refund` is null when only tickets without a price went back."""
    refund = None if decided.out_refund_no is None else await reader.read(decided.out_refund_no)
    return {
        "order_no": decided.order_no,
        "amount_fen": decided.amount_fen,
        "items": [{"sku": item.sku_id, "quantity": item.quantity} for item in decided.items],
        "refund": None if refund is None else refund.document(),
    }
