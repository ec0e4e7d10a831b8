"""A flood against a real server: what it cannot take is turned away, and everybody is accounted for."""

from collections.abc import Iterator

import pytest

from bench import requests
from bench.saturation.arrivals import Stretch
from bench.saturation.sender import FloodPlan, flood
from bench.servers import Servers


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with Servers("bench.yardsticks.echo", logs=tmp_path_factory.mktemp("logs")) as servers:
        yield servers


def plan(echo: Servers, *, per_s: float, wanted: int = 200, send: int = 100_000) -> FloodPlan:
    stretch = Stretch(share=1.0, offered_per_s=per_s, warm_s=0.1, measure_s=0.3)
    return FloodPlan(
        port=echo.port,
        send=[requests.echo("any")] * send,
        stretches=[stretch, stretch],
        connections=8,
        wanted=wanted,
        patience_s=0.05,
        pids=echo.pids,
    )


def test_everybody_who_came_has_one_fate(echo: Servers) -> None:
    for found in flood(plan(echo, per_s=2_000_000)):
        assert found.good + found.late + found.turned_away == found.offered
        assert found.good > 0
        assert found.turned_away > found.good
        assert not found.strange


def test_an_answer_that_was_not_wanted_is_no_goodput(echo: Servers) -> None:
    for found in flood(plan(echo, per_s=500, wanted=201)):
        assert found.good == 0
        assert found.lost == found.offered - found.turned_away
        assert len(found.strange) == 1


def test_a_flood_that_has_nothing_left_to_send_says_so(echo: Servers) -> None:
    first, _ = flood(plan(echo, per_s=2000, send=10))
    assert "nothing left to send" in first.strange
