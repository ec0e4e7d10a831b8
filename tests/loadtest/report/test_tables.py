"""The tables say the same as the report and the record, and other tools can read them."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from hypothesis import given
from hypothesis import strategies as st

from loadtest.recording.record import Record
from loadtest.recording.recorder import VALUE_MAX_US, Recorder
from loadtest.report import tables
from loadtest.report.model import Report
from tests.loadtest.report import samples


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    tables.write(_gappy(), samples.record(), path)
    return path


def _gappy() -> Report:
    """With seconds that nobody sampled, and a series that is shorter than the others."""
    report = samples.report()
    stock = {name: [None, *values[1:]] for name, values in report.timeline.stock.items()}
    timeline = dataclasses.replace(report.timeline, stock=stock, redis_keys=report.timeline.redis_keys[:5])
    return dataclasses.replace(report, timeline=timeline)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _values(log: Path) -> HdrHistogram:
    """All intervals of a log in one histogram, read by HdrHistogram's own reader."""
    whole = HdrHistogram(1, VALUE_MAX_US, 3)
    reader = HistogramLogReader(str(log), whole)
    while reader.add_next_interval_histogram() is not None:
        pass
    reader.close()
    return whole


def test_every_second_of_the_timeline_has_a_row(folder: Path) -> None:
    assert [float(row["t_s"]) for row in _read(folder / "timeline.csv")] == samples.T


def test_every_series_of_the_timeline_can_be_read_back(folder: Path) -> None:
    rows = _read(folder / "timeline.csv")
    read = {name: [float(row[name]) if row[name] else None for row in rows] for name in rows[0] if name != "t_s"}
    kept = {name: [*values, *[None] * (len(rows) - len(values))] for name, values in tables.series(_gappy().timeline)}
    assert read == {name: pytest.approx(values) for name, values in kept.items()}


def test_a_missing_sample_is_an_empty_cell(folder: Path) -> None:
    rows = _read(folder / "timeline.csv")
    assert (rows[0]["stock.free"], rows[-1]["redis_keys"]) == ("", "")


def test_latencies_can_be_read_back(folder: Path) -> None:
    read: dict[str, list[tuple[float, float]]] = {}
    for row in _read(folder / "latencies.csv"):
        read.setdefault(row["kind"], []).append((float(row["percentile"]), float(row["ms"])))
    assert read == {kind: list(result.distribution) for kind, result in _gappy().kinds.items()}


def test_every_kind_that_was_timed_has_a_log(folder: Path) -> None:
    assert {path.stem for path in (folder / "histograms").iterdir()} == set(samples.record().totals)


def test_a_log_has_one_interval_for_each_second_with_answers(folder: Path) -> None:
    lines = (folder / "histograms" / "orders.hlog").read_text().splitlines()
    stamps = [float(line.split(",")[0]) for line in lines if line[0] not in '#"']
    assert stamps == [1_795_336_265, 1_795_336_266, 1_795_336_267]


@pytest.mark.parametrize("kind", sorted(samples.record().totals))
def test_a_log_holds_as_many_values_as_the_whole_run(folder: Path, kind: str) -> None:
    whole = samples.record().totals[kind]
    assert _values(folder / "histograms" / f"{kind}.hlog").get_total_count() == whole.get_total_count()


@pytest.mark.parametrize("percentile", [50, 90, 99, 99.9, 100])
def test_a_log_tells_the_percentiles_of_the_run_to_two_digits(folder: Path, percentile: float) -> None:
    whole = samples.record().totals["orders"].get_value_at_percentile(percentile)
    read = _values(folder / "histograms" / "orders.hlog").get_value_at_percentile(percentile)
    assert read == pytest.approx(whole, rel=0.011)


def test_the_highest_value_of_an_interval_stands_in_its_line(folder: Path) -> None:
    line = (folder / "histograms" / "orders.hlog").read_text().splitlines()[-1]
    highest_us = HdrHistogram.decode(line.split(",")[3]).get_max_value()
    assert float(line.split(",")[2]) == pytest.approx(highest_us / 1000)


def test_a_log_begins_when_the_first_answer_came(folder: Path) -> None:
    reader = HistogramLogReader(str(folder / "histograms" / "orders.hlog"), HdrHistogram(1, VALUE_MAX_US, 3))
    reader.get_next_interval_histogram()
    reader.close()
    assert reader.get_start_time_sec() == 1_795_336_265


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30))
def test_no_answer_is_lost_between_the_recorder_and_its_log(elapsed_s: list[float]) -> None:
    clock = [1000.0]
    recorder = Recorder(wall_s=lambda: clock[0])
    for value in elapsed_s:
        clock[0] += 0.4
        recorder.observe("line", "200", value)
    recorder.finish()
    lines = [line for line in tables.interval_log(Record.of(recorder), "polls") if line[0] not in '#"']
    counts = [HdrHistogram.decode(line.split(",")[3]).get_total_count() for line in lines]
    assert sum(counts) == len(elapsed_s)


def test_a_kind_with_a_strange_name_stays_in_its_folder() -> None:
    assert tables.file_name("../../orders of: 票") == "______orders_of___"


def test_writing_again_replaces_what_was_there(tmp_path: Path) -> None:
    tables.write(_gappy(), samples.record(), tmp_path)
    once = (tmp_path / "timeline.csv").read_bytes()
    tables.write(_gappy(), samples.record(), tmp_path)
    assert (tmp_path / "timeline.csv").read_bytes() == once
