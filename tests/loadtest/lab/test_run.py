"""Whole runs at the size of a test: real servers, real processes, a real verdict."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from loadtest.books.stack import is_running

FLOODGATE = str(Path(sys.executable).with_name("floodgate"))
TINY = str(Path(__file__).with_name("tiny.toml"))
QUICK = ["--plain", "--no-cross-check", "--processes", "2"]
STACK_HOME = Path(".run/loadtest/stack-home")
RUN_MAX_S = 100.0
KEPT = b"the stack still runs"


class Kept:
    """A run that ended and keeps its stack until it is told to stop."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.out = home / "kept"
        self.process = subprocess.Popen(
            [FLOODGATE, "loadtest", TINY, *QUICK, "--out", str(self.out), "--keep"],
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.said = b""
        try:
            self._read_until(KEPT)
        except BaseException:
            self.end()
            raise
        self.stack_pids = [*orjson.loads((home / STACK_HOME / "stack.json").read_bytes())["pids"].values()]

    def _read_until(self, words: bytes) -> None:
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        until = time.monotonic() + RUN_MAX_S
        while words not in self.said:
            assert time.monotonic() < until, self.said.decode()
            select.select([self.process.stdout], [], [], 1.0)
            part = self.process.stdout.read()
            assert part != b"", self.said.decode()
            self.said += part or b""

    def end(self) -> int:
        """Its exit status."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), True)
        with self.process.stdout as rest:
            self.said += rest.read()
        return self.process.wait(RUN_MAX_S)


@pytest.fixture(scope="module")
def kept(server_folder: Path) -> Iterator[Kept]:
    home = server_folder / "lab"
    home.mkdir()
    run = Kept(home)
    yield run
    if run.process.poll() is None:
        run.end()


def report_in(folder: Path) -> dict[str, Any]:
    return dict(orjson.loads((folder / "report.json").read_bytes()))


def test_a_run_on_a_running_stack_whose_promise_cannot_be_kept_fails_and_says_which(kept: Kept) -> None:
    impossible = ["--set", "slo=[{kind='orders', measure='p50_ms', at_most=0.001}]"]
    done = subprocess.run(
        [FLOODGATE, "loadtest", TINY, *QUICK, *impossible, "--stack", str(STACK_HOME), "--out", "failed"],
        cwd=kept.home,
        capture_output=True,
        text=True,
        timeout=RUN_MAX_S,
        check=False,
    )
    report = report_in(kept.home / "failed")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 of 1 SLOs broken: orders p50_ms at most 0.001" in report["headline"]
    assert report["audit"]["holds"], report["audit"]["reasons"]


def test_a_run_on_a_stack_of_its_own_passes_and_leaves_a_whole_folder_and_no_process(kept: Kept) -> None:
    status = kept.end()
    report = report_in(kept.out)
    assert (status, report["passed"], report["audit"]["reasons"]) == (0, True, []), kept.said.decode()
    names = {str(path.relative_to(kept.out)) for path in kept.out.rglob("*") if path.is_file()}
    assert names >= {
        *("report.json", "report.html", "timeline.csv", "latencies.csv", "profile.toml", "sale.toml"),
        *("histograms/orders.hlog", "draw/draw.json", "logs/web-1.log", "logs/generator-1.log"),
    }
    assert not [pid for pid in kept.stack_pids if is_running(pid)]


def test_what_a_run_reports_agrees_with_itself(kept: Kept) -> None:
    if kept.process.poll() is None:
        kept.end()
    report = report_in(kept.out)
    timeline, kinds = report["timeline"], report["kinds"]
    assert report["arrived"]["intended"] == sum(timeline["arrivals"]) == 90
    assert report["audit"]["figures"]["sold"] == [sold for sold in timeline["stock"]["sold"] if sold is not None][-1]
    assert all(sum(timeline["goodput"][kind]) == one["count"] for kind, one in kinds.items())
    assert {"generator-0", "generator-1", "web-1", "redis", "postgres", "simulator"} <= set(timeline["cpu"])
    assert {"web", "postgres", "redis", "simulator", "simulator_signing", "generator"} <= set(report["costs"])


def test_a_process_of_the_generator_ends_with_the_one_that_holds_it() -> None:
    process = subprocess.Popen([sys.executable, "-m", "loadtest.lab.process"], stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(RUN_MAX_S) == 0


def test_a_stopped_run_leaves_nothing_running_and_no_verdict(server_folder: Path) -> None:
    home = server_folder / "stopped"
    home.mkdir()
    process = subprocess.Popen(
        [FLOODGATE, "loadtest", TINY, *QUICK], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    with process.stdout as said:
        first = said.readline()
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        rest = said.read()
    assert process.wait(RUN_MAX_S) == 130, first + rest
    _, alive = psutil.wait_procs(family, timeout=RUN_MAX_S)
    assert not alive
