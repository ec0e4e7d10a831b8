"""Payments over HTTP: the buyer's parameters, and what WeChat Pay tells us.

A notification is acknowledged only after its effect is committed. Whatever is refused or cannot be decided is
answered with an error, so that WeChat sends it again; the body is never echoed and never logged.
"""

from collections.abc import Callable

import structlog

from engine import telemetry
from engine.infra.outage import Outage
from engine.orders.book import OrderBook
from engine.orders.records import is_order_no
from engine.payments.port import NotificationRefused, OtherNotice, PaidNotice, PaymentProvider, RefundNotice
from engine.payments.refunder import Refunder
from engine.payments.settling import Settler
from engine.payments.starting import NotStarted, Starter
from engine.web.buyers import Buyers
from engine.web.http import BodyLate, BodyTooLarge, Request, Response, answer, read_body, refuse
from engine.web.problems import Code
from engine.web.routes import Route

log = structlog.get_logger(__name__)

NOTICE_BYTES_MAX = 65_536


class PaymentRoutes:
    """Handlers of payments."""

    def __init__(
        self,
        starter: Starter,
        settler: Settler,
        refunder: Refunder,
        book: OrderBook,
        provider: PaymentProvider,
        buyers: Buyers,
        *,
        now_s: Callable[[], int],
        body_timeout_s: float,
    ) -> None:
        self._starter = starter
        self._settler = settler
        self._refunder = refunder
        self._book = book
        self._provider = provider
        self._buyers = buyers
        self._now_s = now_s
        self._body_timeout_s = body_timeout_s

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/v1/orders/{no}/payment", self.post_payment),
            Route("POST", "/wechatpay/notify", self.post_notice),
            Route("POST", "/wechatpay/refund-notify", self.post_notice),
        ]

    async def post_payment(self, request: Request, order_no: str) -> Response:
        """The parameters of wx.requestPayment."""
        now_s = self._now_s()
        buyer = self._buyers.of(request, now_s=now_s)
        if buyer is None:
            return refuse(request, Code.LOGIN_REQUIRED)
        if not is_order_no(order_no):
            return refuse(request, Code.UNKNOWN_ORDER)
        parameters = await self._starter.start(order_no, buyer, now_ms=now_s * 1000)
        if isinstance(parameters, NotStarted):
            order = await self._book.read(order_no)
            known = order is not None and order.buyer == buyer
            return refuse(request, Code.NOT_PAYABLE if known else Code.UNKNOWN_ORDER)
        return answer(dict(parameters))

    async def post_notice(self, request: Request) -> Response:
        """What WeChat Pay tells: 204 once it is decided and committed."""
        try:
            raw = await read_body(request, bytes_max=NOTICE_BYTES_MAX, timeout_s=self._body_timeout_s)
            notice = self._provider.read_notification(request.headers, raw, self._now_s())
        except (BodyTooLarge, BodyLate):
            return _fail(400, "body")
        except NotificationRefused as refused:
            telemetry.NOTIFICATIONS_REFUSED.labels(refused.reason).inc()
            log.warning("notification_refused", reason=refused.reason)
            return _fail(refused.status, refused.reason)
        try:
            match notice:
                case PaidNotice():
                    outcome = await self._settler.settle(notice.paid, "notify")
                    if not outcome.decided:
                        return _fail(500, outcome)
                case RefundNotice():
                    await self._refunder.noticed(notice)
                case OtherNotice():
                    log.info("notification_of_another_kind", event_type=notice.event_type)
        except Outage as outage:
            log.warning("notification_must_come_again", reason=str(outage))
            return _fail(503, "unavailable")
        return Response(status=204)


def _fail(status: int, reason: str) -> Response:
    headers = {"Retry-After": "1"} if status == 503 else None
    return answer({"code": "FAIL", "message": reason}, status=status, headers=headers)
