"""The keys both sides sign with: from files, read once at start, and from platform certificates, learned later.

The merchant's private key signs what we send. WeChat Pay's answers and notices name the key they were signed
with by serial, and during a change of keys two or more are in use at once, so the verifying keys are a map
and an unknown serial verifies nothing. A key from a file is fixed; a certificate counts until it expires. A file
that holds no usable RSA key stops the start with a reason that names the file and never its contents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509 import load_pem_x509_certificate

from engine.payments.wechat.messages import from_base64, to_base64

RSA_BITS_MIN = 2048  # what WeChat Pay issues; anything smaller is a mistake
SEALED_BYTES_MAX = 214  # what fits under OAEP into one block of 2048 bits

_PADDING = PKCS1v15()
_HASH = SHA256()
_SEAL = OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303 - WeChat's choice, sound in OAEP
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

    def unsealed(self, sealed: str) -> str:
        """What WeChat Pay encrypted for this merchant. Raises ValueError for anything else."""
        return self._key.decrypt(from_base64(sealed), _SEAL).decode()


@dataclass(frozen=True, slots=True)
class PlatformCertificate:
    """One of WeChat Pay's certificates; times are Unix seconds."""

    serial: str
    key: RSAPublicKey
    begins_s: float
    expires_s: float


class VerifyingKeys:
    """WeChat Pay's public keys by serial (`PUB_KEY_ID_...` or a platform certificate's)."""

    __slots__ = ("_certificates", "_fixed")

    def __init__(self, fixed: Mapping[str, RSAPublicKey], *, grows: bool = False) -> None:
        """`grows`: certificates will be learned, so that it is right to begin with no key at all."""
        if not fixed and not grows:
            raise KeyUnusable("at least one WeChat Pay key is needed, or no answer can be trusted")
        self._fixed = dict(fixed)
        self._certificates: dict[str, PlatformCertificate] = {}

    @classmethod
    def load(cls, files: Mapping[str, Path], *, grows: bool = False) -> VerifyingKeys:
        return cls({serial: _public_key(file) for serial, file in files.items()}, grows=grows)

    def knows(self, serial: str, now_s: float) -> bool:
        if serial in self._fixed:
            return True
        certificate = self._certificates.get(serial)
        return certificate is not None and now_s < certificate.expires_s

    def any(self, now_s: float) -> bool:
        """Whether anything can be verified at all."""
        return bool(self._fixed) or any(now_s < each.expires_s for each in self._certificates.values())

    def verify(self, serial: str, signature: bytes, message: bytes) -> bool:
        """Whether the key named `serial`, which must be known, signed `message`."""
        try:
            self._key(serial).verify(signature, message, _PADDING, _HASH)
        except InvalidSignature:
            return False
        return True

    def learn(self, certificates: Iterable[PlatformCertificate], now_s: float) -> None:
        """Adds them and forgets what has expired. A certificate that is listed no longer counts until it expires."""
        learned = {**self._certificates, **{each.serial: each for each in certificates}}
        self._certificates = {serial: each for serial, each in learned.items() if now_s < each.expires_s}

    def joined(self, certificates: Iterable[PlatformCertificate], now_s: float) -> VerifyingKeys:
        """A copy that has learned these, too."""
        copy = VerifyingKeys(self._fixed, grows=True)
        copy.learn([*self._certificates.values(), *certificates], now_s)
        return copy

    def newest(self, now_s: float) -> str | None:
        """The serial of the certificate in force that began last."""
        usable = [each for each in self._certificates.values() if each.begins_s <= now_s < each.expires_s]
        return max(usable, key=lambda each: (each.begins_s, each.serial)).serial if usable else None

    def sealed(self, serial: str, text: str) -> str:
        """`text` encrypted for the holder of `serial`, which must be known. Raises ValueError if it is too long."""
        raw = text.encode()
        if len(raw) > SEALED_BYTES_MAX:
            raise ValueError(f"at most {SEALED_BYTES_MAX} bytes can be encrypted")
        return to_base64(self._key(serial).encrypt(raw, _SEAL))

    def _key(self, serial: str) -> RSAPublicKey:
        return self._fixed[serial] if serial in self._fixed else self._certificates[serial].key


def certificate_from_pem(pem: bytes) -> PlatformCertificate:
    """Raises ValueError unless `pem` is a certificate with a usable RSA key."""
    certificate = load_pem_x509_certificate(pem)
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey) or key.key_size < RSA_BITS_MIN:
        raise ValueError(f"needs an RSA key of at least {RSA_BITS_MIN} bits")
    return PlatformCertificate(
        serial=f"{certificate.serial_number:040X}",
        key=key,
        begins_s=certificate.not_valid_before_utc.timestamp(),
        expires_s=certificate.not_valid_after_utc.timestamp(),
    )


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
