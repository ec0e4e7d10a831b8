"""What docs/numbers.md tells of saturation, scale and peers: from a kept report and from nowhere else."""

from pathlib import Path
from typing import Any

import pytest

from bench.published.pages import NUMBERS, PAGES, PARTS_OF_THE_BENCH, rendered, reports

POINT = {
    "share": 1.0,
    "offered_per_s": 1000.0,
    "goodput_per_s": 990.0,
    "p50_ms": 12.0,
    "p99_ms": 80.0,
    "cpu_us": {"web-0": 50.0, "redis": 10.0},
}
BENCH: dict[str, Any] = {
    "figures": [
        {"name": "polls, 10 times the peak offered", "yardstick": 1000.0, "ratio": 0.98, "spread": [0.95, 1.01]},
    ],
    "curves": {"polls": [POINT, {**POINT, "share": 10.0, "offered_per_s": 10_000.0, "goodput_per_s": 980.0}]},
    "scale": [
        {
            "kind": "orders",
            "workers": 2,
            "per_s": 9000.0,
            "ratio": 1.5,
            "lowest": 1.4,
            "highest": 1.6,
            "web_us": 80.0,
            "redis_us": 20.0,
            "postgres_us": 40.0,
        }
    ],
    "peers": [{"design": "one hot row", "orders_per_s": 1300.0, "p50_ms": 200.0, "p99_ms": 400.0, "cpu_us": 900.0}],
}


def block(name: str, content: str = "old") -> str:
    return f"before\n<!-- numbers:{name} -->\n{content}\n<!-- /numbers -->\nbehind"


@pytest.mark.parametrize(
    ("name", "row"),
    [
        (
            "saturation",
            "| polls | 1,000 /s | 980 /s of 10,000 | 0.98 (0.95 to 1.01) | 12.0, 80.0 ms | 60.0, 60.0 µs |",
        ),
        ("scale", "| orders | 2 | 9,000 | 1.50 (1.40 to 1.60) | 80.0 µs | 20.0 µs | 40.0 µs |"),
        ("peers", "| one hot row | 1,300 | 200 ms | 400 ms | 900 µs |"),
    ],
)
def test_a_block_is_written_from_its_part_of_the_bench(name: str, row: str) -> None:
    assert row in rendered(block(name), {"bench": BENCH}).splitlines()


@pytest.mark.parametrize("name", PARTS_OF_THE_BENCH)
def test_a_bench_that_left_it_out_leaves_the_block(name: str) -> None:
    assert rendered(block(name), {"bench": {**BENCH, PARTS_OF_THE_BENCH[name]: []}}) == block(name)


@pytest.mark.parametrize("name", PARTS_OF_THE_BENCH)
def test_the_page_of_numbers_has_a_block_for_each_part(name: str) -> None:
    assert f"<!-- numbers:{name} -->" in NUMBERS.read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_says_what_the_kept_reports_say(page: Path) -> None:
    text = page.read_text()
    assert rendered(text, reports()) == text, "run: python -m bench.published"


RUN: dict[str, Any] = {
    "name": "overload",
    "machine": "a machine, 2 cores",
    "started_at": "2026-11-22T11:00:00+00:00",
    "passed": True,
    "people": 28_000,
    "missed": 3,
    "kinds": {
        "orders": {"count": 12_000, "p50_ms": 25.0, "p99_ms": 400.0},
        "payments": {"count": 0, "p50_ms": None, "p99_ms": None},
    },
    "extra": {
        "overload": {
            "capacity_per_s": 190.4,
            "words": "It stayed.",
            "phases": [{"multiple": 10, "came_per_s": 1900.0, "joins": 2000.0, "passes": 230.0, "orders": 231.0}],
        },
        "soak": {
            "people_per_s": 15.05,
            "judged_s": 720,
            "series": [
                {
                    "name": "redis memory",
                    "holds": True,
                    "mean": 12.1,
                    "per_hour": 26.8,
                    "per_hour_most": 28.4,
                    "per_hour_allowed": 52.9,
                },
                {
                    "name": "keys",
                    "holds": False,
                    "mean": 9000,
                    "per_hour": -12.2,
                    "per_hour_most": 0.51,
                    "per_hour_allowed": 0.5,
                },
            ],
        },
    },
}


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("lab", "| `overload` | pass | 28,000 | 3 | 12,000 | 25.0, 400 ms |  |  |"),
        ("overload", "| 10 | 1,900 | 2,000 | 230 | 231 | 0 | 0 |"),
        ("overload", "It stayed."),
        ("soak", "| redis memory | 12.1 | 26.8 | 28.4 | 52.9 | flat |"),
        ("soak", "| keys | 9,000 | -12.2 | 0.51 | 0.50 | **not flat** |"),
    ],
)
def test_a_block_is_written_from_the_runs_of_the_lab(name: str, row: str) -> None:
    assert row in rendered(block(name), {"lab": {"runs": [RUN]}}).splitlines()


def test_a_failed_run_is_told_as_one() -> None:
    assert "| **fail** |" in rendered(block("lab"), {"lab": {"runs": [{**RUN, "passed": False}]}})
