"""The desk: takes one call, lets the pure machines decide, records the change, hands the notice over.

Every method is synchronous and reads, decides and records in one go, which is what makes a close and a
payment of the same order atomic: the event loop never runs between the look and the write. Answers are a
status and a body; signing and luck on the wire belong to the server.
"""

from collections.abc import Callable, Mapping

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from engine.simulator.keys.sealed_fields import open_field
from engine.simulator.luck.faults import Faults, happens
from engine.simulator.office.ledger import Ledger
from engine.simulator.pay import forms, notices, orders, refunds, shapes
from engine.simulator.pay.notices import Notice
from engine.simulator.pay.orders import TradeState
from engine.simulator.pay.refunds import Refund, RefundStatus
from engine.simulator.pay.refusals import ORDER_NOT_EXIST, REFUND_UNKNOWN, SYSTEM_ERROR, Refusal, parameter
from engine.simulator.processes.authorization import Merchant
from engine.simulator.processes.calls import Answer


class Desk:
    """`notify` takes notices to deliver, `settle_later` takes refunds whose money has yet to move."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        merchants: Mapping[str, Merchant],
        faults: Callable[[], Faults],
        notify: Callable[[Notice], None],
        settle_later: Callable[[Refund], None],
        now_ms: Callable[[], int],
        entropy: Callable[[int], bytes],
        http_anywhere: bool,
        field_keys: Callable[[Merchant], Mapping[str, RSAPrivateKey]],
    ) -> None:
        self._ledger = ledger
        self._merchants = merchants
        self._faults = faults
        self._notify = notify
        self._settle_later = settle_later
        self._now_ms = now_ms
        self._entropy = entropy
        self._http_anywhere = http_anywhere
        self._field_keys = field_keys

    def order(self, merchant: Merchant, body: bytes) -> Answer | Refusal:
        """POST /v3/pay/transactions/jsapi."""
        request = forms.read_order(body, merchant, http_anywhere=self._http_anywhere)
        if isinstance(request, Refusal):
            return request
        now_ms = self._now_ms()
        known = self._ledger.order(merchant.mchid, request.out_trade_no, now_ms=now_ms)
        faults = self._faults()
        placed = orders.place(
            known,
            request,
            now_ms=now_ms,
            fresh_prepay_id=shapes.prepay_id(now_ms, self._entropy(10)),
            changed_code=faults.changed_code,
            paid_code=faults.paid_code,
            renewal=faults.reentry_prepay,
            expiry_most_ms=faults.expiry_most_days * orders.DAY_MS,
        )
        if isinstance(placed, Refusal):
            return placed
        if placed is not known:
            self._ledger.record(order=placed)
        return Answer(200, b'{"prepay_id":"%s"}' % placed.prepay_id.encode())

    def query(self, merchant: Merchant, out_trade_no: str, query: Mapping[str, str]) -> Answer | Refusal:
        """GET /v3/pay/transactions/out-trade-no/{out_trade_no}?mchid="""
        fault = _mchid_fault(merchant, query)
        if fault is not None:
            return fault
        found = self._ledger.order(merchant.mchid, out_trade_no, now_ms=self._now_ms())
        return ORDER_NOT_EXIST if found is None else Answer(200, orjson.dumps(orders.view(found)))

    def query_transaction(self, merchant: Merchant, transaction_id: str, query: Mapping[str, str]) -> Answer | Refusal:
        """GET /v3/pay/transactions/id/{transaction_id}?mchid= (paid orders only)."""
        fault = _mchid_fault(merchant, query)
        if fault is not None:
            return fault
        found = self._ledger.order_of_transaction(merchant.mchid, transaction_id)
        return ORDER_NOT_EXIST if found is None else Answer(200, orjson.dumps(orders.view(found)))

    def close(self, merchant: Merchant, out_trade_no: str, body: bytes) -> Answer | Refusal:
        """POST /v3/pay/transactions/out-trade-no/{out_trade_no}/close."""
        fault = forms.read_close(body, merchant)
        if fault is not None:
            return fault
        now_ms = self._now_ms()
        known = self._ledger.order(merchant.mchid, out_trade_no, now_ms=now_ms)
        if known is None:
            return ORDER_NOT_EXIST
        if known.state is TradeState.NOTPAY and now_ms < known.created_ms + self._faults().close_least_age_ms:
            return SYSTEM_ERROR
        closed = orders.close(known, paid_code=self._faults().paid_code)
        if isinstance(closed, Refusal):
            return closed
        if closed is not known:
            self._ledger.record(order=closed)
        return Answer(204, b"")

    def refund(self, merchant: Merchant, body: bytes) -> Answer | Refusal:
        """POST /v3/refund/domestic/refunds: accepted, not yet refunded."""
        request = forms.read_refund(body, merchant, http_anywhere=self._http_anywhere)
        if isinstance(request, Refusal):
            return request
        now_ms = self._now_ms()
        if request.out_trade_no is not None:
            order = self._ledger.order(merchant.mchid, request.out_trade_no, now_ms=now_ms)
        else:
            order = self._ledger.order_of_transaction(merchant.mchid, request.transaction_id or "")
        known = self._ledger.refund(merchant.mchid, request.out_refund_no)
        accepted = refunds.accept(
            known,
            order,
            self._ledger.refunds_of(order) if order is not None else (),
            request,
            now_ms=now_ms,
            fresh_refund_id=shapes.refund_id(now_ms, self._entropy(9)),
            spacing_ms=self._faults().refund_spacing_ms,
        )
        if isinstance(accepted, Refusal):
            return accepted
        if accepted is not known and order is not None:
            self._ledger.record(order=orders.mark_refunded(order), refund=accepted)
            self._settle_later(accepted)
        return Answer(200, orjson.dumps(refunds.view(accepted)))

    def redirect_refund(self, merchant: Merchant, refund_id: str, body: bytes, *, serial: str) -> Answer | Refusal:
        """POST /v3/refund/domestic/refunds/{refund_id}/apply-abnormal-refund."""

        def unseal(path: str, text: str) -> str | Refusal:
            return open_field(self._field_keys(merchant), serial=serial, path=path, text=text)

        request = forms.read_abnormal(body, unseal)
        if isinstance(request, Refusal):
            return request
        out_refund_no, received_by = request
        known = self._ledger.refund(merchant.mchid, out_refund_no)
        if known is None or known.refund_id != refund_id:
            return REFUND_UNKNOWN
        redirected = refunds.redirect(known, received_by=received_by)
        if isinstance(redirected, Refusal):
            return redirected
        if redirected is not known:
            self._ledger.record(refund=redirected)
            self._settle_later(redirected)
        return Answer(200, orjson.dumps(refunds.view(redirected)))

    def query_refund(self, merchant: Merchant, out_refund_no: str) -> Answer | Refusal:
        """GET /v3/refund/domestic/refunds/{out_refund_no}."""
        found = self._ledger.refund(merchant.mchid, out_refund_no)
        return REFUND_UNKNOWN if found is None else Answer(200, orjson.dumps(refunds.view(found)))

    def settle_refund(self, mchid: str, out_refund_no: str) -> None:
        """The bank answers for an accepted refund: SUCCESS, or what luck has in store."""
        known = self._ledger.refund(mchid, out_refund_no)
        if known is None:
            return
        faults = self._faults()
        status = RefundStatus.SUCCESS
        if known.channel == refunds.OTHER_BANKCARD:
            pass  # The merchant has checked this account; bad luck does not strike twice.
        elif happens(faults.refund_abnormal, seed=faults.seed, knob="refund_abnormal", subject=out_refund_no):
            status = RefundStatus.ABNORMAL
        elif happens(faults.refund_closed, seed=faults.seed, knob="refund_closed", subject=out_refund_no):
            status = RefundStatus.CLOSED
        now_ms = self._now_ms()
        settled = refunds.settle(known, status, now_ms=now_ms)
        if settled is known:
            return
        notice = notices.refund_settled(settled, notice_id=shapes.notice_id(self._entropy(16)), now_ms=now_ms)
        self._ledger.record(refund=settled, notice=notice)
        if notice is not None:
            self._notify(notice)

    def statement(self) -> list[dict[str, object]]:
        """The truth per order: `refunded_fen` reached the buyer, `refunding_fen` is accepted only."""
        now_ms = self._now_ms()
        rows: list[dict[str, object]] = []
        for kept in self._ledger.orders():
            order = orders.age(kept, now_ms=now_ms)
            fen = dict.fromkeys(RefundStatus, 0)
            for refund in self._ledger.refunds_of(order):
                fen[refund.status] += refund.refund_fen
            rows.append(
                {
                    "mchid": order.mchid,
                    "out_trade_no": order.out_trade_no,
                    "total_fen": order.total_fen,
                    "trade_state": order.state,
                    "transaction_id": order.transaction_id,
                    "openid": order.openid,
                    "refunded_fen": fen[RefundStatus.SUCCESS],
                    "refunding_fen": fen[RefundStatus.PROCESSING] + fen[RefundStatus.ABNORMAL],
                }
            )
        return rows


def _mchid_fault(merchant: Merchant, query: Mapping[str, str]) -> Refusal | None:
    mchid = query.get("mchid", "")
    if mchid != merchant.mchid:
        return parameter("mchid", mchid, "must be the mchid of Authorization", location="query")
    return None
