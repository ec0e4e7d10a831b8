"""What the line tells of itself: nothing that is not known."""

from dataclasses import replace

import pytest

from engine.line.pacing.estimates import Estimates, Share
from engine.line.pacing.lanes import LaneTerms
from engine.line.pacing.memory import Memory
from engine.line.pacing.numbers import eta_band_s, rate_per_s, reaches, time_to_end_s
from tests.line.pacing.sights import knobs_of, lane_of, sight_of

SURE = Estimates(show=Share(100, 100), conversion=Share(100, 100), lapse=Share(0, 100))
MOVING = Memory(estimates=SURE, rates=(10.0,))
SIGHT = sight_of(lane_of(1000, head=100, called=100), free=300)


def test_the_wait_is_a_band_around_what_the_rate_says() -> None:
    band = eta_band_s(SIGHT, MOVING, knobs_of(), 0, 599)
    assert band == pytest.approx((37.5, 80.0))


def test_whoever_is_called_waits_no_more() -> None:
    assert eta_band_s(SIGHT, MOVING, knobs_of(), 0, 99) == (0.0, 0.0)


def test_no_wait_is_told_while_the_sale_is_paused() -> None:
    assert eta_band_s(replace(SIGHT, paused=True), MOVING, knobs_of(), 0, 599) is None


def test_no_wait_is_told_while_nothing_is_free() -> None:
    shelves = replace(SIGHT.shelves, free=0, held=10)
    assert eta_band_s(replace(SIGHT, shelves=shelves), MOVING, knobs_of(), 0, 599) is None


def test_no_wait_is_told_of_a_lane_that_does_not_move() -> None:
    assert eta_band_s(SIGHT, replace(MOVING, rates=(0.0,)), knobs_of(rate=50), 0, 599) is None


def test_before_anybody_is_called_the_operator_s_rate_is_all_there_is() -> None:
    sight = sight_of(lane_of(1000), free=300)
    assert eta_band_s(sight, Memory(), knobs_of(rate=50), 0, 499) == pytest.approx((7.5, 20.0))


def test_nobody_in_a_gap_is_waited_for() -> None:
    lane = lane_of(1000, head=100, called=100, gap_from=200, gap_to=400)
    assert eta_band_s(sight_of(lane, free=300), MOVING, knobs_of(), 0, 599) == pytest.approx((22.5, 50.0))


def test_units_reach_as_far_as_they_serve_people() -> None:
    assert reaches(SIGHT, MOVING, knobs_of()) == (400,)


def test_units_reach_nobody_new_while_none_is_free() -> None:
    shelves = replace(SIGHT.shelves, free=0, held=10)
    assert reaches(replace(SIGHT, shelves=shelves), MOVING, knobs_of()) == (100,)


def test_what_a_short_lane_leaves_reaches_further_in_the_other() -> None:
    sight = sight_of(lane_of(1000), lane_of(20), free=300)
    knobs = knobs_of(LaneTerms(), LaneTerms(public=False))
    assert reaches(sight, MOVING, knobs) == (280, 20)


def test_the_rate_is_that_of_all_lanes() -> None:
    assert rate_per_s(Memory(rates=(3.0, 4.5))) == 7.5


def test_the_end_of_the_line_is_as_far_as_people_wait() -> None:
    assert time_to_end_s(SIGHT, MOVING) == 100
