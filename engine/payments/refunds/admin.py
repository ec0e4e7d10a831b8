"""Refunds over HTTP for organizers: any tickets or sum of an order, and the ways out of a refund that failed."""

import structlog

from engine.orders.book import OrderBook
from engine.orders.records import is_order_no
from engine.orders.request import is_idempotency_key
from engine.payments.refunds.book import RefundBook
from engine.payments.refunds.failed import FailedRefunds
from engine.payments.refunds.handlers import CODES, KEY_HEADER, decision_document
from engine.payments.refunds.reading import RefundReader
from engine.payments.refunds.requests import ORGANIZER, key_of, read_bank_card, read_organizers_wish
from engine.payments.refunds.telling import RefundTeller
from engine.payments.refunds.wishes import Cause, Decided, RefundCode, RefundRefusal, RefundWish
from engine.web.http import Request, Response, answer, read_body, refuse
from engine.web.operators import Operators
from engine.web.problems import Code
from engine.web.routes import Route

log = structlog.get_logger(__name__)


class RefundAdminRoutes:
    """What an organizer asks; on the admin listener."""

    def __init__(
        self,
        book: RefundBook,
        reader: RefundReader,
        failed: FailedRefunds,
        teller: RefundTeller,
        orders: OrderBook,
        operators: Operators,
        *,
        body_bytes_max: int,
        body_timeout_s: float,
    ) -> None:
        self._book = book
        self._reader = reader
        self._failed = failed
        self._teller = teller
        self._orders = orders
        self._operators = operators
        self._body_bytes_max = body_bytes_max
        self._body_timeout_s = body_timeout_s

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/admin/v1/orders/{no}/refunds", self.get_refunds),
            Route("POST", "/admin/v1/orders/{no}/refunds", self.post_refund),
            Route("POST", "/admin/v1/refunds/{no}/retry", self.post_retry),
            Route("POST", "/admin/v1/refunds/{no}/redirect", self.post_redirect),
            Route("POST", "/admin/v1/refunds/{no}/settled-by-hand", self.post_settled_by_hand),
        ]

    async def get_refunds(self, request: Request, order_no: str) -> Response:
        """Everything that was refunded, or decided to be. An order may be unknown and have one: stray money."""
        if not self._operators.know(request):
            return refuse(request, Code.LOGIN_REQUIRED)
        refunds = await self._reader.of_order(order_no if is_order_no(order_no) else "")
        if not refunds and await self._orders.read(order_no) is None:
            return refuse(request, Code.UNKNOWN_ORDER)
        return answer({"order_no": order_no, "refunds": [refund.organizers_document() for refund in refunds]})

    async def post_refund(self, request: Request, order_no: str) -> Response:
        """Refund tickets, a sum, or everything, whatever the sale's policy says."""
        if not self._operators.know(request):
            return refuse(request, Code.LOGIN_REQUIRED)
        key = request.headers.get(KEY_HEADER, "")
        if not is_idempotency_key(key):
            return refuse(request, Code.KEY_INVALID)
        asked = read_organizers_wish(await self._body(request))
        if isinstance(asked, Code):
            return refuse(request, asked)
        order = await self._orders.read(order_no) if is_order_no(order_no) else None
        if order is None:
            return refuse(request, Code.UNKNOWN_ORDER)
        units_back = asked.units_back
        if units_back is None:
            units_back = (await self._reader.terms(order)).units_back
        wish = RefundWish(
            order_no=order_no,
            cause=Cause.ORGANIZER,
            reason=asked.reason,
            units_back=units_back,
            whole=asked.whole,
            items=asked.items,
            amount_fen=asked.amount_fen,
            key=key_of(ORGANIZER, key, order_no, asked.items, asked.amount_fen, units_back=asked.units_back),
        )
        return await self._answer(request, await self._book.decide(wish))

    async def post_retry(self, request: Request, out_refund_no: str) -> Response:
        """A closed refund once more, under a new number."""
        if not self._operators.know(request):
            return refuse(request, Code.LOGIN_REQUIRED)
        return await self._answer(request, await self._failed.retry(out_refund_no))

    async def post_redirect(self, request: Request, out_refund_no: str) -> Response:
        """An abnormal refund to a bank card."""
        if not self._operators.know(request):
            return refuse(request, Code.LOGIN_REQUIRED)
        card = read_bank_card(await self._body(request))
        if isinstance(card, Code):
            return refuse(request, card)
        return await self._show(request, out_refund_no, await self._failed.redirect(out_refund_no, card))

    async def post_settled_by_hand(self, request: Request, out_refund_no: str) -> Response:
        """The money went back in another way."""
        if not self._operators.know(request):
            return refuse(request, Code.LOGIN_REQUIRED)
        return await self._show(request, out_refund_no, await self._failed.settle_by_hand(out_refund_no))

    async def _answer(self, request: Request, decided: Decided | RefundRefusal) -> Response:
        if isinstance(decided, RefundRefusal):
            return refuse(request, CODES[decided.code])
        if not decided.repeated:
            log.info("refund_decided", order=decided.order_no, refund=decided.out_refund_no, fen=decided.amount_fen)
        await self._teller.tell(decided)
        return answer(await decision_document(self._reader, decided), status=201)

    async def _show(self, request: Request, out_refund_no: str, refused: RefundCode | None) -> Response:
        if refused is not None:
            return refuse(request, CODES[refused])
        refund = await self._reader.read(out_refund_no)
        assert refund is not None, "it was there a moment ago, and nothing deletes refunds"
        return answer(refund.organizers_document())

    async def _body(self, request: Request) -> bytes:
        return await read_body(request, bytes_max=self._body_bytes_max, timeout_s=self._body_timeout_s)
