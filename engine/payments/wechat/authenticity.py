"""Whether bytes really come from WeChat Pay: one check for responses and notifications alike.

The checks run from cheap to dear and each failure has its own name, in this order, which is also the order
of the enum and of the test's rows. Nothing is parsed before the signature over the raw bytes is right. There
is no special case for WeChat's deliberate wrong signatures (`WECHATPAY/SIGNTEST/...`): they simply fail.

A header is used only if it stands there exactly once and is printable ASCII: a line break inside a signed
header would let an attacker move the border between nonce and body without touching the signature.
"""

from __future__ import annotations

from enum import StrEnum

from multidict import MultiMapping

from engine.payments.wechat.keys import VerifyingKeys
from engine.payments.wechat.messages import SIGNATURE_SCHEME, answer_message, from_base64

CLOCK_WINDOW_S = 300  # WeChat's own SDKs refuse at 5 minutes; keeps an old recording from being replayed
TIMESTAMP_DIGITS_MAX = 12  # Unix seconds for the next 30,000 years, and a bound for int()

TIMESTAMP = "Wechatpay-Timestamp"
NONCE = "Wechatpay-Nonce"
SIGNATURE = "Wechatpay-Signature"
SERIAL = "Wechatpay-Serial"
SIGNATURE_TYPE = "Wechatpay-Signature-Type"
SIGNED_HEADERS = (TIMESTAMP, NONCE, SIGNATURE, SERIAL, SIGNATURE_TYPE)


class Flaw(StrEnum):
    HEADER_MISSING = "HEADER_MISSING"
    HEADER_REPEATED = "HEADER_REPEATED"
    HEADER_UNREADABLE = "HEADER_UNREADABLE"
    SIGNATURE_TYPE_UNKNOWN = "SIGNATURE_TYPE_UNKNOWN"
    TIMESTAMP_UNREADABLE = "TIMESTAMP_UNREADABLE"
    TIMESTAMP_OUTSIDE_WINDOW = "TIMESTAMP_OUTSIDE_WINDOW"
    SERIAL_UNKNOWN = "SERIAL_UNKNOWN"
    SIGNATURE_UNREADABLE = "SIGNATURE_UNREADABLE"
    SIGNATURE_WRONG = "SIGNATURE_WRONG"


def flaw_of(headers: MultiMapping[str], raw_body: bytes, *, keys: VerifyingKeys, now_s: float) -> Flaw | None:
    """The first reason not to believe `raw_body`, or None if WeChat Pay signed it within the clock window."""
    values: list[str] = []
    repeated = unreadable = False
    for name in SIGNED_HEADERS:
        found = headers.getall(name, ())
        if not found:
            return Flaw.HEADER_MISSING
        repeated = repeated or len(found) > 1
        value = found[0]
        unreadable = unreadable or not (value.isascii() and value.isprintable())
        values.append(value)
    if repeated:
        return Flaw.HEADER_REPEATED
    if unreadable:
        return Flaw.HEADER_UNREADABLE
    timestamp, nonce, signature, serial, signature_type = values
    if signature_type != SIGNATURE_SCHEME:
        return Flaw.SIGNATURE_TYPE_UNKNOWN
    if not timestamp.isdigit() or len(timestamp) > TIMESTAMP_DIGITS_MAX:
        return Flaw.TIMESTAMP_UNREADABLE
    if abs(now_s - int(timestamp)) >= CLOCK_WINDOW_S:
        return Flaw.TIMESTAMP_OUTSIDE_WINDOW
    if not keys.knows(serial, now_s):
        return Flaw.SERIAL_UNKNOWN
    try:
        raw_signature = from_base64(signature)
    except ValueError:
        return Flaw.SIGNATURE_UNREADABLE
    if not keys.verify(serial, raw_signature, answer_message(timestamp, nonce, raw_body)):
        return Flaw.SIGNATURE_WRONG
    return None
