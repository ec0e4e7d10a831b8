"""The Merkle tree over a lane's entries. Pure, and frozen like the permutation.

Its shape is that of RFC 6962: a tree of n leaves is split at the largest power of two below n. So every full chunk of
4,096 leaves, a power of two, is a subtree of its own, whose root can be computed while the lobby is still open, and
closing the lobby costs one hash for each chunk instead of one for each person.
"""

from collections.abc import Sequence
from hashlib import sha256

CHUNK = 4096
TAG_BYTES = 16
NO_ENTRIES = sha256(b"").digest()

_LEAF = b"\x00"
_NODE = b"\x01"


def leaf(lane: int, index: int, tag: bytes) -> bytes:
    """The hash of one entry. tag: the 16 bytes that stand for a buyer in this sale."""
    return sha256(_LEAF + bytes((lane,)) + index.to_bytes(4, "big") + tag).digest()


def leaves(lane: int, first: int, tags: Sequence[bytes]) -> list[bytes]:
    """The hashes of entries that follow each other from the index `first` on."""
    start = _LEAF + bytes((lane,))
    return [sha256(start + index.to_bytes(4, "big") + tag).digest() for index, tag in enumerate(tags, first)]


def node(left: bytes, right: bytes) -> bytes:
    return sha256(_NODE + left + right).digest()


def root_of(nodes: Sequence[bytes]) -> bytes:
    """The root over leaves, or over the roots of chunks: all full but the last, which may be partial."""
    return levels_of(nodes)[-1][0] if nodes else NO_ENTRIES


def _above(level: list[bytes]) -> list[bytes]:
    """The next level; a last one without a partner goes up as it is, which is the shape of RFC 6962."""
    above = [sha256(_NODE + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
    if len(level) % 2:
        above.append(level[-1])
    return above


def levels_of(nodes: Sequence[bytes]) -> list[list[bytes]]:
    """Every level of the tree from these nodes up to the root."""
    levels = [list(nodes)]
    while len(levels[-1]) > 1:
        levels.append(_above(levels[-1]))
    return levels


def path_in(levels: Sequence[Sequence[bytes]], at: int) -> list[bytes]:
    """The hashes that lead from the lowest node at `at` to the root, the nearest first.

    The path of an entry is the one inside its chunk and then the one from its chunk's root to the root of all.
    """
    path = []
    for level in levels:
        partner = at ^ 1
        if partner < len(level):
            path.append(level[partner])
        at //= 2
    return path


def root_by_path(entry: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a path leads to from the leaf of this index among `count`; None when it is too short or long."""
    if not 0 <= index < count:
        return None
    found, last, rest = entry, count - 1, list(path)
    while last > 0:
        if index % 2 or index < last:
            if not rest:
                return None
            other = rest.pop(0)
            found = node(other, found) if index % 2 else node(found, other)
        index, last = index // 2, last // 2
    return None if rest else found
