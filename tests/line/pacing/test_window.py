"""Who was called and has not come, by checkpoints."""

import pytest

from engine.line.pacing.window import (
    called_lately,
    checkpoint_due,
    drop_count,
    outstanding,
    settled,
    shown_so_far,
    shows_expected,
)
from engine.line.sight import Checkpoint, LineSight
from tests.line.pacing.sights import lane_of, sight_of

WINDOW_MS = 90_000


def seen(serving_ms: int, *points: tuple[int, int, int], head: int) -> LineSight:
    checkpoints = tuple(Checkpoint(serving_ms=at, heads=(heads,), shown=shown) for at, heads, shown in points)
    return sight_of(lane_of(50, head=head), serving_ms=serving_ms, checkpoints=checkpoints)


def test_who_was_called_and_has_not_come_is_waited_for() -> None:
    sight = seen(10_000, (0, 0, 12), (5_000, 20, 3), head=30)
    assert outstanding(sight, window_ms=WINDOW_MS) == (20 - 12) + (10 - 3)


def test_nobody_is_waited_for_before_anybody_is_called() -> None:
    assert outstanding(sight_of(lane_of(50)), window_ms=WINDOW_MS) == 0


def test_no_shows_stop_counting_when_the_window_is_over() -> None:
    assert outstanding(seen(95_000, (0, 0, 12), (5_000, 20, 3), head=30), window_ms=WINDOW_MS) == 7


def test_no_shows_still_count_at_the_last_moment_of_the_window() -> None:
    assert outstanding(seen(94_999, (0, 0, 12), (5_000, 20, 3), head=30), window_ms=WINDOW_MS) == 15


def test_who_was_just_called_is_expected_by_the_show_rate() -> None:
    assert shows_expected(seen(0, (0, 0, 0), head=10), 0.5, window_ms=WINDOW_MS) == pytest.approx(5)


def test_nobody_is_expected_of_a_group_that_came_as_people_usually_do() -> None:
    assert shows_expected(seen(0, (0, 0, 8), head=10), 0.8, window_ms=WINDOW_MS) == 0


def test_a_group_that_came_in_greater_numbers_makes_up_for_another() -> None:
    sight = seen(5_625, (0, 0, 10), (5_625, 10, 0), head=20)
    assert shows_expected(sight, 0.8, window_ms=WINDOW_MS) == pytest.approx(8 - 2)


def test_who_was_called_long_ago_is_hardly_expected() -> None:
    sight = seen(80_000, (0, 0, 0), (5_000, 100, 0), head=100)
    assert 0 < shows_expected(sight, 0.8, window_ms=WINDOW_MS) < 1


def test_the_show_rate_learns_from_a_group_once_its_window_is_over() -> None:
    sight = seen(95_000, (0, 0, 12), (5_000, 20, 3), head=30)
    assert settled(sight, after_ms=-1, window_ms=WINDOW_MS) == (20, 12, 0)


def test_the_show_rate_learns_from_a_group_only_once() -> None:
    sight = seen(95_000, (0, 0, 12), (5_000, 20, 3), head=30)
    assert settled(sight, after_ms=0, window_ms=WINDOW_MS) == (0, 0, 0)


def test_what_is_shown_so_far_counts_only_groups_that_are_waited_for() -> None:
    assert shown_so_far(seen(95_000, (0, 0, 12), (5_000, 20, 3), head=30), window_ms=WINDOW_MS) == (10, 3)


def test_a_gap_that_the_head_passed_called_nobody() -> None:
    lane = lane_of(0, head=30, gap_from=10, gap_to=25)
    sight = sight_of(lane, serving_ms=0, checkpoints=(Checkpoint(serving_ms=0, heads=(0,), shown=0),))
    assert outstanding(sight, window_ms=WINDOW_MS) == 15


def test_a_lane_counts_whom_it_called_within_the_window() -> None:
    sight = seen(95_000, (0, 0, 12), (5_000, 20, 3), head=30)
    assert called_lately(sight, 0, window_ms=WINDOW_MS) == 10


def test_a_lane_counts_the_fewer_of_them_the_longer_ago_it_called_them() -> None:
    sight = seen(50_000, (0, 0, 0), (50_000 - WINDOW_MS // 8, 20, 0), head=20)
    assert called_lately(sight, 0, window_ms=WINDOW_MS) == pytest.approx(10)


def test_the_first_tick_writes_a_checkpoint() -> None:
    assert checkpoint_due(sight_of(lane_of(5)), window_ms=WINDOW_MS)


def test_a_sixteenth_of_a_window_later_the_next_one_is_due() -> None:
    assert checkpoint_due(seen(5_625, (0, 0, 0), head=3), window_ms=WINDOW_MS)


def test_before_that_it_is_not() -> None:
    assert not checkpoint_due(seen(5_624, (0, 0, 0), head=3), window_ms=WINDOW_MS)


def test_a_whole_window_is_covered_by_about_twenty_checkpoints() -> None:
    points = tuple((at * 5_625, at, 0) for at in range(40))
    sight = seen(39 * 5_625, *points, head=50)
    assert 16 <= len(points) - drop_count(sight, window_ms=WINDOW_MS) <= 20


def test_only_what_nobody_waits_for_is_dropped() -> None:
    assert drop_count(seen(95_000, (0, 0, 12), (5_000, 20, 3), head=30), window_ms=WINDOW_MS) == 1
