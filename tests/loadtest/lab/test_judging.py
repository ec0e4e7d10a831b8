"""Arrivals and the generator's honesty, as figures alone."""

from hypothesis import given
from hypothesis import strategies as st

from loadtest.lab.honesty import LATE_S, generated
from loadtest.lab.judging import arrivals, until
from loadtest.lab.live import Live
from loadtest.lab.talk import Moment
from loadtest.lab.tally import TOLD_AFTER_S, Tally
from loadtest.recording.record import Record
from loadtest.recording.recorder import Recorder
from loadtest.recording.trust import BUSY_SHARE, MISSED_SHARE_MAX, percentile


def record_of(seconds: list[tuple[int, int, int]]) -> Record:
    """(wall second, people on time, people missed)."""
    now = [0]
    recorder = Recorder(wall_s=lambda: now[0])
    for at, came, missed in seconds:
        now[0] = at
        for number in range(came + missed):
            recorder.arrive(missed=number >= came)
            recorder.observe("join", "200", 0.01)
    recorder.finish()
    return Record.of(recorder)


def live_of(shares: list[float], lags_s: list[float]) -> Live:
    live = Live()
    empty = Record().packed()
    for at, (share, lag_s) in enumerate(zip(shares, lags_s, strict=True)):
        live.hear("generator-0", Moment(100 + at / 2, share, lag_s, 0, {}, empty))
    return live


@given(st.integers(0, 20), st.integers(0, 5))
def test_arrivals_hold_up_to_one_missed_in_a_thousand(hundreds: int, missed: int) -> None:
    arrived = arrivals(record_of([(5, 100 * hundreds, missed)]))
    assert (arrived.intended, arrived.missed) == (100 * hundreds + missed, missed)
    assert arrived.holds == (arrived.intended > 0 and missed <= MISSED_SHARE_MAX * arrived.intended)


def test_a_run_to_which_nobody_came_does_not_hold() -> None:
    assert not arrivals(Record()).holds


def test_who_was_missed_after_a_search_had_its_answer_is_no_fault() -> None:
    record = record_of([(5, 10, 0), (9, 0, 10)])
    assert arrivals(until(record, 9.0)).holds
    assert not arrivals(until(record, None)).holds


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_not_exceeded_by_that_share_of_the_values(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2)), min_size=1, max_size=40))
def test_the_generator_is_called_the_limit_exactly_when_busy_or_late(moments: list[tuple[float, float]]) -> None:
    shares, lags_s = [share for share, _ in moments], [lag_s for _, lag_s in moments]
    found = generated(live_of(shares, lags_s), engine="open loop", processes=1)
    limit = percentile(shares, 0.95) > BUSY_SHARE or percentile(lags_s, 0.99) > LATE_S
    assert found.was_the_limit == limit
    assert ("not the limit" in found.words) == (not limit)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.integers(1, 4))
def test_a_screen_that_looks_often_counts_every_second_once(came: list[int], every: int) -> None:
    record = record_of([(100 + at, people, 0) for at, people in enumerate(came)])
    tally = Tally()
    for now_s in range(100, 100 + len(came) + TOLD_AFTER_S + every, every):
        tally.count(record, now_s=now_s)
    tally.count(record, now_s=10_000)
    assert tally.arrived == sum(came)
    assert {kind: one.count for kind, one in tally.kinds().items()} == ({"joins": sum(came)} if sum(came) else {})
