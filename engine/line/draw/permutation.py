"""The order that a seed gives to `count` people. Pure, and frozen: docs/draw.md describes it byte by byte, the test
vectors hold it in place, and what people verify after a sale depends on it for ever.

Nothing is written for anybody: a position is computed from the seed when somebody asks. Below 1,024 people the order
is a Fisher-Yates shuffle, because small Feistel networks are biased. From there on it is a Feistel network of eight
rounds over pairs of numbers below the square root of `count`, walked until it lands inside; a square that fits so
closely is left about once in thirty walks at the smallest size and less often at larger ones.
"""

import math
from array import array
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256

SHUFFLED_BELOW = 1024
ROUNDS = 8
SEEDS_KEPT = 64  # lanes of the sales that run at once; a network is at most a few hundred kilobytes

_SHUFFLE = b"\x01"
_NETWORK = b"\x02"
_WORDS = 1 << 64
_UNKNOWN = -1


def permuted(seed: bytes, index: int, count: int) -> int:
    """The position, from 0 to count - 1, of the entry with this index. seed: 32 bytes; 0 <= index < count."""
    if count < SHUFFLED_BELOW:
        return _shuffle(seed, count)[index]
    return _network(seed, count).position(index)


def _words(seed: bytes) -> Iterator[int]:
    """Numbers of 64 bits without end: each hash gives four."""
    counter = 0
    while True:
        block = sha256(seed + _SHUFFLE + counter.to_bytes(8, "big")).digest()
        for at in range(0, 32, 8):
            yield int.from_bytes(block[at : at + 8], "big")
        counter += 1


@lru_cache(maxsize=SEEDS_KEPT)
def _shuffle(seed: bytes, count: int) -> list[int]:
    """Fisher-Yates from the end. A word that would favour small numbers is thrown away."""
    positions, words = list(range(count)), _words(seed)
    for last in range(count - 1, 0, -1):
        bound = last + 1
        fair_below = _WORDS - _WORDS % bound
        word = next(words)
        while word >= fair_below:
            word = next(words)
        other = word % bound
        positions[last], positions[other] = positions[other], positions[last]
    return positions


class _Network:
    """The Feistel network of one seed and size. It remembers what its round functions gave: they have only as many
    arguments as the square root of the size, so that most positions cost no hash at all."""

    __slots__ = ("_count", "_known", "_prefixes", "_side")

    def __init__(self, seed: bytes, count: int) -> None:
        self._count = count
        self._side = math.isqrt(count - 1) + 1  # the smallest whose square holds everybody
        self._prefixes = [seed + _NETWORK + bytes((turn,)) for turn in range(ROUNDS)]
        self._known = [array("q", [_UNKNOWN]) * self._side for _ in range(ROUNDS)]

    def position(self, index: int) -> int:
        side, count = self._side, self._count
        while True:
            left, right = divmod(index, side)
            for turn, known in enumerate(self._known):
                value = known[right]
                if value < 0:
                    block = sha256(self._prefixes[turn] + right.to_bytes(4, "big")).digest()
                    value = known[right] = int.from_bytes(block[:8], "big") % side
                left, right = right, (left + value) % side
            index = left * side + right
            if index < count:
                return index


@lru_cache(maxsize=SEEDS_KEPT)
def _network(seed: bytes, count: int) -> _Network:
    return _Network(seed, count)
