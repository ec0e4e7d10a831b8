"""Fields a merchant encrypts for WeChat (names, card numbers, phones), opened with the key its header names.

The header Wechatpay-Serial says which public key was used; without it, or with a serial nobody here has,
nothing can be opened. RSAES-OAEP with SHA-1, as WeChat prescribes. It never raises on what a merchant sent.
"""

import base64
import binascii
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1

from engine.simulator.pay.refusals import SERIAL_MISSING, SERIAL_UNKNOWN, Refusal, parameter

_PADDING = OAEP(mgf=MGF1(algorithm=SHA1()), algorithm=SHA1(), label=None)  # noqa: S303  # WeChat's choice


def open_field(keys: Mapping[str, RSAPrivateKey], *, serial: str, path: str, text: str) -> str | Refusal:
    """The plain text of one field; `path` is its JSON pointer, `serial` the header (empty without one)."""
    if not serial:
        return SERIAL_MISSING
    key = keys.get(serial)
    if key is None:
        return SERIAL_UNKNOWN
    try:
        return key.decrypt(base64.b64decode(text, validate=True), _PADDING).decode()
    except (binascii.Error, ValueError):
        return parameter(path, text, "cannot be decrypted with the key named by Wechatpay-Serial")


def seal_field(key: RSAPublicKey, text: str) -> str:
    """A field for the merchant's eyes: what WeChat encrypts with the merchant's certificate."""
    return base64.b64encode(key.encrypt(text.encode(), _PADDING)).decode()
