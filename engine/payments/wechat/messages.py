"""The byte strings WeChat Pay v3 signs, seals and names things by.

Everything here is pure: bytes and strings in, bytes and strings out. A signature is over bytes, so whatever
builds a request signs exactly what it sends, and whatever reads an answer verifies exactly what arrived;
nothing in this module parses a body. It refuses to guess: base64 that is not the one canonical spelling of
its bytes is no base64.
"""

from __future__ import annotations

import binascii

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SIGNATURE_SCHEME = "WECHATPAY2-SHA256-RSA2048"


def request_message(method: str, path: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """What the merchant signs for one request. `path` is as sent, with its query; `body` is b"" for GET."""
    return f"{method}\n{path}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"


def payment_message(appid: str, timestamp: str, nonce: str, package: str) -> bytes:
    """What the merchant signs for wx.requestPayment. `package` is the whole value, `prepay_id=` included."""
    return f"{appid}\n{timestamp}\n{nonce}\n{package}\n".encode()


def answer_message(timestamp: str, nonce: str, body: bytes) -> bytes:
    """What WeChat Pay signs for one response or notification."""
    return f"{timestamp}\n{nonce}\n".encode() + body + b"\n"


def authorization(*, mchid: str, serial: str, timestamp: str, nonce: str, signature: str) -> str:
    return (
        f'{SIGNATURE_SCHEME} mchid="{mchid}",nonce_str="{nonce}",signature="{signature}",'
        f'timestamp="{timestamp}",serial_no="{serial}"'
    )


def to_base64(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).decode("ascii")


def from_base64(text: str) -> bytes:
    """Raises ValueError unless `text` is what `to_base64` would write."""
    encoded = text.encode("ascii")
    raw = binascii.a2b_base64(encoded)
    if binascii.b2a_base64(raw, newline=False) != encoded:
        raise ValueError("not canonical base64")
    return raw


def decrypted(key: bytes, *, nonce: str, associated: str, ciphertext: bytes) -> bytes:
    """Opens an AEAD_AES_256_GCM resource. Raises InvalidTag, or ValueError for a nonce no cipher takes."""
    return AESGCM(key).decrypt(nonce.encode(), ciphertext, associated.encode())


def normalised(code: str) -> str:
    """An error code without underscores: ORDER_PAID and ORDERPAID are both live."""
    return code.replace("_", "")
