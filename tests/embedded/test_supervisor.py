"""What dies is started again, what fails at the start is explained, and everything stops in reverse order."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.embedded.child import StartError
from engine.embedded.program import Program
from engine.embedded.supervisor import (
    LAST_PAUSE_S,
    StopAsked,
    Supervisor,
    Wishes,
    how_it_ended,
    pause_before,
)

# Writes its farewell to a file that all programs of a test share.
POLITE = """
import signal, sys, time
def leave(*_):
    with open(sys.argv[1], "a") as diary:
        diary.write(sys.argv[2] + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("up", flush=True)
time.sleep(99)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(99)
"""


class PrintedUp(Program):
    """Ready as soon as it has printed its line."""

    def ready(self) -> bool:
        return "up" in self.log.read_text()


@pytest.fixture
def sentences() -> list[str]:
    return []


@pytest.fixture
def supervisor(sentences: list[str]) -> Iterator[Supervisor]:
    made = Supervisor(Wishes(), sentences.append)
    yield made
    made.wishes.count = 2
    made.stop()


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., PrintedUp]:
    def make(name: str, code: str = POLITE) -> PrintedUp:
        return PrintedUp(
            [sys.executable, "-c", code, str(tmp_path / "diary"), name],
            name=name,
            log=tmp_path / f"{name}.log",
            folder=tmp_path,
            environment={},
        )

    return make


def run_until(supervisor: Supervisor, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        supervisor.run_once()
        time.sleep(0.01)


def test_a_killed_program_runs_again_as_a_new_process(
    supervisor: Supervisor, program: Callable[..., PrintedUp]
) -> None:
    server = program("web")
    supervisor.start(server)
    killed = server.pid
    os.kill(killed, signal.SIGKILL)
    run_until(supervisor, lambda: server.pid != killed and server.running)
    assert supervisor.restarts == {"web": 1}


def test_every_end_and_restart_is_told(
    supervisor: Supervisor, program: Callable[..., PrintedUp], sentences: list[str]
) -> None:
    server = program("web")
    supervisor.start(server)
    os.kill(server.pid, signal.SIGKILL)
    run_until(supervisor, lambda: len(sentences) == 2)
    assert sentences[0].startswith("web was ended by SIGKILL; starting it again")
    assert sentences[1] == f"web runs again as process {server.pid}"


def test_a_program_that_dies_before_it_is_ready_ends_the_start(
    supervisor: Supervisor, program: Callable[..., PrintedUp]
) -> None:
    with pytest.raises(StartError, match=r"(?s)status 7.*no settings"):
        supervisor.start(program("web", "print('no settings'); raise SystemExit(7)"))


def test_a_wish_to_stop_ends_the_start(supervisor: Supervisor, program: Callable[..., PrintedUp]) -> None:
    supervisor.wishes.count = 1
    with pytest.raises(StopAsked):
        supervisor.start(program("web"))


def test_groups_stop_in_reverse_order(
    supervisor: Supervisor, program: Callable[..., PrintedUp], tmp_path: Path
) -> None:
    for name in ("stores", "simulator", "web"):
        supervisor.start(program(name))
    supervisor.stop()
    assert (tmp_path / "diary").read_text().split() == ["web", "simulator", "stores"]


def test_a_second_wish_does_not_wait_for_the_stubborn(
    supervisor: Supervisor, program: Callable[..., PrintedUp]
) -> None:
    server = program("web", STUBBORN)
    supervisor.start(server)
    supervisor.wishes.count = 2
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 2
    assert server.ended_with == -signal.SIGKILL


def test_signals_are_counted_as_wishes_while_they_are_heard() -> None:
    wishes = Wishes()
    with wishes.heard():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert wishes.urgent


def test_a_command_gives_what_it_printed(supervisor: Supervisor) -> None:
    printed = supervisor.complete(["/bin/echo", "migrated"], folder="/", environment={}, timeout_s=10)
    assert printed == "migrated"


def test_a_command_that_fails_is_explained_in_its_own_words(supervisor: Supervisor) -> None:
    command = ["/bin/sh", "-c", "echo end before start; exit 2"]
    with pytest.raises(StartError, match=r"(?s)ended with status 2.*end before start"):
        supervisor.complete(command, folder="/", environment={}, timeout_s=10)


def test_a_command_that_hangs_is_ended(supervisor: Supervisor) -> None:
    with pytest.raises(StartError, match="SIGKILL"):
        supervisor.complete(["/bin/sleep", "99"], folder="/", environment={}, timeout_s=0.2)


def test_pauses_grow_from_at_once_to_a_limit() -> None:
    pauses = [pause_before(failures) for failures in range(12)]
    assert pauses == sorted(pauses)
    assert pauses[1] <= 0.1
    assert pauses[-1] == LAST_PAUSE_S


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "ended with status 0"), (3, "ended with status 3"), (-9, "was ended by SIGKILL")],
)
def test_an_end_is_told_in_words(status: int, words: str) -> None:
    assert how_it_ended(status) == words
