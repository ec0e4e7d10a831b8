"""Another payment provider, as small as one can be: a till that takes vouchers and signs its notices with a shared key.

It knows nothing of WeChat Pay and implements nothing but the port.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from multidict import CIMultiDict, MultiMapping

from engine.infra.outage import ProviderAway
from engine.payments.port import (
    CloseResult,
    Notice,
    NotificationRefused,
    OtherNotice,
    PaidNotice,
    PaidReport,
    Prepaid,
    PrepayRequest,
    ProviderRefusal,
    RedirectRequest,
    RefundReport,
    RefundRequest,
    RefundState,
    RefusalKind,
    TradeReport,
    TradeState,
)

APP, TILL = "voucher-app", "till-1"
SIGNATURE = "Voucher-Signature"


@dataclass(slots=True)
class Bill:
    request: PrepayRequest
    state: TradeState = TradeState.NOT_PAID
    paid_at: datetime | None = None
    refunded_fen: int = 0


class VoucherTill:
    """All trades of one shop, in memory."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.bills: dict[str, Bill] = {}
        self.refunds: dict[str, int] = {}
        self.is_away = False
        self.refuses_as: RefusalKind | None = None

    @property
    def appid(self) -> str:
        return APP

    @property
    def mchids(self) -> frozenset[str]:
        return frozenset((TILL,))

    def merchant_for(self, order_no: str) -> str:
        return TILL

    async def create(self, request: PrepayRequest) -> Prepaid | ProviderRefusal:
        if self.is_away:
            raise ProviderAway("the till is not staffed")
        if self.refuses_as is not None:
            return ProviderRefusal(kind=self.refuses_as, maybe_created=False)
        bill = self.bills.setdefault(request.order_no, Bill(request))
        if bill.state is not TradeState.NOT_PAID or bill.request != request:
            return ProviderRefusal(kind=RefusalKind.NUMBER_TAKEN, maybe_created=True)
        return Prepaid(f"voucher-{request.order_no}", request.expires_at)

    async def client_parameters(self, prepay_id: str, mchid: str) -> Mapping[str, str]:
        return {"voucher": prepay_id, "till": mchid}

    def pay(self, order_no: str) -> tuple[CIMultiDict[str], bytes]:
        """A voucher is handed in; the notice that tells of it."""
        bill = self.bills[order_no]
        bill.state, bill.paid_at = TradeState.PAID, datetime.now(UTC)
        body = json.dumps({"order": order_no, "at": bill.paid_at.isoformat()}).encode()
        return CIMultiDict({SIGNATURE: self._mac(body)}), body

    async def query(self, order_no: str, mchid: str) -> TradeReport:
        bill = self.bills.get(order_no)
        state = TradeState.UNKNOWN_ORDER if bill is None else bill.state
        paid = self._report(order_no) if state is TradeState.PAID else None
        return TradeReport(order_no=order_no, state=state, signed=True, paid=paid)

    async def close(self, order_no: str, mchid: str) -> CloseResult:
        bill = self.bills[order_no]
        if bill.state is TradeState.PAID:
            return CloseResult.PAID
        bill.state = TradeState.CLOSED
        return CloseResult.CLOSED

    async def refund(self, request: RefundRequest) -> RefundReport:
        if request.out_refund_no not in self.refunds:
            self.refunds[request.out_refund_no] = request.refund_fen
            self.bills[request.order_no].refunded_fen += request.refund_fen
        return await self.query_refund(request.out_refund_no, request.mchid)

    async def query_refund(self, out_refund_no: str, mchid: str) -> RefundReport:
        known = self.refunds.get(out_refund_no)
        state = RefundState.UNKNOWN_REFUND if known is None else RefundState.SUCCESS
        return RefundReport(out_refund_no=out_refund_no, state=state, refund_fen=known)

    async def redirect_refund(self, request: RedirectRequest) -> RefundReport:
        return RefundReport(
            out_refund_no=request.out_refund_no, state=RefundState.REFUSED, code="VOUCHERS_HAVE_NO_CARD"
        )

    def read_notification(self, headers: MultiMapping[str], raw_body: bytes, now_s: float) -> Notice:
        if not hmac.compare_digest(headers.get(SIGNATURE, ""), self._mac(raw_body)):
            raise NotificationRefused(401, "SIGNATURE_WRONG")
        said: dict[str, Any] = json.loads(raw_body)
        digest = hashlib.blake2b(raw_body, digest_size=16).digest()
        if "order" not in said:
            return OtherNotice(notice_id="", event_type="HELLO", digest=digest, mchid=TILL, content=said)
        return PaidNotice(
            notice_id="", event_type="TRANSACTION.VOUCHER", digest=digest, paid=self._report(said["order"])
        )

    def _report(self, order_no: str) -> PaidReport:
        bill = self.bills[order_no]
        assert bill.paid_at is not None
        return PaidReport(
            order_no=order_no,
            transaction_id=f"voucher-{order_no}",
            total_fen=bill.request.total_fen,
            mchid=TILL,
            appid=APP,
            openid=bill.request.openid,
            success_at=bill.paid_at,
        )

    def _mac(self, body: bytes) -> str:
        return hmac.digest(self._key, body, "sha256").hex()
