"""Heads pass over a gap that nobody stands in, and count people, not positions."""

from hypothesis import given
from hypothesis import strategies as st

from engine.line.pacing.heads import advanced, people_between
from engine.line.sight import LaneSight


@st.composite
def lanes(draw: st.DrawFn) -> LaneSight:
    lobby, tail = draw(st.integers(0, 30)), draw(st.integers(0, 60))
    gap_from = draw(st.integers(0, tail))
    gap_to = draw(st.integers(gap_from, tail))
    head = draw(st.integers(0, lobby + tail))
    return LaneSight(head=head, lobby=lobby, tail=tail, ceiling=tail, gap_from=gap_from, gap_to=gap_to)


def people_of(lane: LaneSight) -> set[int]:
    """Every position that has an owner."""
    live = {lane.lobby + index for index in range(lane.tail) if not lane.gap_from <= index < lane.gap_to}
    return set(range(lane.lobby)) | live


@given(lanes(), st.integers(0, 100))
def test_a_head_that_is_advanced_by_some_people_calls_exactly_them_or_all_there_are(
    lane: LaneSight, people: int
) -> None:
    called = {at for at in people_of(lane) if lane.head <= at < advanced(lane, people)}
    waiting = {at for at in people_of(lane) if at >= lane.head}
    assert len(called) == min(people, len(waiting))


@given(lanes(), st.integers(0, 100))
def test_a_head_never_goes_back_and_never_beyond_the_end(lane: LaneSight, people: int) -> None:
    assert lane.head <= advanced(lane, people) <= lane.end


@given(lanes(), st.integers(0, 90), st.integers(0, 90))
def test_people_between_two_positions_are_those_who_stand_there(lane: LaneSight, start: int, end: int) -> None:
    assert people_between(lane, start, end) == len([at for at in people_of(lane) if start <= at < end]) + max(
        0, end - max(start, lane.end)
    )


@given(lanes())
def test_a_head_does_not_stop_inside_a_gap(lane: LaneSight) -> None:
    head = advanced(lane, 0)
    assert not lane.lobby + lane.gap_from <= head < lane.lobby + lane.gap_to or head == lane.end


@given(lanes())
def test_the_waiting_of_a_lane_are_the_people_behind_its_head(lane: LaneSight) -> None:
    assert lane.waiting == len([at for at in people_of(lane) if at >= lane.head])
