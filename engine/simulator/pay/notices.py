"""What a callback says: the notice about one payment or one refund, and its encrypted body. Pure.

A notice is fixed when the money moves; every attempt to deliver it encrypts and signs afresh. The
identifier stays the same over all attempts, though merchants must not rely on it.
"""

from dataclasses import dataclass

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.simulator.keys import crypto
from engine.simulator.pay import orders, refunds
from engine.simulator.pay.shapes import rfc3339


@dataclass(frozen=True, slots=True)
class Notice:
    """`subject` names order or refund (and seeds its luck); `resource` is the plaintext JSON."""

    id: str
    mchid: str
    event_type: str
    original_type: str
    summary: str
    subject: str
    notify_url: str
    created_ms: int
    resource: str


def paid(order: orders.Order, *, notice_id: str, now_ms: int) -> Notice:
    """TRANSACTION.SUCCESS of an order in state SUCCESS."""
    return Notice(
        id=notice_id,
        mchid=order.mchid,
        event_type="TRANSACTION.SUCCESS",
        original_type="transaction",
        summary="支付成功",
        subject=order.out_trade_no,
        notify_url=order.notify_url,
        created_ms=now_ms,
        resource=orjson.dumps(orders.view(order)).decode(),
    )


def refund_settled(refund: refunds.Refund, *, notice_id: str, now_ms: int) -> Notice | None:
    """REFUND.SUCCESS, REFUND.CLOSED or REFUND.ABNORMAL; None without a notify_url."""
    if refund.notify_url is None:
        return None
    return Notice(
        id=notice_id,
        mchid=refund.mchid,
        event_type=f"REFUND.{refund.status}",
        original_type="refund",
        summary=refunds.SUMMARIES[refund.status],
        subject=refund.out_refund_no,
        notify_url=refund.notify_url,
        created_ms=now_ms,
        resource=orjson.dumps(refunds.callback_view(refund)).decode(),
    )


def body(notice: Notice, cipher: AESGCM, *, nonce: str, associated: str | None = None) -> bytes:
    """The JSON that is posted; `nonce` has 12 characters and must be new for each encryption.

    The associated data is the notice's original type unless `associated` says otherwise.
    """
    if associated is None:
        associated = notice.original_type
    return orjson.dumps(
        {
            "id": notice.id,
            "create_time": rfc3339(notice.created_ms),
            "resource_type": "encrypt-resource",
            "event_type": notice.event_type,
            "summary": notice.summary,
            "resource": {
                "original_type": notice.original_type,
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": crypto.encrypt_resource(
                    cipher, nonce=nonce, associated=associated, plaintext=notice.resource.encode()
                ),
                "associated_data": associated,
                "nonce": nonce,
            },
        }
    )
