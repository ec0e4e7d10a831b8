"""Presale codes: how one is made, read and kept. Pure: randomness comes in as an argument.

A code is printed once and then only its digest is kept, bound to its sale. People type codes by hand: capitals and
small letters are the same, spaces and hyphens are nothing, and no character looks like another one.
"""

from collections.abc import Callable
from hashlib import sha256

from engine.catalog.bounds import CODE_CHARACTERS_MAX

# 32 characters without 0 and O, 1 and I; 12 of them are 60 bits, which nobody guesses over HTTP.
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
CODE_CHARACTERS = 12
GROUP_CHARACTERS = 4

assert len(set(ALPHABET)) == 32
assert CODE_CHARACTERS <= CODE_CHARACTERS_MAX


def fresh_code(random_bytes: Callable[[int], bytes]) -> str:
    """A new code as it is printed: three groups of four."""
    drawn = "".join(ALPHABET[byte % len(ALPHABET)] for byte in random_bytes(CODE_CHARACTERS))
    return "-".join(drawn[at : at + GROUP_CHARACTERS] for at in range(0, CODE_CHARACTERS, GROUP_CHARACTERS))


def code_digest(sale_id: str, code: str) -> bytes | None:
    """What is kept of a code of this sale; None for a text that is no code, by its length or its characters."""
    plain = "".join(code.split()).replace("-", "").upper()
    if len(code) > CODE_CHARACTERS_MAX or not plain or not plain.isascii() or not plain.isalnum():
        return None
    return sha256(f"{sale_id}\0{plain}".encode()).digest()
