"""The tree over a lane's entries, against the definition of RFC 6962 written down a second time."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from engine.line.draw.merkle import CHUNK, NO_ENTRIES, leaf, leaves, levels_of, path_in, root_by_path, root_of

tags_of_some = st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=70)


def by_definition(hashes: list[bytes]) -> bytes:
    """The root by splitting at the largest power of two below the number of leaves."""
    if len(hashes) == 1:
        return hashes[0]
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    return sha256(b"\x01" + by_definition(hashes[:half]) + by_definition(hashes[half:])).digest()


@given(tags_of_some)
def test_the_root_is_that_of_the_definition(tags: list[bytes]) -> None:
    hashes = [sha256(b"\x00\x03" + index.to_bytes(4, "big") + tag).digest() for index, tag in enumerate(tags)]
    assert root_of(leaves(3, 0, tags)) == by_definition(hashes)


def test_nobody_has_the_root_of_nothing() -> None:
    assert root_of([]) == NO_ENTRIES == sha256(b"").digest()


def test_the_root_over_chunks_is_the_root_over_all_leaves() -> None:
    tags = [index.to_bytes(16, "big") for index in range(2 * CHUNK + 77)]
    chunks = [root_of(leaves(0, first, tags[first : first + CHUNK])) for first in range(0, len(tags), CHUNK)]
    assert root_of(chunks) == root_of(leaves(0, 0, tags))


@given(tags_of_some, st.data())
def test_every_entry_is_led_to_the_root(tags: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(tags) - 1))
    levels = levels_of(leaves(0, 0, tags))
    path = path_in(levels, index)
    assert root_by_path(leaf(0, index, tags[index]), index, len(tags), path) == levels[-1][0]


@given(tags_of_some, st.data())
def test_an_entry_that_is_not_there_is_not_led_to_the_root(tags: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(tags) - 1))
    levels = levels_of(leaves(0, 0, tags))
    path, root = path_in(levels, index), levels[-1][0]
    strange = bytes(16) if tags[index] != bytes(16) else b"\x01" * 16
    assert root_by_path(leaf(0, index, strange), index, len(tags), path) != root
    assert root_by_path(leaf(1, index, tags[index]), index, len(tags), path) != root
    assert root_by_path(leaf(0, index, tags[index]), index, len(tags), [*path, root]) is None
    if path:
        assert root_by_path(leaf(0, index, tags[index]), index, len(tags), path[1:]) is None


def test_an_index_beyond_the_lobby_leads_nowhere() -> None:
    assert root_by_path(bytes(32), 3, 3, []) is None
