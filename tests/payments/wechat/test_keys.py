"""Keys from files: what is taken, and what stops the start."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from engine.payments.wechat.keys import KeyUnusable, MerchantKey, VerifyingKeys
from tests.payments.wechat import platform
from tests.payments.wechat.platform import KEYS


def test_what_the_merchant_signs_its_public_key_verifies(merchant_key: MerchantKey) -> None:
    merchant = VerifyingKeys.load({"M": KEYS / "merchant_public.pem"})
    assert merchant.verify("M", merchant_key.sign(b"message"), b"message")


def test_another_message_does_not_verify(merchant_key: MerchantKey) -> None:
    merchant = VerifyingKeys.load({"M": KEYS / "merchant_public.pem"})
    assert not merchant.verify("M", merchant_key.sign(b"message"), b"messagE")


def test_a_platform_certificate_serves_as_well_as_a_public_key(tmp_path: Path) -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Tenpay.com sign")])
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, platform.PLATFORM_KEY.public_key(), 7)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(platform.PLATFORM_KEY, SHA256())
    )
    file = tmp_path / "platform.pem"
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    keys = VerifyingKeys.load({"C": file})
    assert keys.verify("C", MerchantKey("", platform.PLATFORM_KEY).sign(b"message"), b"message")


def test_no_verifying_key_at_all_stops_the_start() -> None:
    with pytest.raises(KeyUnusable, match="at least one"):
        VerifyingKeys({})


def _unusable_private_keys() -> list[tuple[str, bytes | None]]:
    pem = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return [
        ("missing", None),
        ("empty", b""),
        ("not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        ("of another kind", ed25519.Ed25519PrivateKey.generate().private_bytes(*pem)),
        ("too small", small.private_bytes(*pem)),
        ("a public key", (KEYS / "merchant_public.pem").read_bytes()),
    ]


@pytest.mark.parametrize(
    "content", [c for _, c in _unusable_private_keys()], ids=[i for i, _ in _unusable_private_keys()]
)
def test_an_unusable_merchant_key_is_refused_by_name_without_its_content(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "apiclient_key.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(KeyUnusable) as refusal:
        MerchantKey.load("S", file)
    assert str(file) in str(refusal.value)
    assert "BEGIN" not in str(refusal.value)


def _unusable_public_keys() -> list[tuple[str, bytes]]:
    pem = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return [
        ("empty", b""),
        ("a broken certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("of another kind", ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(*pem)),
        ("too small", small.public_key().public_bytes(*pem)),
    ]


@pytest.mark.parametrize(
    "content", [c for _, c in _unusable_public_keys()], ids=[i for i, _ in _unusable_public_keys()]
)
def test_an_unusable_verifying_key_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "pub_key.pem"
    file.write_bytes(content)
    with pytest.raises(KeyUnusable) as refusal:
        VerifyingKeys.load({"S": file})
    assert str(file) in str(refusal.value)
