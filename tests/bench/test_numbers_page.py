"""What docs/numbers.md tells of saturation, scale and peers: from a kept report and from nowhere else."""

from typing import Any

import pytest

from bench.published import NUMBERS, PARTS_OF_THE_BENCH, rendered, reports

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


def test_the_page_of_numbers_says_what_the_kept_reports_say() -> None:
    page = NUMBERS.read_text()
    assert rendered(page, reports()) == page, "run: python -m bench.published"
