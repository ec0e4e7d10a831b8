"""What a draw hashes, and in which order. Pure, and frozen like the permutation: docs/draw.md says the same in words.

The secret is made with the sale and its hash, the commitment, is published at once. Without a beacon the organizer's
server knows the secret while people gather, and who trusts neither has to trust that it added no entries to steer the
draw. A beacon's randomness, which nobody knows before the lobby closes, takes that possibility away.
"""

from hashlib import sha256

from engine.line.draw.merkle import TAG_BYTES

ALGORITHM = 1

_TAG = b"floodgate draw 1 tag"
_RANDOMNESS = b"floodgate draw 1 randomness"
_SEED = b"floodgate draw 1 seed"


def tag_of(sale_id: str, buyer: bytes) -> bytes:
    """The 16 bytes that stand for a buyer among the entries of one sale, and for nobody in any other."""
    return sha256(_TAG + _framed(sale_id) + buyer).digest()[:TAG_BYTES]


def tags_of(sale_id: str, buyers: list[bytes]) -> list[bytes]:
    """The tags of many buyers."""
    start = _TAG + _framed(sale_id)
    return [sha256(start + buyer).digest()[:TAG_BYTES] for buyer in buyers]


def commitment_of(secret: bytes) -> bytes:
    """What is published of the secret beforehand."""
    return sha256(secret).digest()


def randomness_of(secret: bytes, beacon: bytes | None) -> bytes:
    """What the seeds of all lanes are made of. beacon: the 32 bytes of the beacon's round, if the rules name one."""
    return sha256(_RANDOMNESS + secret + (beacon or b"")).digest()


def seed_of(*, sale_id: str, lane: int, root: bytes, count: int, randomness: bytes) -> bytes:
    """The seed of one lane's permutation: it depends on every entry, through the root."""
    sealed = bytes((lane,)) + root + count.to_bytes(8, "big")
    return sha256(_SEED + _framed(sale_id) + sealed + randomness).digest()


def _framed(sale_id: str) -> bytes:
    """A sale's id after its length in bytes, so that no id runs into what follows it."""
    encoded = sale_id.encode()
    return bytes((len(encoded),)) + encoded
