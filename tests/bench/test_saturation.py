"""The flood's own parts: who comes, who is served next, and that everybody has exactly one fate."""

import math
import random
from statistics import mean, variance

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from bench.saturation.arrivals import TICK_S, Arrivals, Stretch, poisson
from bench.saturation.curve import curve_of, document, held
from bench.saturation.fates import Flooded, Tally
from bench.saturation.line import Line

COUNT = 4000

stretches = st.builds(
    Stretch,
    share=st.just(1.0),
    offered_per_s=st.floats(1, 100_000),
    warm_s=st.floats(0, 0.2),
    measure_s=st.floats(0.01, 0.3),
)


@pytest.mark.parametrize("mean_count", [0.05, 1.0, 59.0, 61.0, 1000.0])
def test_as_many_come_as_in_a_poisson_process(mean_count: float) -> None:
    dice = random.Random(1)
    drawn = [poisson(mean_count, dice) for _ in range(COUNT)]
    # Four standard errors of the mean and of the variance.
    assert abs(mean(drawn) - mean_count) < 4 * math.sqrt(mean_count / COUNT)
    assert abs(variance(drawn) / mean_count - 1) < 4 * math.sqrt((2 + 1 / mean_count) / COUNT)


@given(stretches, st.lists(st.floats(0, 0.6), min_size=1, max_size=20))
def test_a_sender_that_looks_late_makes_up_for_every_tick(stretch: Stretch, looks_s: list[float]) -> None:
    punctual = Arrivals(stretch, begins_s=10.0, dice=random.Random(7))
    tardy = Arrivals(stretch, begins_s=10.0, dice=random.Random(7))
    by_the_clock = punctual.due(11.0)
    seen = [tick for at_s in [*sorted(looks_s), 1.0] for tick in tardy.due(10.0 + at_s)]
    assert seen == by_the_clock


@given(stretches)
def test_nobody_comes_behind_the_end(stretch: Stretch) -> None:
    arrivals = Arrivals(stretch, begins_s=0.0, dice=random.Random(1))
    assert all(came_s < arrivals.ends_s + TICK_S for came_s, _ in arrivals.due(100.0))


def test_the_newest_of_those_who_wait_is_served_next() -> None:
    line = Line(patience_s=1.0)
    line.join(0.0, 2)
    line.join(0.5, 1)
    assert [line.next(0.6), line.next(0.6), line.next(0.6), line.next(0.6)] == [0.5, 0.0, 0.0, None]


def test_whoever_waited_longer_than_the_patience_is_served_no_more() -> None:
    line = Line(patience_s=1.0)
    line.join(0.0, 5)
    assert line.next(1.1) is None
    assert line.leave(1.1) == [(0.0, 5)]


# A connection that is free every so often, and ticks of any size.
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 30)), max_size=100), st.floats(0.001, 0.1))
def test_everybody_is_served_or_leaves_or_is_still_there(ticks: list[tuple[int, int]], patience_s: float) -> None:
    line = Line(patience_s=patience_s)
    came = served = left = 0
    for number, (coming, free) in enumerate(ticks):
        now_s = number * TICK_S
        if coming:
            line.join(now_s, coming)
            came += coming
        left += sum(count for _, count in line.leave(now_s))
        for _ in range(free):
            if (since_s := line.next(now_s)) is not None:
                assert since_s + patience_s >= now_s
                served += 1
    assert came == served + left + sum(count for _, count in line.close())


ANSWERS = st.sampled_from(["201", "503", "broken"])


@given(st.lists(st.tuples(ANSWERS, st.floats(0, 0.3), st.floats(0, 3)), max_size=60), st.integers(0, 1000))
def test_everybody_who_is_judged_has_one_fate(answers: list[tuple[str, float, float]], given_up: int) -> None:
    stretch = Stretch(share=1.0, offered_per_s=100, warm_s=0.1, measure_s=0.2)
    tally = Tally(stretch, Arrivals(stretch, begins_s=0.0, dice=random.Random(1)), "201", 1.0)
    for answer, came_s, waited_s in answers:
        tally.came(came_s, 1)
        tally.answered(answer, came_s, came_s + waited_s, refused=answer == "503")
    tally.came(0.15, given_up)
    tally.gave_up([(0.15, given_up)])
    told = tally.told(seconds=1.0, sender_share=0.1, lag_s=0.0, spent_s={})
    assert told.offered == told.good + told.late + told.refused + told.turned_away + told.lost
    assert HdrHistogram.decode(told.latencies).get_total_count() == told.good + told.late


def flooded(share: float, good: int, *, waited_s: float = 0.01) -> Flooded:
    """A second at this share, of which so many were served."""
    stretch = Stretch(share=share, offered_per_s=share * 100, warm_s=0.0, measure_s=1.0)
    tally = Tally(stretch, Arrivals(stretch, begins_s=0.0, dice=random.Random(1)), "200", 1.0)
    tally.came(0.0, round(share * 100))
    for _ in range(good):
        tally.answered("200", 0.0, waited_s, refused=False)
    tally.gave_up([(0.0, round(share * 100) - good)])
    return tally.told(seconds=1.0, sender_share=0.2, lag_s=0.001, spent_s={"web-0": good * 1e-4})


def test_the_highest_offer_is_held_against_the_share_that_is_best_at_the_median() -> None:
    rounds = [
        [flooded(1, 90), flooded(2, 60), flooded(10, 81)],
        [flooded(1, 80), flooded(2, 199), flooded(10, 72)],  # one lucky moment
        [flooded(1, 85), flooded(2, 61), flooded(10, 80)],
    ]
    assert held(rounds) == ([81.0, 72.0, 80.0], [90.0, 80.0, 85.0])


def test_a_curve_has_a_point_for_each_share_at_the_median_with_the_spread() -> None:
    rounds = [[flooded(1, good), flooded(10, 80)] for good in (70, 90, 100)]
    first, last = document(curve_of("polls", rounds, connections=5, deadline_s=1.0))
    assert (first["goodput_per_s"], first["goodput_spread_per_s"]) == (90.0, [70.0, 100.0])
    assert (last["offered_per_s"], last["turned_away_per_s"]) == (1000.0, 920.0)
    assert first["cpu_us"] == {"web-0": 100.0}


def test_the_latencies_of_all_rounds_are_merged() -> None:
    rounds = [[flooded(1, 99, waited_s=0.01)], [flooded(1, 99, waited_s=0.5)]]
    (point,) = document(curve_of("polls", rounds, connections=5, deadline_s=1.0))
    assert 9.9 < point["p50_ms"] < 10.1
    assert 495 < point["p99_ms"] < 505
