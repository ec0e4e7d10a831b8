"""Where the roster keeps a buyer's place, and in which form. Pure.

A million people lie in 16,384 small hashes: Redis keeps a hash of few short fields as one compact list, at a fifth of
the memory of a table. The field is 8 bytes of a hash of sale and buyer, ten other bits choose the bucket: two buyers
of one sale share both with a chance of one in 10^11 at ten million of them. A buyer is a keyed digest already, so
nobody without the engine's key can look for two that do, or find a person in the roster.

The value is a decimal integer, which such a list keeps in four bytes:
claimed (1 bit) + 2 * lane (3 bits) + 16 * cohort (1 bit) + 32 * index. Lua reads it with the same arithmetic.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from engine.infra.keys import ROSTER_BUCKETS, roster_key
from engine.line.place import Cohort

FIELD_BYTES = 8
INDEX_MAX = 2**46  # Lua's numbers are exact up to 2^53

_HASH_BYTES = 4 + FIELD_BYTES


@dataclass(frozen=True, slots=True)
class Kept:
    """A place as the roster keeps it. claimed: its buyer has come forward once."""

    lane: int
    cohort: Cohort
    index: int
    claimed: bool = False

    @property
    def order(self) -> tuple[int, int]:
        """Of two places of one buyer the lesser stays: the lobby before the live cohort, then the smaller index."""
        return self.cohort, self.index


def pack_kept(kept: Kept) -> int:
    """The roster's value."""
    return kept.claimed + 2 * kept.lane + 16 * kept.cohort + 32 * kept.index


def unpack_kept(value: int) -> Kept:
    """The place of a roster's value."""
    return Kept(value // 2 % 8, Cohort(value // 16 % 2), value // 32, claimed=value % 2 == 1)


class Roster:
    """The buckets of one sale. Names are made once: every join needs one."""

    def __init__(self, sale_id: str) -> None:
        self._sale_id = sale_id
        self._hash = blake2b(sale_id.encode(), digest_size=_HASH_BYTES, person=b"fg roster")
        self._epoch = -1
        self._keys: list[bytes] = []

    def slot_of(self, buyer: bytes) -> tuple[int, bytes]:
        """A buyer's bucket and field, the same in every epoch."""
        found = self._hash.copy()
        found.update(buyer)
        digest = found.digest()
        return int.from_bytes(digest[:4], "big") % ROSTER_BUCKETS, digest[4:]

    def gather(self, epoch: int, buyers: Iterable[bytes], keys: list[Any]) -> bytes:
        """Append the bucket of each buyer to `keys`; their fields, one behind the other."""
        buckets, fields = self.keys(epoch), []
        for buyer in buyers:
            bucket, field = self.slot_of(buyer)
            keys.append(buckets[bucket])
            fields.append(field)
        return b"".join(fields)

    def keys(self, epoch: int) -> list[bytes]:
        """The keys of an epoch's buckets."""
        if epoch != self._epoch:
            self._keys = [roster_key(self._sale_id, epoch, bucket).encode() for bucket in range(ROSTER_BUCKETS)]
            self._epoch = epoch
        return self._keys
