"""How often buyers may join and claim, and when somebody who joins has to prove some work.

A buyer has a bucket of their own. An address has one too, but a soft one: carriers put thousands of people behind one
address, so an address that is too busy makes its people prove something if the organizer wants proofs of suspicious
ones, and else come again a moment later. Nothing here asks a store; it costs about a microsecond.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from engine.catalog.records import Challenge
from engine.web.addresses import Addresses
from engine.web.buckets import Buckets
from engine.web.http import Request
from engine.web.problems import Code

BUCKETS_MAX = 262_144  # of buyers, and of addresses; about 40 MB when both are full
LATER_MS = 500  # nobody comes back sooner than that
SPREAD = 1.0  # nor together: a wait is lengthened by a random part of up to this


@dataclass(frozen=True, slots=True)
class Refusal:
    """Not so, or not now."""

    code: Code
    retry_after_ms: int | None = None


class Limits:
    """The buckets of one worker; so a buyer has them once at each."""

    def __init__(
        self,
        addresses: Addresses,
        *,
        buyer_rate_per_s: float,
        buyer_burst_count: int,
        address_rate_per_s: float,
        address_burst_count: int,
        monotonic_s: Callable[[], float],
        luck: Callable[[], float] = random.random,
    ) -> None:
        self._addresses = addresses
        self._buyers: Buckets[bytes] = Buckets(
            rate_per_s=buyer_rate_per_s, burst_count=buyer_burst_count, keys_max=BUCKETS_MAX
        )
        self._crowds: Buckets[str] = Buckets(
            rate_per_s=address_rate_per_s, burst_count=address_burst_count, keys_max=BUCKETS_MAX
        )
        self._monotonic_s = monotonic_s
        self._luck = luck

    def joining(
        self, request: Request, buyer: bytes, challenge: Challenge, *, proved: Callable[[], bool | None]
    ) -> Refusal | None:
        """Why this buyer may not join now, or None. `proved` is asked where a proof counts: True, False, or None when
        nothing was shown."""
        now_s = self._monotonic_s()
        wait_s = self._buyers.take(buyer, now_s)
        if wait_s:
            return self._later(wait_s)
        address = self._addresses.of(request)
        crowded_s = self._crowds.take(address, now_s) if address is not None else 0.0
        if challenge is Challenge.ALWAYS or (crowded_s and challenge is Challenge.SUSPICIOUS):
            shown = proved()
            if shown is None:
                return Refusal(Code.PROOF_NEEDED)
            return None if shown else Refusal(Code.PROOF_INVALID)
        return self._later(crowded_s) if crowded_s else None

    def claiming(self, request: Request, buyer: bytes) -> Refusal | None:
        """Why this buyer may not claim now, or None."""
        return self.joining(request, buyer, Challenge.OFF, proved=lambda: None)

    def asking(self, buyer: bytes) -> Refusal | None:
        """Why this buyer may not ask for anything else that costs work, or None."""
        wait_s = self._buyers.take(buyer, self._monotonic_s())
        return self._later(wait_s) if wait_s else None

    def _later(self, wait_s: float) -> Refusal:
        wait_ms = max(LATER_MS, wait_s * 1000)
        return Refusal(Code.TOO_OFTEN, round(wait_ms * (1 + SPREAD * self._luck())))
