"""One attempt to deliver a notice, as bytes: the right one, and every wrong one a merchant must refuse. Pure.

A parcel is what the office hands to a caller. Most wrong parcels are rightly signed or rightly encrypted and
wrong in one thing only, so that a merchant that skips exactly that check is found out.
"""

import base64
import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum

import orjson

from engine.simulator.keys import crypto
from engine.simulator.pay import notices
from engine.simulator.pay.notices import Notice
from engine.simulator.pay.shapes import request_id
from engine.simulator.processes.authorization import SCHEME, Merchant

STALE_S = 301
PROBE_PREFIX = "WECHATPAY/SIGNTEST/"


class Flaw(StrEnum):
    """What is wrong with an attempt; the knob is `callback_bad_<flaw>`, or `callback_signtest`."""

    NONE = ""
    SIGNTEST = "signtest"
    BODY = "body"
    TAG = "tag"
    AAD = "aad"
    STALE = "stale"
    SERIAL = "serial"
    EXPIRED = "expired"
    AMOUNT = "amount"
    MCHID = "mchid"
    XML = "xml"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Parcel:
    """`signer` is the serial of the key that signs; `aad_empty` encrypts, rightly, without associated data."""

    notice: Notice
    signer: str
    flaw: Flaw = Flaw.NONE
    aad_empty: bool = False
    timeout_ms: int = 5000


@dataclass(frozen=True, slots=True)
class Letter:
    """What is posted but for the signature: `message` is signed, `body` is sent. `serial` None: nothing is signed."""

    body: bytes
    content_type: str
    serial: str | None
    timestamp: str
    nonce: str
    message: bytes


def write(parcel: Parcel, merchant: Merchant, *, now_ms: int, entropy: bytes) -> Letter:
    """Encrypt and spoil; `entropy` is 32 fresh random bytes."""
    flaw = parcel.flaw
    seconds = now_ms // 1000 - (STALE_S if flaw is Flaw.STALE else 0)
    timestamp, nonce = f"{seconds}", entropy[:16].hex()
    if flaw is Flaw.XML:
        return Letter(_xml(parcel.notice, entropy[16:24].hex()), "text/xml", None, timestamp, nonce, b"")
    notice = parcel.notice
    if flaw is Flaw.AMOUNT or flaw is Flaw.MCHID:
        notice = replace(notice, resource=_altered(notice.resource, flaw))
    associated = "" if parcel.aad_empty else notice.original_type
    body = notices.body(notice, merchant.cipher, nonce=entropy[16:22].hex(), associated=associated)
    if flaw is Flaw.TAG or flaw is Flaw.AAD:
        body = _undecryptable(body, flaw)
    message = crypto.answer_message(timestamp=timestamp, nonce=nonce, body=body)
    if flaw is Flaw.BODY:
        # The very moment of the notice: still JSON, still decrypts, no longer what was signed.
        body = body.replace(b'"create_time":"2', b'"create_time":"3', 1)
    serial = entropy[2:22].hex().upper() if flaw is Flaw.SERIAL else parcel.signer
    return Letter(body, "application/json; charset=utf-8", serial, timestamp, nonce, message)


def headers(letter: Letter, signature: str, flaw: Flaw, *, entropy: bytes) -> dict[str, str]:
    """The headers of an attempt; `entropy` is 12 fresh random bytes."""
    shown = {"Content-Type": letter.content_type, "Accept": "*/*", "User-Agent": "Mozilla/4.0"}
    if letter.serial is None:
        return shown
    return shown | {
        "Wechatpay-Serial": letter.serial,
        "Wechatpay-Signature-Type": SCHEME,
        "Wechatpay-Timestamp": letter.timestamp,
        "Wechatpay-Nonce": letter.nonce,
        "Wechatpay-Signature": PROBE_PREFIX + signature if flaw is Flaw.SIGNTEST else signature,
        "Request-ID": request_id(entropy, 0),
    }


def _altered(resource: str, flaw: Flaw) -> str:
    """The same fact with one fen more, or about another merchant."""
    document = orjson.loads(resource)
    if flaw is Flaw.MCHID:
        document["mchid"] = f"{(int(document.get('mchid', '0')) + 1) % 10**10:010}"
    for name in ("total", "payer_total", "refund", "payer_refund"):
        if flaw is Flaw.AMOUNT and name in document.get("amount", {}):
            document["amount"][name] += 1
    return orjson.dumps(document).decode()


def _undecryptable(body: bytes, flaw: Flaw) -> bytes:
    document = orjson.loads(body)
    resource = document["resource"]
    if flaw is Flaw.AAD:
        resource["associated_data"] = "other" if not resource["associated_data"] else ""
    else:
        sealed = bytearray(base64.b64decode(resource["ciphertext"]))
        sealed[-1] ^= 1
        resource["ciphertext"] = base64.b64encode(sealed).decode()
    return orjson.dumps(document)


def _xml(notice: Notice, nonce: str) -> bytes:
    """What API v2 sends for a refund: no signature, and a `req_info` that only its own key would open."""
    document = orjson.loads(notice.resource)
    sealed = base64.b64encode(hashlib.sha256(notice.resource.encode()).digest() * 8).decode()
    return (
        "<xml><return_code>SUCCESS</return_code>"
        f"<appid><![CDATA[{document.get('appid', '')}]]></appid><mch_id><![CDATA[{notice.mchid}]]></mch_id>"
        f"<nonce_str><![CDATA[{nonce}]]></nonce_str><req_info><![CDATA[{sealed}]]></req_info></xml>"
    ).encode()
