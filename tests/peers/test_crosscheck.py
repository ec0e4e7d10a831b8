"""A generator from npm and ours, reading the same server in turns."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.simulator.luck.faults import Faults
from engine.simulator.processes.server import Simulator
from loadtest.crosscheck.check import Read, cross_check


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    running = Simulator(tmp_path / "simulator", luck=Faults())
    await running.start()
    yield f"http://127.0.0.1:{running.port}/livez"
    await running.stop()


async def test_both_generators_read_with_success(address: str, tmp_path: Path) -> None:
    (found,) = await cross_check(
        [Read(path="/livez", url=address)], seconds=1, rounds=1, rate_per_s=200, cache=tmp_path
    )
    assert min(found.ours["per_s"], found.theirs["per_s"]) > 0
    assert "not answered with 200" not in found.words
