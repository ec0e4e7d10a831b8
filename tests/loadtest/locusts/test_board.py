"""Live counts: told again and again, counted once."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from loadtest.locusts.board import AGAIN_S, ARRIVED, MISSED, OUTAGES, Board, row_of, rows_since
from loadtest.locusts.handing import Beat
from loadtest.recording.record import Record
from loadtest.recording.recorder import Recorder, Second


def test_a_row_has_goodput_by_kind_and_the_outages() -> None:
    second = Second(
        Counter({("order", "201"): 3, ("order", "SOLD_OUT"): 5, ("order", "outage:timeout"): 2, ("login", "200"): 9}),
        begun=4,
        missed=1,
    )
    assert row_of(7, second) == [7, {"orders": 3, "refusals": 5, OUTAGES: 2, ARRIVED: 4, MISSED: 1}]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), max_size=40), st.sets(st.integers(0, 39)))
def test_whenever_it_is_told_everything_is_counted_once(heard: list[tuple[int, int]], told_after: set[int]) -> None:
    """Seconds go on; reports come in between, at any moment."""
    now = [1_000.0]
    recorder = Recorder(wall_s=lambda: now[0])
    board, told = Board(), 0
    for n, (pause, arrivals) in enumerate(heard):
        now[0] += pause
        for _ in range(arrivals):
            recorder.arrive(missed=False)
        if n in told_after:
            board.hear("a", rows_since(recorder.seconds, told), None)
            told = max(recorder.seconds, default=0)
    board.hear("a", rows_since(recorder.seconds, told), None)
    assert board.total()[ARRIVED] == sum(arrivals for _, arrivals in heard)


def test_a_second_that_grew_after_it_was_told_is_told_again() -> None:
    assert [row[0] for row in rows_since({at: Second(begun=1) for at in range(10)}, 9)] == [
        at for at in range(10) if at > 9 - AGAIN_S
    ]


def test_a_peak_is_that_of_all_workers_together() -> None:
    board = Board()
    board.hear("a", [[100, {"joins": 3}]], Beat(100.0, 0.5, 0.0))
    board.hear("b", [[100, {"joins": 4}]], None)
    board.hear("b", [[101, {"joins": 5}]], None)
    assert (board.peaks["joins"], board.total()["joins"]) == (7, 12)


def test_seconds_between_are_shown_as_empty() -> None:
    board = Board()
    board.hear("a", [[100, {"joins": 3}], [103, {"joins": 1}]], None)
    assert [second["joins"] for second in board.seconds(growing_s=0)] == [3, 0, 0, 1]


def test_the_books_replace_what_was_told_meanwhile() -> None:
    recorder = Recorder(wall_s=lambda: 100.0)
    for _ in range(3):
        recorder.observe("join", "200", 0.01)
    recorder.finish()
    board = Board()
    board.hear("a", [[100, {"joins": 1}]], None)
    board.settle(Record.of(recorder))
    assert (board.total()["joins"], board.peaks["joins"]) == (3, 3)
