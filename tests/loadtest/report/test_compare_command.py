"""`floodgate compare` as somebody types it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from loadtest.report.compare import main
from loadtest.report.model import Report
from tests.loadtest.report import samples
from tests.loadtest.report.documents import Document

SAME = samples.report()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """before/0, before/1, after/0, after/1: after is slower. other: another scale."""
    home = tmp_path_factory.mktemp("runs")
    for side, slower in (("before", 1.0), ("after", 1.6)):
        for n in range(2):
            seeded = samples.report(seed=n, slower=slower)
            _keep(dataclasses.replace(seeded, seed=1, profile=SAME.profile), home / side / str(n))
    profile = {**SAME.profile, "scale": {"people": 0.5, "pace": 20.0}}
    _keep(dataclasses.replace(SAME, profile=profile), home / "other")
    return home


def _keep(report: Report, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "report.json").write_bytes(report.encoded())


def test_two_runs_are_compared(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(runs / "before/0"), str(runs / "after/0")]) == 0
    assert "give several" in capsys.readouterr().out


def test_several_runs_show_what_means_something(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{runs}/before/0,{runs}/before/1", f"{runs}/after/0,{runs}/after/1/report.json"]) == 0
    out = capsys.readouterr().out
    assert "worse" in out
    assert "within the spread" in out


def test_a_folder_of_runs_is_a_side(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(runs / "before"), str(runs / "after")]) == 0
    assert capsys.readouterr().out.count("2 runs") == 2


def test_the_table_fits_eighty_columns(
    runs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    main([str(runs / "before"), str(runs / "after")])
    out = capsys.readouterr().out
    assert "…" not in out
    assert [line for line in out.splitlines()[2:] if len(line) > 80] == []


def test_runs_that_ask_different_things_are_refused(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(runs / "before/0"), str(runs / "other")]) == 2
    said = capsys.readouterr()
    assert "scale.people" in said.err
    assert said.out == ""


def test_they_are_compared_when_somebody_insists(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(runs / "before/0"), str(runs / "other"), "--anyway"]) == 0
    assert "! The runs ask different things" in capsys.readouterr().out


def test_a_folder_without_a_report_is_refused(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(runs / "before/0"), str(tmp_path)]) == 2
    assert "there is no report here" in capsys.readouterr().err


def test_a_run_named_twice_is_refused(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{runs}/before/0,{runs}/before/0", str(runs / "after/0")]) == 2
    assert "named twice" in capsys.readouterr().err


def test_a_side_that_names_nothing_is_refused(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([" , ", str(runs / "after/0")]) == 2
    assert "names no run" in capsys.readouterr().err


def test_a_missing_argument_exits_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["only-one"])
    assert stopped.value.code == 2
    assert "usage: floodgate compare" in capsys.readouterr().err


def test_the_page_of_a_comparison_is_well_formed_and_alone(runs: Path, tmp_path: Path) -> None:
    assert main([str(runs / "before"), str(runs / "after"), "--html", str(tmp_path / "c.html")]) == 0
    document = Document((tmp_path / "c.html").read_text(encoding="utf-8"))
    assert document.mistakes == []
    assert [a for a in document.addresses if not a.startswith("#")] == []
    assert "script" not in document.names


def test_the_page_warns_of_what_differs(runs: Path, tmp_path: Path) -> None:
    main([str(runs / "before/0"), str(runs / "other"), "--anyway", "--html", str(tmp_path / "c.html")])
    assert "⚠ The runs ask different things" in Document((tmp_path / "c.html").read_text(encoding="utf-8")).text


def test_the_page_of_one_run_on_each_side_says_what_that_is_worth(runs: Path, tmp_path: Path) -> None:
    main([str(runs / "before/0"), str(runs / "after/0"), "--html", str(tmp_path / "c.html")])
    assert "one run on each side has no spread" in Document((tmp_path / "c.html").read_text(encoding="utf-8")).text


def test_a_page_that_cannot_be_written_is_said(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(runs / "before"), str(runs / "after"), "--html", str(tmp_path / "no" / "c.html")]) == 2
    assert "cannot be written" in capsys.readouterr().err
