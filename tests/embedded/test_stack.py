"""Where the local stack listens, and that it keeps to itself."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from engine.embedded.child import StartError
from engine.embedded.ports import free_port
from engine.embedded.stack import bind_to_stack, choose_addresses, only_stack_in, without_password
from engine.embedded.supervisor import Wishes

HOLDER = """
import os, sys, time
from pathlib import Path
from engine.embedded.stack import only_stack_in
from engine.embedded.supervisor import Wishes
with only_stack_in(Path(sys.argv[1]), wishes=Wishes()):
    print("held", flush=True)
    time.sleep(99)
"""


def test_addresses_are_all_different(tmp_path: Path) -> None:
    found = choose_addresses(tmp_path / "ports.json", workers=4, public_port=None)
    ports = [found.public, found.simulator, found.redis, found.postgres, found.jobs_admin, *found.web_admin]
    assert len(set(ports)) == 9


def test_addresses_stay_the_same_from_start_to_start(tmp_path: Path) -> None:
    first = choose_addresses(tmp_path / "ports.json", workers=2, public_port=free_port())
    again = choose_addresses(tmp_path / "ports.json", workers=2, public_port=first.public)
    assert again == first


def test_a_port_that_was_taken_meanwhile_is_replaced(tmp_path: Path) -> None:
    first = choose_addresses(tmp_path / "ports.json", workers=2, public_port=None)
    with socket.create_server(("127.0.0.1", first.simulator)):
        again = choose_addresses(tmp_path / "ports.json", workers=2, public_port=None)
    assert again.simulator != first.simulator
    assert again.redis == first.redis


def test_a_wished_port_that_is_taken_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StartError, match=rf"port {port} is taken"):
            choose_addresses(tmp_path / "ports.json", workers=2, public_port=port)


def test_a_second_stack_in_one_home_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "stack")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(StartError, match=rf"process {holder.pid}"),
            only_stack_in(tmp_path / "stack", wishes=Wishes()),
        ):
            pass
        holder.kill()


def test_a_home_is_free_again_after_its_stack_was_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "stack")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.kill()
    with only_stack_in(tmp_path / "stack", wishes=Wishes()) as lock:
        assert os.pread(lock, 20, 0) == str(os.getpid()).encode()


def test_rows_of_a_removed_stack_do_not_meet_new_secrets(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    for stack in ("first", "second"):
        (tmp_path / stack).mkdir()
    bind_to_stack(elsewhere, stack=tmp_path / "first")
    (elsewhere / "rows").touch()
    bind_to_stack(elsewhere, stack=tmp_path / "first")
    assert (elsewhere / "rows").exists()
    bind_to_stack(elsewhere, stack=tmp_path / "second")
    assert not (elsewhere / "rows").exists()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:6380/0", "redis://127.0.0.1:6380/0"),
        ("redis://:secret@host/0", "redis://:***@host/0"),
        ("postgresql://me:secret@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
    ],
)
def test_passwords_are_not_printed(url: str, shown: str) -> None:
    assert without_password(url) == shown
