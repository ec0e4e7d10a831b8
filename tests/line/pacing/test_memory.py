"""What lies in Redis between two ticks can be read back, and never stops a worker of another version."""

import msgpack
from hypothesis import given
from hypothesis import strategies as st

from engine.line.pacing.memory import Memory, TickRow

numbers = st.integers(0, 1 << 40)
floats = st.floats(allow_nan=False, allow_infinity=False)
rows = st.builds(
    TickRow,
    tick=numbers,
    at_ms=numbers,
    heads=st.lists(numbers, max_size=8).map(tuple),
    free=numbers,
    held=numbers,
    admitted=numbers,
    released=numbers,
)
memories = st.builds(
    Memory,
    allowance=st.none() | floats,
    deficits=st.lists(floats, max_size=8).map(tuple),
    rates=st.lists(floats, max_size=8).map(tuple),
    settled_ms=st.integers(-1, 1 << 40),
    trail=st.lists(rows, max_size=6).map(tuple),
)


@given(memories)
def test_what_is_packed_is_read_back(memory: Memory) -> None:
    assert Memory.unpack(memory.pack()) == memory


@given(st.binary())
def test_bytes_that_are_no_memory_are_a_fresh_start(packed: bytes) -> None:
    assert Memory.unpack(packed) == Memory()


def test_the_memory_of_another_version_is_a_fresh_start() -> None:
    assert Memory.unpack(msgpack.packb([2, "of", "something", "else"])) == Memory()


def test_a_memory_of_one_lane_is_small() -> None:
    row = TickRow(1 << 20, 1 << 41, (1 << 20,), 1000, 1000, 1000, 100)
    assert len(Memory(allowance=1.5, deficits=(0.1,), rates=(9.9,), trail=(row,) * 6).pack()) < 500
