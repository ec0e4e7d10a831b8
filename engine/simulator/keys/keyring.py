"""All keys of WeChat and its merchants in one home: who may sign what, by serial.

Two platform certificates, A and B, belong to all merchants; an expired third one is there to be refused. Each
merchant has a public key of WeChat's of its own besides. The first merchant lives in the home itself, more of
them below `merchants/`; all are bound to the first one's mini program, so that a shop may spread its orders
over several. Keys are made once, under the home's lock, and kept.
"""

import fcntl
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from engine.simulator.keys import credentials
from engine.simulator.keys.credentials import KEY_BITS, Credentials, CredentialsError
from engine.simulator.processes.authorization import Merchant

YEAR = timedelta(days=365)
# Name and the age of each certificate when it is made; all are valid for five years.
_AGES = {"a": YEAR * 3, "b": timedelta(minutes=5), "expired": YEAR * 6}


@dataclass(frozen=True, slots=True)
class Certificate:
    """A platform certificate; times in ms since the epoch."""

    serial: str
    pem: bytes
    effective_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Keyring:
    """`private` has every key of WeChat's by its serial (a certificate's, or a public key's id)."""

    all_credentials: tuple[Credentials, ...]
    merchants: Mapping[str, Merchant]
    certificates: Mapping[str, Certificate]
    private: Mapping[str, RSAPrivateKey]

    def serial(self, name: str, merchant: Merchant) -> str:
        """The serial behind `public_key`, `certificate_a`, `certificate_b` or `certificate_expired`."""
        return (
            merchant.public_key_id
            if name == "public_key"
            else self.certificates[name.removeprefix("certificate_")].serial
        )

    def may_sign(self, serial: str, merchant: Merchant) -> bool:
        """Whether a merchant may demand this serial: its own public key, or a certificate that has not expired."""
        return serial in (merchant.public_key_id, self.certificates["a"].serial, self.certificates["b"].serial)

    def field_keys(self, merchant: Merchant) -> Mapping[str, RSAPrivateKey]:
        """What opens a merchant's encrypted fields: its own public key, and the certificates that have not expired."""
        serials = (merchant.public_key_id, self.certificates["a"].serial, self.certificates["b"].serial)
        return {serial: self.private[serial] for serial in serials}


def ensure(home: Path, *, merchants: int = 1) -> Keyring:
    """Load the keys of `home`, making what is missing. Raises CredentialsError for a damaged file."""
    first = credentials.ensure(home)
    home = home.resolve()
    found = [first]
    found += [credentials.ensure(home / "merchants" / f"{number}", like=first) for number in range(2, merchants + 1)]
    private: dict[str, RSAPrivateKey] = {}
    known: dict[str, Merchant] = {}
    for names in found:
        known[names.mchid] = Merchant(
            mchid=names.mchid,
            appids=frozenset((names.appid,)),
            certificate_serial=names.certificate_serial,
            public_key=credentials.private_key(names.private_key_file).public_key(),
            cipher=AESGCM(names.api_v3_key.encode()),
            public_key_id=names.public_key_id,
        )
        private[names.public_key_id] = credentials.private_key(names.platform_private_key_file)
    certificates: dict[str, Certificate] = {}
    with (home / ".certificates.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name, age in _AGES.items():
            certificate_file, key_file = certificate_files(home, name)
            if not certificate_file.exists():
                _create(certificate_file, key_file, age)
            certificates[name] = _load(certificate_file)
            private[certificates[name].serial] = credentials.private_key(key_file)
    return Keyring(tuple(found), known, certificates, private)


def certificate_files(home: Path, name: str) -> tuple[Path, Path]:
    """The certificate and its private key; `name` is a, b or expired."""
    return home / f"platform_certificate_{name}.pem", home / f"platform_certificate_{name}_key.pem"


def _create(certificate_file: Path, key_file: Path, age: timedelta) -> None:
    """The certificate is written last: where it is, its key is."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tenpay.com"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Tenpay.com (simulated)"),
        ]
    )
    made = datetime.now(UTC).replace(microsecond=0) - age
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        # 20 bytes, positive and without a leading zero: 40 hex digits.
        .serial_number(int.from_bytes(b"\x5d" + secrets.token_bytes(19)))
        .not_valid_before(made)
        .not_valid_after(made + YEAR * 5)
        .sign(key, SHA256())
    )
    credentials.write(key_file, credentials.private_pem(key))
    credentials.write(certificate_file, certificate.public_bytes(Encoding.PEM))


def _load(file: Path) -> Certificate:
    try:
        pem = file.read_bytes()
        certificate = x509.load_pem_x509_certificate(pem)
    except (OSError, ValueError) as error:
        raise CredentialsError(f"{file}: {error}") from error
    return Certificate(
        serial=f"{certificate.serial_number:040X}",
        pem=pem,
        effective_ms=int(certificate.not_valid_before_utc.timestamp() * 1000),
        expires_ms=int(certificate.not_valid_after_utc.timestamp() * 1000),
    )
