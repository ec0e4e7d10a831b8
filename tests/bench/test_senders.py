"""What sends does it in a process of its own, and tells of every request."""

import subprocess
from collections.abc import Iterator

import pytest

from bench import requests
from bench.generator import Plan, generate
from bench.openloop import Schedule, send_all
from bench.servers import Servers

COUNT = 200


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with Servers("bench.yardsticks.echo", logs=tmp_path_factory.mktemp("logs")) as servers:
        yield servers


def test_the_closed_loop_ends_when_everything_is_answered(echo: Servers) -> None:
    sent = [requests.echo("any")] * COUNT
    found = generate(Plan(port=echo.port, requests=sent, connections=4, warm_s=0, measure_s=30))
    assert found.statuses_all == {200: COUNT}
    assert found.broken == 0


def test_the_open_loop_sends_every_request_once(echo: Servers) -> None:
    sent = [requests.echo("any")] * COUNT
    found = send_all(Schedule(port=echo.port, requests=sent, per_s=2000, connections=4, seed=1))
    assert found.statuses == {200: COUNT}


def test_a_sender_that_nobody_answers_finds_nothing() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        generate(Plan(port=1, requests=[b""], warm_s=0, measure_s=0))
