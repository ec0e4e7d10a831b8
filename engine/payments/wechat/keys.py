"""The keys both sides sign with, read from files once, at start.

The merchant's private key signs what we send. WeChat Pay's answers and notices name the key they were signed
with by serial, and during a change of keys two or more are in use at once, so the verifying keys are a map
and an unknown serial verifies nothing. A file that holds no usable RSA key stops the start with a reason that
names the file and never its contents.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509 import load_pem_x509_certificate

RSA_BITS_MIN = 2048  # what WeChat Pay issues; anything smaller is a mistake

_PADDING = PKCS1v15()
_HASH = SHA256()
_PEM = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class KeyUnusable(ValueError):
    """A key file cannot be used; the message says which and why."""


class MerchantKey:
    """The merchant API key. Signing takes about 0.3 ms of processor time without the interpreter lock."""

    __slots__ = ("_key", "serial")

    def __init__(self, serial: str, key: RSAPrivateKey) -> None:
        self.serial = serial
        self._key = key

    @classmethod
    def load(cls, serial: str, file: Path) -> MerchantKey:
        try:
            key = load_pem_private_key(_read(file), password=None)
        except (ValueError, TypeError) as error:
            raise KeyUnusable(f"{file}: not an unencrypted private key in PEM") from error
        if not isinstance(key, RSAPrivateKey) or key.key_size < RSA_BITS_MIN:
            raise KeyUnusable(f"{file}: needs an RSA key of at least {RSA_BITS_MIN} bits")
        return cls(serial, key)

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message, _PADDING, _HASH)


class VerifyingKeys:
    """WeChat Pay's public keys by serial (`PUB_KEY_ID_...` or a platform certificate's)."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Mapping[str, RSAPublicKey]) -> None:
        if not keys:
            raise KeyUnusable("at least one WeChat Pay key is needed, or no answer can be trusted")
        self._keys = dict(keys)

    @classmethod
    def load(cls, files: Mapping[str, Path]) -> VerifyingKeys:
        return cls({serial: _public_key(file) for serial, file in files.items()})

    def __contains__(self, serial: str) -> bool:
        return serial in self._keys

    def verify(self, serial: str, signature: bytes, message: bytes) -> bool:
        """Whether the key named `serial`, which must be known, signed `message`."""
        try:
            self._keys[serial].verify(signature, message, _PADDING, _HASH)
        except InvalidSignature:
            return False
        return True


def _public_key(file: Path) -> RSAPublicKey:
    pem = _read(file)
    try:
        if b"BEGIN CERTIFICATE" in pem:
            pem = load_pem_x509_certificate(pem).public_key().public_bytes(*_PEM)
        key = load_pem_public_key(pem)
    except (ValueError, TypeError) as error:
        raise KeyUnusable(f"{file}: neither a public key nor a certificate in PEM") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < RSA_BITS_MIN:
        raise KeyUnusable(f"{file}: needs an RSA key of at least {RSA_BITS_MIN} bits")
    return key


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise KeyUnusable(f"{file}: {error.strerror}") from error
