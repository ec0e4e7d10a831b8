"""What becomes of passes: how many are still to be orders, and how many usually are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.line.pacing.passes import Mark, PassHistory
from tests.line.pacing.sights import lane_of, sight_of

PASS_MS = 16_000


def run(*marks: Mark) -> tuple[int, int]:
    """Passes whose time is over after these moments, and those of them that were used."""
    history, given, used = PassHistory(), 0, 0
    for mark in marks:
        history, more, of_them = history.after(mark, pass_ms=PASS_MS)
        given, used = given + more, used + of_them
    return given, used


def test_nothing_is_known_for_good_before_a_pass_can_have_run_out() -> None:
    assert run(Mark(0, 0, 0, 0), Mark(8_000, 10, 6, 0), Mark(15_999, 10, 6, 0)) == (0, 0)


def test_what_was_given_and_has_not_run_out_since_was_used() -> None:
    assert run(Mark(0, 0, 0, 0), Mark(8_000, 10, 6, 0), Mark(24_000, 30, 20, 4)) == (10, 6)


def test_each_pass_is_learned_from_once() -> None:
    ends = [Mark(24_000, 30, 20, 4), Mark(24_500, 30, 20, 4)]
    assert run(Mark(0, 0, 0, 0), Mark(8_000, 10, 6, 0), *ends) == (10, 6)


def test_the_history_is_as_long_as_a_pass() -> None:
    history = PassHistory()
    for at in range(200):
        history, _, _ = history.after(Mark(at * 500, at, at, 0), pass_ms=PASS_MS)
    assert len(history.marks) <= 18


def expected(history: PassHistory, *unused: int, taken: int = 0) -> float:
    lane = lane_of(taken=taken)
    sight = sight_of(lane, admitted=sum(unused), passes=unused, serving_ms=16_000)
    return history.orders_expected(sight, 0.8, pass_ms=PASS_MS)


def test_young_passes_become_orders_as_passes_usually_do() -> None:
    history = PassHistory((Mark(14_000, 0, 0, 0),))
    assert expected(history, 10, 0, 0, 0, 0, 0, 0, 0) == pytest.approx(8)


def test_nothing_more_is_expected_of_passes_that_were_used_as_usually() -> None:
    history = PassHistory((Mark(14_000, 0, 0, 0),))
    assert expected(history, 2, 0, 0, 0, 0, 0, 0, 0, taken=8) == pytest.approx(0)


def test_old_passes_hardly_become_orders() -> None:
    history = PassHistory((Mark(0, 0, 0, 0), Mark(2_000, 10, 0, 0)))
    assert expected(history, 0, 0, 0, 0, 0, 0, 0, 10) < 0.2


def test_no_more_orders_are_expected_than_passes_are_out() -> None:
    history = PassHistory((Mark(14_000, 0, 0, 0),))
    assert expected(history, 1, 0, 0, 0, 0, 0, 0, 0, taken=0) <= 1


@given(st.lists(st.tuples(st.integers(1, 3_000), st.integers(0, 50)), min_size=1, max_size=30), st.integers(0, 60_000))
def test_what_was_given_by_a_moment_lies_between_the_marks(steps: list[tuple[int, int]], at_ms: int) -> None:
    marks, serving_ms, given_count = [], 0, 0
    for ms, count in steps:
        serving_ms, given_count = serving_ms + ms, given_count + count
        marks.append(Mark(serving_ms, given_count, 0, 0))
    given_by = PassHistory(tuple(marks)).given_by(at_ms, marks[-1])
    before = [mark.given for mark in marks if mark.serving_ms <= at_ms]
    after = [mark.given for mark in marks if mark.serving_ms >= at_ms]
    assert max(before, default=marks[0].given) <= given_by <= min(after, default=marks[-1].given)
