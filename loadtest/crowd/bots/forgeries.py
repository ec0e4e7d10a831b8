"""Seals that nobody gave: changed, invented, cut, put together from two. Pure.

A forger knows that a seal is bytes in URL-safe base64 and nothing else. Every forgery differs from the original in its
bytes, not only in how they are written.
"""

from __future__ import annotations

import random
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence

MAC_BYTES = 16
MARGIN_BYTES = 4


def forgery(seal: str, dice: random.Random, *, other: str = "") -> str:
    """A seal that must not pass for `seal`; `other` is a genuine one of another kind or owner, if there is one."""
    genuine = decoded(seal)
    forged = dice.choice(WAYS)(genuine, dice, decoded(other) or genuine[::-1])
    return encoded(forged if forged not in (genuine, decoded(other)) else _with_a_bit_changed(genuine, dice, b""))


def decoded(seal: str) -> bytes:
    return urlsafe_b64decode(seal + "=" * (-len(seal) % 4))


def encoded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _with_a_bit_changed(genuine: bytes, dice: random.Random, _: bytes) -> bytes:
    at = dice.randrange(len(genuine))
    return genuine[:at] + bytes((genuine[at] ^ 1 << dice.randrange(8),)) + genuine[at + 1 :]


def _with_a_better_number(genuine: bytes, dice: random.Random, _: bytes) -> bytes:
    """Zeros where a position might stand."""
    at = dice.randrange(MARGIN_BYTES, max(MARGIN_BYTES + 1, len(genuine) - MAC_BYTES))
    return genuine[:at] + bytes(min(8, len(genuine) - at)) + genuine[at + 8 :]


def _cut(genuine: bytes, dice: random.Random, _: bytes) -> bytes:
    return genuine[: dice.randrange(1, len(genuine))]


def _lengthened(genuine: bytes, dice: random.Random, _: bytes) -> bytes:
    return genuine + dice.randbytes(dice.randint(1, MAC_BYTES))


def _with_another_ending(genuine: bytes, _: random.Random, other: bytes) -> bytes:
    """This body with the signature of something else."""
    return genuine[:-MAC_BYTES] + other[-MAC_BYTES:]


def _invented(genuine: bytes, dice: random.Random, _: bytes) -> bytes:
    return genuine[:2] + dice.randbytes(max(1, len(genuine) - 2))


WAYS: Sequence[Callable[[bytes, random.Random, bytes], bytes]] = (
    _with_a_bit_changed,
    _with_a_better_number,
    _cut,
    _lengthened,
    _with_another_ending,
    _invented,
)
