"""Reads one notification: from the bytes of an unknown sender to a typed notice, or a reason why not.

Pure and total: any headers and any bytes end in a notice or in NotificationRefused. The order is fixed.
First authenticity over the raw bytes (401 for every flaw, so that a forger learns nothing but "no"), then
the envelope (400), then the sealed resource. What fails after that point was signed by WeChat Pay and yet
cannot be read by us; it gets 500, because WeChat Pay sends it again for a day, and somebody has a day to put
the right APIv3 key in place. Whether the notice agrees with an order is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from cryptography.exceptions import InvalidTag
from multidict import MultiMapping

from engine.infra.reading import Unreadable, nested, read_object, text
from engine.payments.port import (
    Notice,
    NotificationRefused,
    OtherNotice,
    PaidNotice,
    RefundNotice,
    RefundState,
)
from engine.payments.wechat.authenticity import flaw_of
from engine.payments.wechat.contents import fen, in_fen, moment_or_none, paid_report, refund_state
from engine.payments.wechat.keys import VerifyingKeys
from engine.payments.wechat.messages import decrypted, from_base64

RESOURCE_TYPE = "encrypt-resource"
ALGORITHM = "AEAD_AES_256_GCM"
PAID_EVENT = "TRANSACTION.SUCCESS"
REFUND_EVENTS: Mapping[str, RefundState] = {
    "REFUND.SUCCESS": RefundState.SUCCESS,
    "REFUND.ABNORMAL": RefundState.ABNORMAL,
    "REFUND.CLOSED": RefundState.CLOSED,
}


class Reason(StrEnum):
    """What can be wrong behind a good signature; `authenticity.Flaw` lists what comes before."""

    BODY_NOT_JSON = "BODY_NOT_JSON"
    ENVELOPE_UNREADABLE = "ENVELOPE_UNREADABLE"
    RESOURCE_TYPE_UNKNOWN = "RESOURCE_TYPE_UNKNOWN"
    ALGORITHM_UNKNOWN = "ALGORITHM_UNKNOWN"
    RESOURCE_UNREADABLE = "RESOURCE_UNREADABLE"
    DECRYPTION_FAILED = "DECRYPTION_FAILED"
    CONTENT_UNREADABLE = "CONTENT_UNREADABLE"
    CONTENT_CONTRADICTS_EVENT = "CONTENT_CONTRADICTS_EVENT"


STATUS_BY_REASON: Mapping[Reason, int] = {
    Reason.BODY_NOT_JSON: 400,
    Reason.ENVELOPE_UNREADABLE: 400,
    Reason.RESOURCE_TYPE_UNKNOWN: 400,
    Reason.ALGORITHM_UNKNOWN: 400,
    Reason.RESOURCE_UNREADABLE: 400,
    Reason.DECRYPTION_FAILED: 500,
    Reason.CONTENT_UNREADABLE: 500,
    Reason.CONTENT_CONTRADICTS_EVENT: 500,
}


def read_notification(
    headers: MultiMapping[str], raw_body: bytes, *, keys: VerifyingKeys, api_v3_key: bytes, now_s: float
) -> Notice:
    """Raises NotificationRefused, and nothing else, whatever `headers` and `raw_body` are."""
    flaw = flaw_of(headers, raw_body, keys=keys, now_s=now_s)
    if flaw is not None:
        raise NotificationRefused(401, flaw)
    try:
        envelope = read_object(raw_body)
    except Unreadable:
        raise _refused(Reason.BODY_NOT_JSON) from None
    try:
        notice_id = text(envelope, "id")
        event_type = text(envelope, "event_type")
        resource = nested(envelope, "resource")
    except Unreadable:
        raise _refused(Reason.ENVELOPE_UNREADABLE) from None
    if envelope.get("resource_type") != RESOURCE_TYPE:
        raise _refused(Reason.RESOURCE_TYPE_UNKNOWN)
    if resource.get("algorithm") != ALGORITHM:
        raise _refused(Reason.ALGORITHM_UNKNOWN)
    content = _content(resource, api_v3_key)
    try:
        fields = read_object(content)
        if event_type == PAID_EVENT:
            return _paid_notice(notice_id, event_type, digest_of(event_type, content), fields)
        if event_type in REFUND_EVENTS:
            return _refund_notice(notice_id, event_type, digest_of(event_type, content), fields)
        return OtherNotice(
            notice_id=notice_id,
            event_type=event_type,
            digest=digest_of(event_type, content),
            mchid=str(fields.get("mchid", "")),
            content=fields,
        )
    except Unreadable:
        raise _refused(Reason.CONTENT_UNREADABLE) from None


def _refused(reason: Reason) -> NotificationRefused:
    return NotificationRefused(STATUS_BY_REASON[reason], reason)


def _content(resource: Mapping[str, Any], api_v3_key: bytes) -> bytes:
    nonce, ciphertext = resource.get("nonce"), resource.get("ciphertext")
    associated = resource.get("associated_data") or ""  # absent and "" are both in use
    if type(nonce) is not str or type(ciphertext) is not str or type(associated) is not str:
        raise _refused(Reason.RESOURCE_UNREADABLE)
    try:
        sealed = from_base64(ciphertext)
        return decrypted(api_v3_key, nonce=nonce, associated=associated, ciphertext=sealed)
    except InvalidTag:
        raise _refused(Reason.DECRYPTION_FAILED) from None
    except ValueError:  # no base64, or a nonce no cipher takes
        raise _refused(Reason.RESOURCE_UNREADABLE) from None


def digest_of(event_type: str, content: bytes) -> bytes:
    """What tells a repeat from a notice that says something else: WeChat's id may change from try to try."""
    return blake2b(event_type.encode() + b"\n" + content, digest_size=16).digest()


def _paid_notice(notice_id: str, event_type: str, digest: bytes, fields: Mapping[str, Any]) -> PaidNotice:
    paid = paid_report(fields)
    if fields.get("trade_state") != "SUCCESS":
        raise _refused(Reason.CONTENT_CONTRADICTS_EVENT)
    return PaidNotice(notice_id=notice_id, event_type=event_type, digest=digest, paid=paid)


def _refund_notice(notice_id: str, event_type: str, digest: bytes, fields: Mapping[str, Any]) -> RefundNotice:
    amount = in_fen(fields)
    notice = RefundNotice(
        notice_id=notice_id,
        event_type=event_type,
        digest=digest,
        out_refund_no=text(fields, "out_refund_no"),
        refund_id=text(fields, "refund_id"),
        order_no=text(fields, "out_trade_no"),
        transaction_id=text(fields, "transaction_id"),
        mchid=text(fields, "mchid"),
        state=refund_state(fields, "refund_status"),
        refund_fen=fen(amount, "refund"),
        total_fen=fen(amount, "total"),
        success_at=moment_or_none(fields, "success_time"),
    )
    if notice.state is not REFUND_EVENTS[event_type]:
        raise _refused(Reason.CONTENT_CONTRADICTS_EVENT)
    return notice
