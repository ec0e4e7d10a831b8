"""Ports: free, and promised to one process at a time, whether its server listens yet or not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.embedded import ports
from engine.embedded.ports import claim, free_ports

TELL = """
import pathlib, sys
from engine.embedded import ports
ports.PORTS = range(*map(int, sys.argv[1:3]))
ports.LOCKS = pathlib.Path(sys.argv[3])
print(*ports.free_ports(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[range]:
    """So few ports that two who choose by luck would meet, and none that anybody else chooses from. They are promised
    in a file of this test's own: the same tests run beside each other would hold them until their processes end."""
    few = range(ports.PORTS.start - 40, ports.PORTS.start)
    monkeypatch.setattr(ports, "PORTS", few)
    monkeypatch.setattr(ports, "LOCKS", tmp_path / "ports.lock")
    monkeypatch.setattr(ports, "_promised", set())
    shared = ports._locks()
    ports._locks.cache_clear()
    yield few
    if (own := ports._locks()) is not None and own != shared:
        os.close(own)
    ports._locks.cache_clear()


def other(few: range) -> "subprocess.Popen[str]":
    """A process that takes every port it is given, and keeps them until its standard input ends."""
    command = [sys.executable, "-c", TELL, str(few.start), str(few.stop), str(ports.LOCKS)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def told(process: "subprocess.Popen[str]") -> set[int]:
    assert process.stdout is not None
    return {int(port) for port in process.stdout.readline().split()}


def test_what_another_process_was_promised_is_free_no_more(few: range) -> None:
    with other(few) as process:
        theirs = told(process)
        ours = set(free_ports())
        process.communicate()
    assert theirs
    assert not ours & theirs


def test_a_process_that_was_killed_keeps_nothing(few: range) -> None:
    with other(few) as process:
        theirs = told(process)
        process.kill()
    with other(few) as process:
        assert told(process) >= theirs
        process.communicate()


def test_a_port_that_another_process_was_promised_cannot_be_claimed(few: range) -> None:
    with other(few) as process:
        theirs = told(process)
        assert [port for port in theirs if claim(port)] == []
        process.communicate()
    assert all(claim(port) for port in theirs)


def test_a_claimed_port_is_given_to_nobody_else(few: range) -> None:
    assert claim(few[7])
    assert few[7] not in set(free_ports())
    with other(few) as process:
        assert few[7] not in told(process)
        process.communicate()


def test_nobody_is_given_the_same_port_twice(few: range) -> None:
    assert not set(free_ports()) & set(free_ports())
