"""A kept report is read back whole, or refused with a sentence."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import orjson
import pytest

from loadtest.report.model import Report
from loadtest.report.reading import ReportUnreadable, decoded, read
from tests.loadtest.report import samples


def _kept(folder: Path, **changes: object) -> Path:
    kept = dataclasses.asdict(samples.report()) | changes
    (folder / "report.json").write_bytes(orjson.dumps(kept))
    return folder


def test_a_report_is_read_back_as_it_was_kept() -> None:
    report = samples.report()
    assert orjson.loads(decoded(report.encoded()).encoded()) == orjson.loads(report.encoded())


def test_a_folder_and_its_file_are_the_same_report(tmp_path: Path) -> None:
    assert read(_kept(tmp_path)) == read(tmp_path / "report.json")


def test_what_is_read_back_has_the_model_s_types(tmp_path: Path) -> None:
    report = read(_kept(tmp_path))
    assert isinstance(report, Report)
    assert report.kinds["orders"].p99_ms == samples.report().kinds["orders"].p99_ms


def test_an_empty_folder_is_refused_with_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ReportUnreadable, match="Give a run's folder"):
        read(tmp_path)


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("not a report")
    with pytest.raises(ReportUnreadable, match="is not the report of a run"):
        read(tmp_path)


def test_a_field_of_a_wrong_type_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReportUnreadable, match="seed"):
        read(_kept(tmp_path, seed="many"))


def test_many_mistakes_are_counted_instead_of_listed(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(ReportUnreadable, match=r"and \d+ more"):
        read(tmp_path)


def test_a_report_of_another_schema_is_refused_whatever_is_in_it(tmp_path: Path) -> None:
    with pytest.raises(ReportUnreadable, match="schema 99"):
        read(_kept(tmp_path, schema=99, kinds="unlike today's"))
