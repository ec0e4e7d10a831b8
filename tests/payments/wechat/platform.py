"""WeChat Pay's side of the tests: signs and seals with the fixed test keys.

Written against the documents with `cryptography` alone, so that it shares no line with the client it tests.
"""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

KEYS = Path(__file__).parents[1] / "samples" / "keys"
APPID = "wx5a1e000000000001"
MCHID = "1900000777"
API_V3_KEY = "made-for-tests-only-opens-nothing"[:32]
MERCHANT_SERIAL = "5157F09EFDC096DE15EBE81A47057A7200000001"
SERIAL = "PUB_KEY_ID_0119000007772026010100000000000001"
NEXT_SERIAL = "PUB_KEY_ID_0119000007772026010100000000000002"
OPENID = "oTestBuyer-000000000000000001"
NOW_S = 1767232991.0  # 2026-01-01 10:03:11 in China

CERTIFICATE = "7132D72A03E93CDDF8C03BBD1F37EEDF00000001"
NEXT_CERTIFICATE = "7132D72A03E93CDDF8C03BBD1F37EEDF00000002"
DAY_S = 86400.0

Pairs = list[tuple[str, str]]


def private_key(name: str) -> RSAPrivateKey:
    key = load_pem_private_key((KEYS / f"{name}_private.pem").read_bytes(), password=None)
    assert isinstance(key, RSAPrivateKey)
    return key


PLATFORM_KEY = private_key("platform")
NEXT_PLATFORM_KEY = private_key("next_platform")
STRANGER_KEY = private_key("stranger")


def signed(
    body: bytes,
    *,
    at_s: float = NOW_S,
    key: RSAPrivateKey = PLATFORM_KEY,
    serial: str = SERIAL,
    nonce: str = "c2f3a4b5d6e7f8091a2b3c4d5e6f7081",
) -> Pairs:
    timestamp = str(int(at_s))
    message = b"\n".join([timestamp.encode(), nonce.encode(), body, b""])
    signature = key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    return [
        ("Wechatpay-Timestamp", timestamp),
        ("Wechatpay-Nonce", nonce),
        ("Wechatpay-Signature", base64.b64encode(signature).decode()),
        ("Wechatpay-Serial", serial),
        ("Wechatpay-Signature-Type", "WECHATPAY2-SHA256-RSA2048"),
        ("Request-ID", "08F7A1B2C3D4-0"),
    ]


def sealed(content: bytes, associated: str, *, key: str = API_V3_KEY) -> dict[str, Any]:
    """The `resource` of a notification. The nonce follows from the content: a recording must not change."""
    nonce = hashlib.sha256(content).hexdigest()[:12]
    ciphertext = AESGCM(key.encode()).encrypt(nonce.encode(), content, associated.encode())
    return {
        "original_type": associated or "transaction",
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(ciphertext).decode(),
        "associated_data": associated,
        "nonce": nonce,
    }


def to_json(fields: object) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def envelope(event_type: str, content: object, *, associated: str = "transaction") -> dict[str, Any]:
    return {
        "id": "7f3c1e9a-52d4-5b18-9a60-0d6f3c2b1a00",
        "create_time": "2026-01-01T10:03:11+08:00",
        "resource_type": "encrypt-resource",
        "event_type": event_type,
        "summary": "支付成功",
        "resource": sealed(to_json(content), associated),
    }


def trade(order_no: str = "FG20260101000001", state: str = "SUCCESS", total_fen: int = 68000) -> dict[str, Any]:
    """A trade as a query answers it and a payment notice contains it."""
    fields: dict[str, Any] = {
        "appid": APPID,
        "mchid": MCHID,
        "out_trade_no": order_no,
        "trade_state": state,
        "trade_state_desc": "…",
        "amount": {"total": total_fen, "payer_currency": "CNY"},
    }
    if state in ("SUCCESS", "REFUND"):
        fields |= {
            "transaction_id": "4200000008202601013733500001",
            "trade_type": "JSAPI",
            "bank_type": "OTHERS",
            "success_time": "2026-01-01T10:03:10+08:00",
            "payer": {"openid": OPENID},
            "amount": {
                "total": total_fen,
                "payer_total": total_fen,
                "currency": "CNY",
                "payer_currency": "CNY",
            },
        }
    return fields


def refund(out_refund_no: str = "RFG20260101000001", *, status: str = "PROCESSING") -> dict[str, Any]:
    """A refund as the API answers it."""
    return {
        "refund_id": "50000000382019052709732678859",
        "out_refund_no": out_refund_no,
        "transaction_id": "4200000008202601013733500001",
        "out_trade_no": "FG20260101000001",
        "channel": "ORIGINAL",
        "user_received_account": "支付用户零钱",
        "create_time": "2026-01-01T11:00:00+08:00",
        "status": status,
        "amount": {"total": 68000, "refund": 34000, "payer_total": 68000, "payer_refund": 34000},
    }


def refund_notice(status: str) -> dict[str, Any]:
    """A refund as a notice contains it: the state has another name, and a time comes only with success."""
    fields = refund()
    for name in ("status", "channel", "create_time"):
        del fields[name]
    fields |= {"mchid": MCHID, "refund_status": status}
    if status == "SUCCESS":
        fields["success_time"] = "2026-01-01T11:05:00+08:00"
    return fields


def certificate(
    serial: str = CERTIFICATE,
    key: RSAPrivateKey = PLATFORM_KEY,
    *,
    begins_s: float = NOW_S - 1000 * DAY_S,
    expires_s: float = NOW_S + 100 * DAY_S,
) -> bytes:
    """A platform certificate in PEM."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Tenpay.com sign")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), int(serial, 16))
        .not_valid_before(datetime.fromtimestamp(begins_s, UTC))
        .not_valid_after(datetime.fromtimestamp(expires_s, UTC))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM)


def listed(serial: str = CERTIFICATE, pem: bytes | None = None, *, api_v3_key: str = API_V3_KEY) -> dict[str, Any]:
    """One entry of /v3/certificates."""
    resource = sealed(certificate(serial) if pem is None else pem, "certificate", key=api_v3_key)
    del resource["original_type"]
    return {
        "serial_no": serial,
        "effective_time": "2023-04-07T10:03:11+08:00",
        "expire_time": "2026-04-11T10:03:11+08:00",
        "encrypt_certificate": resource,
    }
