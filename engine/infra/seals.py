"""Seals: short signed bytes that a worker can check alone, in about two microseconds, without a store.

A seal says "we said this to this buyer, until then". It is signed, not encrypted: nothing secret goes in. A seal that
was found genuine is remembered for a while, because buyers show the same one again and again; only its expiry is then
checked. Forgeries are not remembered, so nobody can fill this memory without our key.
Layout before base64url: version (1) · key id (1) · expiry in seconds (4) · payload · MAC (16).
The MAC is keyed BLAKE2b over everything before it; the purpose is its personalisation, so that a buyer's seal
never passes for a pass. Keys rotate by id: old ids stay readable for as long as they stay in the config.
"""

import enum
import hmac
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

VERSION = 1
MAC_BYTES = 16
HEAD_BYTES = 6
KNOWN_COUNT_MAX = 50_000  # genuine seals remembered for each purpose, about 15 MB; then it begins anew
SEAL_CHARS_MAX = 512  # a longer text is refused before it is decoded

# The base64 that URLs take, and back. Every join and claim goes through here: the standard library's own functions for
# it take twice as long.
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_PADDING = (b"", b"===", b"==", b"=")


class Purpose(bytes, enum.Enum):
    """What a seal is for. A seal of one purpose is a forgery for every other."""

    BUYER = b"floodgate-buyer"
    PLACE = b"floodgate-place"
    PASS = b"floodgate-pass"


class SealRefusal(enum.Enum):
    """Why a seal was not accepted, in the order of the checks."""

    FORGED = "FORGED"
    EXPIRED = "EXPIRED"


@dataclass(slots=True)  # not frozen: one is made for every request, and that is most of its cost
class Opened:
    """A genuine, unexpired seal. Nobody changes it."""

    payload: bytes
    expires_s: int


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is kept for one purpose: by key id a hash that has taken in its key already, for copying one is cheaper
    than keying it again; and the genuine seals that were seen."""

    macs: "dict[int, blake2b]"
    known: dict[str, Opened]

    @classmethod
    def of(cls, purpose: Purpose, keys: Mapping[int, bytes]) -> "_Kind":
        macs = {key_id: blake2b(key=key, digest_size=MAC_BYTES, person=purpose.value) for key_id, key in keys.items()}
        return cls(macs, {})


class SealKeys:
    """Signs with the current key and verifies with every key it knows."""

    def __init__(self, keys: Mapping[int, bytes], current: int) -> None:
        self._keys = {key_id: blake2b(secret, digest_size=32).digest() for key_id, secret in keys.items()}
        self._current = current
        self._current_key = self._keys[current]
        self._kinds = {purpose: _Kind.of(purpose, self._keys) for purpose in Purpose}

    def seal(self, purpose: Purpose, payload: bytes, *, expires_s: int) -> str:
        """The sealed text: URL-safe, without padding."""
        body = bytes((VERSION, self._current)) + expires_s.to_bytes(4, "big") + payload
        mac = self._kinds[purpose].macs[self._current].copy()
        mac.update(body)
        return b2a_base64(body + mac.digest(), newline=False).rstrip(b"=").translate(_TO_URL).decode("ascii")

    def open(self, purpose: Purpose, text: str, *, now_s: int) -> Opened | SealRefusal:
        """What was sealed, or why it is refused. Any text at all may come in; nothing raises."""
        kind = self._kinds[purpose]
        known = kind.known
        opened = known.get(text)
        if opened is None:
            genuine = self._verify(kind, text)
            if genuine is None:
                return SealRefusal.FORGED
            if len(known) >= KNOWN_COUNT_MAX:
                known.clear()
            opened = known[text] = genuine
        return opened if opened.expires_s > now_s else SealRefusal.EXPIRED

    def derived(self, label: bytes, context: bytes) -> list[bytes]:
        """Keys for something else than seals, one from each of ours, the current one first. Who knows such a key
        learns nothing about any other."""
        ours = [self._current_key, *(key for key in self._keys.values() if key is not self._current_key)]
        return [
            blake2b(label + b"\0" + context, key=key, digest_size=32, person=b"floodgate-other").digest()
            for key in ours
        ]

    def _verify(self, kind: _Kind, text: str) -> Opened | None:
        if len(text) > SEAL_CHARS_MAX:
            return None
        try:
            raw = a2b_base64(text.encode("ascii").translate(_FROM_URL) + _PADDING[len(text) % 4])
        except ValueError:
            return None
        if len(raw) < HEAD_BYTES + MAC_BYTES or raw[0] != VERSION:
            return None
        keyed = kind.macs.get(raw[1])
        if keyed is None:
            return None
        body, mac = raw[:-MAC_BYTES], keyed.copy()
        mac.update(body)
        if not hmac.compare_digest(mac.digest(), raw[-MAC_BYTES:]):
            return None
        return Opened(payload=body[HEAD_BYTES:], expires_s=int.from_bytes(raw[2:HEAD_BYTES], "big"))
