"""`floodgate plan` as people run it: without settings, servers or anything running."""

import json
from pathlib import Path

from tests.cli.conftest import Run


def test_a_plan_needs_no_settings(run: Run) -> None:
    ended = run("plan", "--waiting", "1000000", bare=True)

    assert ended.code == 0, ended.err
    assert "A drop with 1,000,000 people in the line" in ended.out
    assert "Assumed: 80% come before the draw" in ended.out


def test_json_says_the_same_to_a_program(run: Run) -> None:
    planned = json.loads(run("plan", "--waiting", "1000", "--rate", "10", "--tickets", "64", "--json", bare=True).out)

    assert planned["called"] == 63  # 64 / (1.6 units * 0.8 who come * 0.8 who order) is 62.5
    assert planned["lasts_s"] == 6.3


def test_costs_are_taken_from_a_report_of_the_bench(run: Run, tmp_path: Path) -> None:
    report = tmp_path / "bench.json"
    report.write_text(json.dumps({"machine": "mine", "unit_costs": {"redis_line_bytes": 100}}))

    planned = json.loads(run("plan", "--waiting", "10", "--from", report, "--json", bare=True).out)

    assert planned["redis_bytes"] == 1000


def test_a_report_that_is_none_is_refused_in_one_sentence(run: Run, tmp_path: Path) -> None:
    report = tmp_path / "bench.json"
    report.write_text("{}")

    ended = run("plan", "--waiting", "10", "--from", report, bare=True)

    assert ended.code == 2
    assert "is not a report of `make bench`" in ended.err


def test_a_report_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    ended = run("plan", "--waiting", "10", "--from", tmp_path / "none.json", bare=True)

    assert ended.code == 2
    assert "none.json cannot be read" in ended.err
