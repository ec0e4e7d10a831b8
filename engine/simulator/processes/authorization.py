"""Who is calling: the Authorization header, checked in the order WeChat checks it.

Format, then the age of the timestamp (5 minutes either way), then the certificate serial, then the
signature over the raw path, query and body. The first check that fails names the error, as seen on the live
service. Pure: the clock and the merchants are arguments. It refuses to guess: a pair too many, a space
after a comma or an unknown scheme is a format error even when the signature would fit.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.simulator.keys import crypto
from engine.simulator.pay.refusals import Refusal, sign_error

SCHEME = "WECHATPAY2-SHA256-RSA2048"
WINDOW_S = 300

_PAIR = r'(mchid|nonce_str|signature|timestamp|serial_no)="([^"\\]*)"'
_HEADER = re.compile(SCHEME + " " + ",".join([_PAIR] * 5))
_DIGITS = re.compile(r"[0-9]{1,12}")

MALFORMED = sign_error("Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》")
UNREADABLE = sign_error("签名信息错误，验签失败")
TOO_OLD = sign_error("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
NONCE_USED = sign_error("签名信息错误，nonce_str重复使用")  # No public source tells how WeChat says it, or whether.
UNKNOWN_SERIAL = sign_error("商户证书序列号有误。请使用签名私钥匹配的证书序列号")


@dataclass(frozen=True, slots=True)
class Merchant:
    """One merchant as WeChat knows it: its names, its public key, and the APIv3 key ready to encrypt.

    `public_key_id` names WeChat's own public key for this merchant.
    """

    mchid: str
    appids: frozenset[str]
    certificate_serial: str
    public_key: RSAPublicKey
    cipher: AESGCM
    public_key_id: str = ""


def check(
    header: str | None,
    merchants: Mapping[str, Merchant],
    *,
    method: str,
    target: str,
    body: bytes,
    now_s: int,
    transactions: bool,
    verify: crypto.Verify = crypto.verify,
) -> tuple[Merchant, str] | Refusal:
    """Return the merchant that signed this request and the nonce it used, or the refusal of the first failing check.

    `target` is the raw path and query. `transactions` is True under /v3/pay/transactions/, where a header of
    another scheme (or none) gets another message. `verify` may be one that counts.
    """
    match = _HEADER.fullmatch(header) if header else None
    if match is None:
        foreign = header is None or not header.startswith(SCHEME)
        return UNREADABLE if transactions and foreign else MALFORMED
    parts = match.groups()
    pairs = dict(zip(parts[::2], parts[1::2], strict=True))
    if len(pairs) != 5 or not all(pairs.values()) or not _DIGITS.fullmatch(pairs["timestamp"]):
        return MALFORMED
    if abs(now_s - int(pairs["timestamp"])) > WINDOW_S:
        return TOO_OLD
    merchant = merchants.get(pairs["mchid"])
    if merchant is None or merchant.certificate_serial != pairs["serial_no"]:
        return UNKNOWN_SERIAL
    message = crypto.request_message(
        method=method, target=target, timestamp=pairs["timestamp"], nonce=pairs["nonce_str"], body=body
    )
    if not verify(merchant.public_key, message, pairs["signature"]):
        return _not_matching(method, target, pairs["timestamp"], message)
    return merchant, pairs["nonce_str"]


def _not_matching(method: str, target: str, timestamp: str, message: bytes) -> Refusal:
    """WeChat shows the start of what it verified, which is how merchants find their mistake."""
    return sign_error(
        "签名错误",
        {
            "detail": {"issue": "sign not match"},
            "field": "signature",
            "location": "authorization",
            "sign_information": {
                "method": method,
                "sign_message_length": len(message),
                "truncated_sign_message": f"{method}\n{target}\n{timestamp}\n…",
                "url": target,
            },
        },
    )
