"""Orders over HTTP: place, list, read, cancel."""

from collections.abc import Callable
from typing import TypeAlias

from engine.infra.seals import SealKeys
from engine.line.place import read_pass
from engine.orders.book import OrderBook
from engine.orders.desk import Desk
from engine.orders.desks import Desks
from engine.orders.placing import Refused
from engine.orders.reading import OrderReader
from engine.orders.records import Order, is_order_no
from engine.orders.request import is_idempotency_key
from engine.orders.states import Event, State
from engine.orders.telling import tell_released
from engine.stock.claim import Item
from engine.stock.codes import ReserveCode
from engine.stock.stock import Stock
from engine.web.buyers import Buyers
from engine.web.http import Later, Outcome, Request, Response, answer, refuse, take_body
from engine.web.problems import Code
from engine.web.routes import Route

PASS_HEADER = "Floodgate-Pass"  # noqa: S105 - the name of a header
KEY_HEADER = "Idempotency-Key"
LIST_COUNT_MAX = 50
OPENING_WAIT_MS_MIN = 200

# Every decision of Redis that is not an order, as buyers are told.
CODES: dict[ReserveCode, Code] = {
    ReserveCode.FENCED: Code.FENCED,
    ReserveCode.KEY_REUSED: Code.KEY_REUSED,
    ReserveCode.PAUSED: Code.PAUSED,
    ReserveCode.NOT_OPEN: Code.NOT_OPEN,
    ReserveCode.ENDED: Code.ENDED,
    ReserveCode.PASS_SPENT: Code.PASS_SPENT,
    ReserveCode.UNKNOWN_SKU: Code.UNKNOWN_SKU,
    ReserveCode.BUYER_LIMIT: Code.BUYER_LIMIT,
    ReserveCode.LANE_QUOTA: Code.LANE_QUOTA,
    ReserveCode.SOLD_OUT: Code.SOLD_OUT,
    ReserveCode.HELD_BY_OTHERS: Code.HELD_BY_OTHERS,
    ReserveCode.TOO_FEW_LEFT: Code.TOO_FEW_LEFT,
}

# Names for what the functions inside the hot path take and give: written out there, they would be made anew every time.
Placed: TypeAlias = Order | Refused
Placing: TypeAlias = Response | Later[Placed]

# What Redis says of a SKU that it has no units of; it does not know why.
NO_UNITS = (Code.SOLD_OUT, Code.HELD_BY_OTHERS, Code.TOO_FEW_LEFT)


class OrderRoutes:
    """Handlers of the order book."""

    def __init__(
        self,
        desks: Desks,
        book: OrderBook,
        stock: Stock,
        buyers: Buyers,
        keys: SealKeys,
        *,
        now_s: Callable[[], int],
        body_bytes_max: int,
        body_timeout_s: float,
    ) -> None:
        self._desks = desks
        self._book = book
        self._reader = OrderReader(book)
        self._stock = stock
        self._buyers = buyers
        self._keys = keys
        self._now_s = now_s
        self._body_bytes_max = body_bytes_max
        self._body_timeout_s = body_timeout_s

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/v1/sales/{sale}/orders", self.post_order),
            Route("GET", "/v1/orders", self.get_orders),
            Route("GET", "/v1/orders/{no}", self.get_order),
            Route("DELETE", "/v1/orders/{no}", self.delete_order),
        ]

    def post_order(self, request: Request, sale_id: str) -> Outcome:
        """Place an order. 201 leaves only after the COMMIT."""
        now_s = self._now_s()
        buyer = self._buyers.of(request, now_s=now_s)
        if buyer is None:
            return refuse(request, Code.LOGIN_REQUIRED)
        desk = self._desks.of(sale_id)
        if desk is None:
            return refuse(request, Code.UNKNOWN_SALE)
        headers = request.headers
        admission = read_pass(self._keys, headers.get(PASS_HEADER, ""), buyer, sale_id, now_s=now_s)
        if admission is None:
            return refuse(request, Code.PASS_INVALID)
        key = headers.get(KEY_HEADER, "")
        if not is_idempotency_key(key):
            return refuse(request, Code.KEY_INVALID)

        def place(raw: bytes) -> Placing:
            items = desk.bodies.read(raw, desk.live.skus)
            if isinstance(items, Code):
                return refuse(request, items)
            if desk.live.fenced:
                return refuse(request, Code.FENCED)

            def told(placed: Placed) -> Response:
                if isinstance(placed, Order):
                    return answer(placed.document(), status=201)
                return self._refused(request, placed, desk, items)

            outcome = desk.placer.place(admission, key, items)
            return told(outcome.result()) if outcome.done() else Later(outcome, told)

        return take_body(request, place, bytes_max=self._body_bytes_max, timeout_s=self._body_timeout_s)

    def _refused(self, request: Request, refused: Refused, desk: Desk, items: tuple[Item, ...]) -> Response:
        code = CODES[refused.code]
        if code in NO_UNITS and any(_is_withdrawn(desk, item) for item in items):
            return refuse(request, Code.SESSION_CANCELLED)
        if code is Code.NOT_OPEN and (now_ms := desk.stock.redis_now_ms()) is not None:
            wait_ms = max(OPENING_WAIT_MS_MIN, desk.live.sale.opens_ms - now_ms)
            return refuse(request, code, retry_after_ms=wait_ms)
        return refuse(request, code)

    async def get_orders(self, request: Request) -> Response:
        """The buyer's orders, newest first."""
        buyer = self._buyers.of(request, now_s=self._now_s())
        if buyer is None:
            return refuse(request, Code.LOGIN_REQUIRED)
        orders = await self._book.list_buyers_orders(buyer, count_max=LIST_COUNT_MAX)
        return answer({"orders": [order.document() for order in orders]})

    async def get_order(self, request: Request, order_no: str) -> Response:
        """One order of this buyer."""
        order = await self._own(request, order_no)
        return answer(order.document()) if isinstance(order, Order) else refuse(request, order)

    async def delete_order(self, request: Request, order_no: str) -> Response:
        """Cancel: units not yet under payment go back at once, others when WeChat has closed the payment."""
        order = await self._own(request, order_no)
        if not isinstance(order, Order):
            return refuse(request, order)
        if order.state is State.HELD and await self._book.release([order_no], Event.CANCELLED):
            desk = self._desks.of(order.sale_id)
            if desk is not None:
                await tell_released(desk.live, self._stock, self._book, [order_no])
        elif order.state is State.PAYING:
            await self._book.start_closing([order_no], Event.CANCELLED)
        now = await self._book.read(order_no)
        assert now is not None
        if now.state is State.RELEASED:
            return answer(now.document())
        if now.state is State.CLOSING:
            return answer(now.document(), status=202)
        return refuse(request, Code.NOT_CANCELLABLE)

    async def _own(self, request: Request, order_no: str) -> Order | Code:
        """This buyer's order. Another buyer's is as unknown as none, after the same question to the same index."""
        buyer = self._buyers.of(request, now_s=self._now_s())
        if buyer is None:
            return Code.LOGIN_REQUIRED
        order = await self._reader.read(order_no if is_order_no(order_no) else "")
        return order if order is not None and order.buyer == buyer else Code.UNKNOWN_ORDER


def _is_withdrawn(desk: Desk, item: Item) -> bool:
    sku = desk.live.skus.get(item.sku_id)
    return sku is not None and sku.withdrawn
