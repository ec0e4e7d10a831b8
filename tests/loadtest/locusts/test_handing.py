"""The books: in parts over the wire, and in a folder."""

import random
from pathlib import Path

from hdrh.log import HistogramLogReader
from hypothesis import given
from hypothesis import strategies as st

from loadtest.locusts import handing
from loadtest.locusts.handing import PART_BYTES, Beat, Books, Gathering, Handed, parts_of
from loadtest.recording.record import Record
from loadtest.recording.recorder import Recorder, histogram

ABOUT = {"story": "concert-drop", "seed": 7}


def books(*, orders: int, testimony: bytes = b"told") -> Books:
    recorder = Recorder(wall_s=lambda: 1_000.0)
    for n in range(orders):
        recorder.arrive(missed=n == 0)
        recorder.observe("order", "201", 0.01 * (n + 1))
    recorder.finish()
    return Books(Record.of(recorder).packed(), testimony, orders, (Beat(1_000.5, 0.25, 0.001),))


@given(st.integers(0, 3 * PART_BYTES + 1))
def test_parts_are_bounded_and_make_the_whole(size: int) -> None:
    packed = bytes(size)
    parts = parts_of(packed)
    assert b"".join(parts) == packed
    assert all(len(part) <= PART_BYTES for part in parts)


@given(st.integers(0, 10_000))
def test_books_come_together_in_whatever_order_their_parts_come(seed: int) -> None:
    given_books = {
        "a": books(orders=2, testimony=bytes(2 * PART_BYTES)),
        "b": books(orders=3, testimony=bytes(PART_BYTES)),
    }
    messages = [
        (worker, n, len(parts), piece)
        for worker, one in given_books.items()
        for parts in [parts_of(one.packed())]
        for n, piece in enumerate(parts)
    ]
    random.Random(seed).shuffle(messages)
    gathering = Gathering()
    for worker, part, parts_count, piece in messages:
        gathering.take(worker, part=part, parts=parts_count, piece=piece)
    assert gathering.books == given_books


def test_books_with_a_part_missing_are_no_books() -> None:
    first, *_ = parts_of(books(orders=1, testimony=bytes(2 * PART_BYTES)).packed())
    gathering = Gathering()
    gathering.take("a", part=0, parts=3, piece=first)
    assert gathering.books == {}


def test_records_of_all_workers_are_laid_over_each_other() -> None:
    handed = Handed.of({"a": books(orders=2), "b": books(orders=3)}, missing=[], about=ABOUT)
    assert (handed.record.begun, handed.record.missed, handed.line_reads) == (5, 2, 5)
    assert handed.record.totals["orders"].get_total_count() == 5


def test_a_folder_gives_back_what_it_was_given(tmp_path: Path) -> None:
    handed = Handed.of(
        {"a": books(orders=2, testimony=b"1"), "b": books(orders=3, testimony=b"2")}, missing=["c"], about=ABOUT
    )
    handing.write(tmp_path, handed)
    again = handing.read(tmp_path)
    assert again.record.outcomes() == handed.record.outcomes()
    assert (again.testimonies, again.line_reads, again.beats) == ([b"1", b"2"], 5, handed.beats)
    assert (again.missing, again.about["story"], again.about["seed"]) == (["c"], "concert-drop", 7)


def test_a_second_round_leaves_nothing_of_the_first_in_the_folder(tmp_path: Path) -> None:
    handing.write(tmp_path, Handed.of({"a": books(orders=1), "b": books(orders=1)}, missing=[], about=ABOUT))
    handing.write(tmp_path, Handed.of({"a": books(orders=1)}, missing=[], about=ABOUT))
    assert len(handing.read(tmp_path).testimonies) == 1


def test_kept_histograms_are_read_by_an_hdrhistogram_reader(tmp_path: Path) -> None:
    handing.write(tmp_path, Handed.of({"a": books(orders=4)}, missing=[], about=ABOUT))
    whole = histogram()
    reader = HistogramLogReader(str(tmp_path / "histograms" / "orders.hlog"), whole)
    reader.add_next_interval_histogram(dest_histogram=whole)
    reader.input_file.close()
    assert whole.get_total_count() == 4
