"""Challenges: a buyer who joins proves a second of work first, when the operator asks for that.

It does not tell people from machines; it makes a thousand places cost a thousand seconds of a core, and a person who
stands in the line once does not notice it. The port is small so that a captcha service can take its place. A challenge
is bound to one buyer and one sale by its key, so a proof that was bought or copied fits nobody else, and it needs no
store: the same buyer may show the same proof again until it expires, which gives the same place.
"""

import random
from typing import Any, Protocol

import altcha

from engine.infra.seals import SealKeys

LABEL = b"challenge"
ALGORITHM = "SHA-256"  # the one that every phone has
COST = 1  # hashes for each number that is tried


class Challenger(Protocol):
    """Asks for some work, and knows whether it was done."""

    def challenge(self, buyer: bytes, sale_id: str, *, now_s: int) -> dict[str, Any]:
        """What the client has to solve, as JSON."""

    def is_solved(self, proof: str, buyer: bytes, sale_id: str) -> bool:
        """Whether this is a solution of one of this buyer's challenges that has not expired. Never raises."""


class Altcha:
    """Proof of work in the format of ALTCHA, whose widgets and libraries solve it. `hashes`: the work on average."""

    def __init__(self, keys: SealKeys, *, hashes: int, expires_after_s: int) -> None:
        self._keys = keys
        self._hashes = hashes
        self._expires_after_s = expires_after_s
        self._luck = random.SystemRandom()

    def challenge(self, buyer: bytes, sale_id: str, *, now_s: int) -> dict[str, Any]:
        """A number between half and one and a half of the average has to be found, counting from 0."""
        secret = self._secrets(buyer, sale_id)[0]
        made = altcha.create_challenge(
            ALGORITHM,
            COST,
            counter=self._luck.randint(self._hashes // 2, self._hashes * 3 // 2),
            expires_at=now_s + self._expires_after_s,
            hmac_secret=secret,
            hmac_key_secret=secret,
        )
        return made.to_dict()

    def is_solved(self, proof: str, buyer: bytes, sale_id: str) -> bool:
        """Checked by one key after the other: a challenge outlives the change of the current key."""
        try:
            return any(
                altcha.verify_solution(proof, secret, hmac_key_secret=secret).verified
                for secret in self._secrets(buyer, sale_id)
            )
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):  # the text is anybody's
            return False

    def _secrets(self, buyer: bytes, sale_id: str) -> list[bytes]:
        return self._keys.derived(LABEL, buyer + sale_id.encode())
