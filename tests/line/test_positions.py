"""Where a place stands: the lobby as drawn, then everybody else in the order of coming."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from engine.line.place import Cohort, Place
from engine.line.positions import position_of
from engine.line.sight import LaneSight

DRAWN = LaneSight(lobby=50, tail=7, seed=b"s" * 32)


def place(cohort: Cohort, index: int) -> Place:
    return Place(b"a" * 16, "spring", 0, cohort, 1, index)


def test_nobody_has_a_position_before_the_draw() -> None:
    undrawn = replace(DRAWN, seed=b"")
    assert position_of(place(Cohort.LOBBY, 3), undrawn) is None
    assert position_of(place(Cohort.LIVE, 3), undrawn) is None


def test_the_live_cohort_stands_behind_the_whole_lobby_in_the_order_of_coming() -> None:
    assert [position_of(place(Cohort.LIVE, index), DRAWN) for index in range(3)] == [50, 51, 52]


@given(st.integers(1, 300), st.binary(min_size=32, max_size=32))
def test_the_lobby_fills_the_first_positions_one_each(count: int, seed: bytes) -> None:
    lane = replace(DRAWN, lobby=count, seed=seed)
    assert {position_of(place(Cohort.LOBBY, index), lane) for index in range(count)} == set(range(count))


def test_an_index_beyond_the_lobby_has_no_position() -> None:
    assert position_of(place(Cohort.LOBBY, 50), DRAWN) is None
