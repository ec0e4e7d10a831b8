"""Encrypted fields of requests and answers: RSAES-OAEP with SHA-1, as WeChat Pay wants it for what is personal.

What we send is for the key named by `Wechatpay-Serial`; what comes back is for the merchant's own key. SHA-1 is not
ours to choose, and OAEP does not lean on what is broken in it.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from engine.payments.wechat.keys import KeyUnusable
from engine.payments.wechat.messages import from_base64, to_base64

_PADDING = OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303 - WeChat Pay's choice


class FieldCipher:
    """Without WeChat Pay's key nothing can be sealed, and `can_seal` says so."""

    def __init__(self, ours: RSAPrivateKey, theirs: RSAPublicKey | None) -> None:
        self._ours = ours
        self._theirs = theirs

    @classmethod
    def load(cls, private_key_file: Path, public_key_file: Path | None) -> FieldCipher:
        """Raises KeyUnusable, naming the file."""
        ours = load_pem_private_key(_read(private_key_file), password=None)
        theirs = load_pem_public_key(_read(public_key_file)) if public_key_file is not None else None
        if not isinstance(ours, RSAPrivateKey):
            raise KeyUnusable(f"{private_key_file}: not an RSA private key")
        if theirs is not None and not isinstance(theirs, RSAPublicKey):
            raise KeyUnusable(f"{public_key_file}: not an RSA public key")
        return cls(ours, theirs)

    @property
    def can_seal(self) -> bool:
        return self._theirs is not None

    def seal(self, plain: str) -> str:
        """For WeChat Pay alone. Raises ValueError for text that is too long, or without its key."""
        if self._theirs is None:
            raise ValueError("WeChat Pay's public key is not in the settings")
        return to_base64(self._theirs.encrypt(plain.encode(), _PADDING))

    def unseal(self, sealed: str) -> str:
        """What WeChat Pay sealed for this merchant. Raises ValueError for anything else."""
        return self._ours.decrypt(from_base64(sealed), _PADDING).decode()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise KeyUnusable(f"{file}: {error.strerror}") from error
