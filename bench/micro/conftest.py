"""The gate around the units: each test times one, and passes when it costs what it used to cost beside its yardstick.

A unit is named by its test. `--save-baselines` keeps what this run finds instead of judging it; units that were not
run keep the baselines they had.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench import machine
from bench.micro.beside import Beside
from bench.micro.gate import (
    BASELINES,
    TOLERANCE,
    BaselinesUnusable,
    Ratio,
    Verdict,
    judge,
    read_baselines,
    table,
    write_baselines,
)
from engine.embedded.valkey import ValkeyServer


class Gate:
    """The baselines in force, and what this run has found so far."""

    def __init__(self, file: Path, *, tolerance: float, saving: bool) -> None:
        self.file = file
        self.saving = saving
        self.verdicts: list[Verdict] = []
        self._tolerance = tolerance
        self._baselines = read_baselines(file)

    def pass_through(self, unit: str, ratio: Ratio) -> Verdict:
        """While baselines are saved a unit is judged by itself."""
        baseline = ratio if self.saving else self._baselines.get(unit)
        verdict = judge(unit, ratio, baseline, tolerance=self._tolerance)
        self.verdicts.append(verdict)
        return verdict

    def keep(self) -> None:
        """Write the baselines with what was found."""
        found = {verdict.unit: verdict.ratio for verdict in self.verdicts}
        write_baselines(self.file, self._baselines | found, machine=machine.describe())


GATE = pytest.StashKey[Gate]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("unit benchmarks")
    group.addoption("--save-baselines", action="store_true", help="keep the ratios of this run as the new baselines")
    group.addoption("--baselines", type=Path, default=BASELINES, help="the file of baselines, default: %(default)s")
    group.addoption(
        "--tolerance", type=float, default=TOLERANCE, help="how much worse is too slow, default: %(default)s"
    )


def pytest_configure(config: pytest.Config) -> None:
    option = config.option
    try:
        gate = Gate(option.baselines, tolerance=option.tolerance, saving=option.save_baselines)
    except BaselinesUnusable as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[GATE] = gate


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    gate = config.stash[GATE]
    if not gate.verdicts:
        return
    terminalreporter.section("units, in their yardsticks")
    for line in table(gate.verdicts):
        terminalreporter.write_line(line)
    if gate.saving:
        kept = (
            "kept as baselines" if exitstatus == pytest.ExitCode.OK else "nothing kept: a unit failed; baselines stay"
        )
        terminalreporter.write_line(f"{kept} in {gate.file}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    gate = session.config.stash[GATE]
    if gate.saving and exitstatus == pytest.ExitCode.OK:
        gate.keep()


@pytest.fixture
def beside(request: pytest.FixtureRequest, benchmark: BenchmarkFixture) -> Beside:
    """Times a unit beside a yardstick, and fails its test when it became slower."""
    unit = request.node.name.removeprefix("test_").replace("_", " ")

    def found(ratio: Ratio) -> None:
        verdict = request.config.stash[GATE].pass_through(unit, ratio)
        if not verdict.holds:
            pytest.fail(f"{unit}: {verdict.words}", pytrace=False)

    return Beside(benchmark, found)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A real server with memory that nobody has used before. It writes no file: how busy the disk is says nothing about
    a script."""
    with ValkeyServer(tmp_path / "valkey", lines=("appendonly no",)) as server:
        yield server
