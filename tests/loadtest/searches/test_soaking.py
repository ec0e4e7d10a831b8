"""What a soak calls flat."""

import random
from dataclasses import replace
from typing import Any

from loadtest.lab.searches.soaking import told
from loadtest.report.model import Timeline

LENGTH_S = 600
PEOPLE_PER_S = 15.0


def timeline(*, mib_per_hour: float = 0.0, keys_per_hour: float = 0.0, ms_per_hour: float = 0.0) -> Timeline:
    """Ten steady minutes with a web worker, Redis and orders; each may grow."""
    luck = random.Random(7)
    t_s = [float(t) for t in range(-10, LENGTH_S + 20)]

    def grown(start: float, per_hour: float) -> list[float | None]:
        return [start + per_hour * t / 3600 + luck.gauss(0, start / 100) for t in t_s]

    return Timeline(
        t_s=t_s,
        goodput={},
        offered={},
        arrivals=[PEOPLE_PER_S if 0 <= t < LENGTH_S else 0.0 for t in t_s],
        latency_ms={"orders": {"p99": grown(20, ms_per_hour)}},
        stock={},
        line={},
        cpu={},
        memory_mib={"web-1": grown(120, mib_per_hour), "generator-0": grown(100, 10_000)},
        connections=[40.0] * len(t_s),
        redis_keys=grown(20_000, keys_per_hour),
    )


def failing(found: dict[str, Any]) -> list[str]:
    return [row["name"] for row in found["series"] if not row["holds"]]


def test_a_steady_run_is_flat() -> None:
    found = told(timeline())
    assert (found["holds"], failing(found)) == (True, [])


def test_a_leak_in_a_worker_is_named() -> None:
    found = told(timeline(mib_per_hour=600))
    assert (found["holds"], failing(found), "web-1 memory" in found["words"]) == (False, ["web-1 memory"], True)


def test_keys_that_outgrow_the_people_are_named() -> None:
    assert failing(told(timeline(keys_per_hour=3 * PEOPLE_PER_S * 3600))) == ["redis keys"]


def test_what_a_person_leaves_behind_is_no_leak() -> None:
    assert told(timeline(keys_per_hour=0.5 * PEOPLE_PER_S * 3600))["holds"]


def test_latency_that_creeps_up_is_named() -> None:
    assert failing(told(timeline(ms_per_hour=1500))) == ["orders p99"]


def test_the_memory_of_the_generator_is_its_own_business() -> None:
    assert not [row for row in told(timeline())["series"] if row["name"].startswith("generator")]


def test_without_people_there_is_nothing_to_judge() -> None:
    line = timeline()
    assert not told(replace(line, arrivals=[0.0] * len(line.t_s)))["holds"]


def test_a_series_that_was_never_sampled_does_not_pass() -> None:
    line = timeline()
    assert failing(told(replace(line, redis_keys=[None] * len(line.t_s)))) == ["redis keys"]
