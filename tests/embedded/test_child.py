"""A child never outlives us, and says why it ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from engine.embedded.child import Child, StartError
from engine.embedded.ports import free_port, port_is_free

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(99)
"""

PARENT = """
import signal, sys, time
from pathlib import Path
from engine.embedded.child import Child
child = Child(name="sleeper", log=Path(sys.argv[1]), farewell=signal.SIGTERM)
child.start(["/bin/sleep", "99"], folder=Path("/"))
print(child.pid, flush=True)
time.sleep(99)
"""


def a_child(folder: Path, *command: str) -> Child:
    child = Child(name="child", log=folder / "child.log", farewell=signal.SIGTERM)
    child.start(command, folder=folder)
    return child


def gone_within(pid: int, *, timeout_s: float) -> bool:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_ends_when_its_parent_is_gone(tmp_path: Path, end: signal.Signals) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        parent.send_signal(end)
    assert gone_within(pid, timeout_s=5)


def test_a_child_that_ignores_the_farewell_is_killed(tmp_path: Path) -> None:
    child = a_child(tmp_path, sys.executable, "-c", STUBBORN)
    child.wait_until(lambda: "up" in child.log.read_text(), timeout_s=10)
    assert child.stop(grace_s=0.2) is False
    assert child.ended_with == -signal.SIGKILL


def test_a_killed_child_takes_its_process_group_along(tmp_path: Path) -> None:
    child = a_child(tmp_path, "/bin/sh", "-c", "sleep 99 & echo $!; wait")
    child.wait_until(lambda: child.log.read_text().strip().isdigit(), timeout_s=10)
    grandchild = int(child.log.read_text())
    child.kill()
    assert gone_within(grandchild, timeout_s=5)


def test_a_stopped_child_leaves_neither_leash_nor_zombie(tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    child = a_child(tmp_path, "/bin/sleep", "99")
    child.stop(grace_s=5)
    assert set(psutil.Process().children(recursive=True)) <= before


def test_a_child_that_ended_by_itself_leaves_neither_leash_nor_zombie(tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    child = a_child(tmp_path, "/bin/sh", "-c", "exit 3")
    assert child.wait(timeout_s=5)
    assert child.ended_with == 3
    assert set(psutil.Process().children(recursive=True)) <= before


def test_a_child_that_dies_at_start_is_reported_with_its_last_words(tmp_path: Path) -> None:
    child = a_child(tmp_path, "/bin/sh", "-c", "echo no luck today; exit 3")
    with pytest.raises(StartError, match=r"(?s)status 3.*no luck today.*child\.log"):
        child.wait_until(lambda: False, timeout_s=10)


def test_a_child_that_takes_too_long_is_reported(tmp_path: Path) -> None:
    child = a_child(tmp_path, "/bin/sleep", "99")
    try:
        with pytest.raises(StartError, match=r"not ready after 0\.1 s"):
            child.wait_until(lambda: False, timeout_s=0.1)
    finally:
        child.kill()


def test_a_program_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot be run"):
        a_child(tmp_path, str(tmp_path / "nothing"))


def test_a_descriptor_that_is_held_stays_open_until_the_child_has_ended(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    child = Child(name="child", log=tmp_path / "log", farewell=signal.SIGTERM, held=[writing])
    child.start(["/bin/sleep", "99"], folder=tmp_path)
    os.close(writing)
    os.set_blocking(reading, False)
    try:
        with pytest.raises(BlockingIOError):
            os.read(reading, 1)
        child.kill()
        assert os.read(reading, 1) == b""
    finally:
        os.close(reading)


def test_a_port_is_free_until_somebody_listens(tmp_path: Path) -> None:
    port = free_port()
    child = a_child(tmp_path, sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port))
    try:
        child.wait_until(lambda: not port_is_free(port), timeout_s=10)
    finally:
        child.kill()
    assert port_is_free(port)
