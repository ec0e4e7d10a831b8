"""Payments over HTTP: the buyer's parameters, and what WeChat Pay tells us.

A notification is acknowledged only after its effect is committed, or after it is kept in the inbox, which goes on with
it. Whatever is refused or cannot be written down is answered with an error, so that WeChat sends it again; the body is
never echoed and never logged. WeChat is never asked from here: five seconds are all it gives us.
"""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

import structlog

from engine import telemetry
from engine.infra.outage import Outage
from engine.orders.book import OrderBook
from engine.orders.records import is_order_no
from engine.orders.states import State
from engine.payments.ledger import NoticeRow, PaymentLedger
from engine.payments.port import Notice, NotificationRefused, OtherNotice, PaidNotice, PaymentProvider, RefundNotice
from engine.payments.refunds.refunder import Refunder
from engine.payments.settling import Settler
from engine.payments.starting import PAYMENTS_AT_ONCE_MAX, NotStarted, Starter
from engine.web.buckets import Buckets
from engine.web.buyers import Buyers
from engine.web.http import BodyLate, BodyTooLarge, Request, Response, answer, read_body, refuse
from engine.web.problems import Code
from engine.web.routes import Route

log = structlog.get_logger(__name__)

NOTICE_BYTES_MAX = 65_536
DECIDE_PATIENCE_S = 2.0  # of WeChat's five; what takes longer goes on from the inbox
CHECK_AGAIN_MS = 1000
COMPLAINT_EVERY_S, COMPLAINING_BUYERS_MAX = 1, 10_000

NoticeReader = Callable[[OtherNotice], Awaitable[None]]


class PaymentRoutes:
    """Handlers of payments."""

    def __init__(
        self,
        starter: Starter,
        settler: Settler,
        refunder: Refunder,
        book: OrderBook,
        ledger: PaymentLedger,
        provider: PaymentProvider,
        buyers: Buyers,
        *,
        now_s: Callable[[], int],
        body_timeout_s: float,
        readers: Mapping[str, NoticeReader] = MappingProxyType({}),
        turned_away: Callable[[], None] = lambda: None,
    ) -> None:
        """`readers` take the notices that are about neither payments nor refunds, by the beginning of their kind.
        `turned_away` is told when a buyer who wanted to pay found no room."""
        self._turned_away = turned_away
        self._complaints: Buckets[bytes] = Buckets(
            rate_per_s=1 / COMPLAINT_EVERY_S, burst_count=1, keys_max=COMPLAINING_BUYERS_MAX
        )
        self._ledger = ledger
        self._readers = readers
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
            Route("POST", "/v1/orders/{no}/payment", self.post_payment, PAYMENTS_AT_ONCE_MAX, self._hear_turned_away),
            Route("POST", "/v1/orders/{no}/payment/check", self.post_payment_check),
            Route("POST", "/wechatpay/notify", self.post_notice),
            Route("POST", "/wechatpay/refund-notify", self.post_notice),
        ]

    def _hear_turned_away(self, request: Request) -> None:
        """Each buyer counts once a second, which is when phones are told to come again, and strangers do not: nobody
        makes the line slower by a flood."""
        now_s = self._now_s()
        buyer = self._buyers.of(request, now_s=now_s)
        if buyer is not None and not self._complaints.take(buyer, now_s):
            self._turned_away()

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

    async def post_payment_check(self, request: Request, order_no: str) -> Response:
        """The mini program says the payment is done, or failed: the truth is asked for, and read from the order."""
        buyer = self._buyers.of(request, now_s=self._now_s())
        if buyer is None:
            return refuse(request, Code.LOGIN_REQUIRED)
        order = await self._book.read(order_no) if is_order_no(order_no) else None
        if order is None or order.buyer != buyer:
            return refuse(request, Code.UNKNOWN_ORDER)
        if order.state not in (State.PAYING, State.CLOSING):
            return answer(order.document())
        await self._starter.hasten(order_no, buyer)
        return answer({"order": order.document(), "retry_after_ms": CHECK_AGAIN_MS}, status=202)

    async def post_notice(self, request: Request) -> Response:
        """What WeChat Pay tells: 204 once it is decided, or kept in the inbox."""
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
            await self._take(notice, raw)
        except Outage as outage:
            log.warning("notification_must_come_again", reason=str(outage))
            return _fail(503, "unavailable")
        return Response(status=204)

    async def _take(self, notice: Notice, raw: bytes) -> None:
        match notice:
            case PaidNotice():
                row = _row(notice, notice.paid.mchid, notice.paid.order_no, raw)
                await self._settler.keep_and_settle(notice.paid, row, patience_s=DECIDE_PATIENCE_S)
            case RefundNotice():
                row = _row(notice, notice.mchid, notice.out_refund_no, raw)
                await self._ledger.keep_notice(row)
                noted = await self._refunder.noticed(notice)
                if noted.decided:
                    await self._ledger.decide_notice(row.digest, notice.state.value.lower())
            case OtherNotice():
                row = _row(notice, notice.mchid, "", raw)
                await self._ledger.keep_notice(row)
                reader = next(
                    (self._readers[kind] for kind in self._readers if notice.event_type.startswith(kind)), None
                )
                if reader is None:
                    log.info("notification_of_another_kind", event_type=notice.event_type)
                else:
                    await reader(notice)
                await self._ledger.decide_notice(row.digest, "read" if reader else "ignored")


def _row(notice: Notice, mchid: str, subject: str, raw: bytes) -> NoticeRow:
    return NoticeRow(
        digest=notice.digest,
        notice_id=notice.notice_id,
        event_type=notice.event_type,
        mchid=mchid,
        subject=subject,
        body=raw,
    )


def _fail(status: int, reason: str) -> Response:
    headers = {"Retry-After": "1"} if status == 503 else None
    return answer({"code": "FAIL", "message": reason}, status=status, headers=headers)
