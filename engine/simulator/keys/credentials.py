"""The keys and names of one simulated merchant, made once per home folder and kept.

`ensure` may be called by the simulator and by whoever configures the engine, in any order and at the same
time: the first caller creates everything under a file lock, and `credentials.json`, written last by rename,
says that the rest is complete. Every file is readable by its owner only. It refuses to repair a broken
`credentials.json`, because silently new keys would turn every stored signature into a lie.
"""

import fcntl
import os
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

KEY_BITS = 2048  # What WeChat issues; larger keys only cost time here.
_MERCHANT_KEY = "merchant_key.pem"
_MERCHANT_SERIAL = "merchant_serial"
_PLATFORM_PUBLIC = "platform_public_key.pem"
_PLATFORM_PRIVATE = "platform_private_key.pem"
_NAMES = (
    "appid",
    "app_secret",
    "mchid",
    "api_v3_key",
    "certificate_serial",
    "public_key_id",
    "private_key_file",
    "public_key_file",
)
_ALPHANUMERIC = string.ascii_letters + string.digits


class CredentialsError(Exception):
    """The home folder holds credentials that cannot be used; remove the folder to start over."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a merchant knows (`private_key_file` is the merchant's) and, last, what only WeChat knows."""

    appid: str
    app_secret: str = field(repr=False)
    mchid: str
    api_v3_key: str = field(repr=False)
    certificate_serial: str
    public_key_id: str
    private_key_file: Path
    public_key_file: Path
    platform_private_key_file: Path


def ensure(home: Path, *, like: Credentials | None = None) -> Credentials:
    """Return the credentials of `home`, creating folder, keys and names the first time.

    A new merchant shares the mini program of the merchant that it is `like`.

    Raises CredentialsError when the folder was started before but its contents are damaged.
    """
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home / ".credentials.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "credentials.json").exists():
            _create(home, like)
        return _load(home)


def private_key(file: Path) -> rsa.RSAPrivateKey:
    """Load an unencrypted RSA private key. Raises CredentialsError for anything else."""
    try:
        # Checking the primes takes 30 ms a key, and these were made here: signing with a broken one shows at once.
        key = load_pem_private_key(file.read_bytes(), password=None, unsafe_skip_rsa_key_validation=True)
    except (OSError, ValueError, TypeError) as error:
        raise CredentialsError(f"{file}: {error}") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise CredentialsError(f"{file}: not an RSA key")
    return key


def _create(home: Path, like: Credentials | None) -> None:
    merchant = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    platform = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    serial = secrets.token_hex(20).upper()
    names: Mapping[str, str] = {
        "appid": "wx" + secrets.token_hex(8) if like is None else like.appid,
        "app_secret": secrets.token_hex(16) if like is None else like.app_secret,
        "mchid": f"19{secrets.randbelow(10**8):08}",
        "api_v3_key": "".join(secrets.choice(_ALPHANUMERIC) for _ in range(32)),
        "certificate_serial": serial,
        "public_key_id": f"PUB_KEY_ID_{secrets.randbelow(10**20):034}",
        "private_key_file": str(home / _MERCHANT_KEY),
        "public_key_file": str(home / _PLATFORM_PUBLIC),
    }
    public_pem = platform.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    write(home / _MERCHANT_KEY, private_pem(merchant))
    write(home / _MERCHANT_SERIAL, serial.encode() + b"\n")
    write(home / _PLATFORM_PRIVATE, private_pem(platform))
    write(home / _PLATFORM_PUBLIC, public_pem)
    write(home / "credentials.json", orjson.dumps(names, option=orjson.OPT_INDENT_2) + b"\n")


def _load(home: Path) -> Credentials:
    file = home / "credentials.json"
    try:
        names = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise CredentialsError(f"{file}: {error}") from error
    if not isinstance(names, dict) or any(not isinstance(names.get(name), str) for name in _NAMES):
        raise CredentialsError(f"{file}: needs the texts {', '.join(_NAMES)}")
    if len(names["api_v3_key"].encode()) != 32:
        raise CredentialsError(f"{file}: api_v3_key must be 32 bytes")
    # The folder may have been moved or mounted elsewhere since: only the file names are believed.
    found = Credentials(
        appid=names["appid"],
        app_secret=names["app_secret"],
        mchid=names["mchid"],
        api_v3_key=names["api_v3_key"],
        certificate_serial=names["certificate_serial"],
        public_key_id=names["public_key_id"],
        private_key_file=home / Path(names["private_key_file"]).name,
        public_key_file=home / Path(names["public_key_file"]).name,
        platform_private_key_file=home / _PLATFORM_PRIVATE,
    )
    for pem in (found.private_key_file, found.public_key_file, found.platform_private_key_file):
        if not pem.is_file():
            raise CredentialsError(f"{pem}: missing")
    return found


def private_pem(key: rsa.RSAPrivateKey) -> bytes:
    """The key as an unencrypted PKCS#8 file."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def write(file: Path, content: bytes) -> None:
    """Put a file of the owner's in place, whole or not at all."""
    draft = file.with_name(f".{file.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    draft.replace(file)
