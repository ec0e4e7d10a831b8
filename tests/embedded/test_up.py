"""`floodgate up`, as a user runs it: everything answers, everything heals, and Ctrl-C leaves nothing behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from engine.embedded.program import answers_ok

ROOT = Path(__file__).resolve().parents[2]
CONCERT = ROOT / "examples" / "concert.toml"
NAMES = ("valkey", "postgres", "simulator", "web-1", "web-2", "jobs")
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Up:
    process: subprocess.Popen[str]
    home: Path

    @property
    def card(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "stack.json").read_text())
        return found

    @property
    def ready(self) -> bool:
        card = self.card
        urls = (*card["admin_urls"], card["jobs_admin_url"])
        return all(answers_ok(f"{url}/readyz") for url in urls)


@contextmanager
def floodgate_up(home: Path, *words: str, **environment: str) -> Iterator[Up]:
    command = [sys.executable, "-m", "engine.cli", "up", "--home", str(home), *words]
    clean = {name: text for name, text in os.environ.items() if not name.startswith("FLOODGATE_")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, env=clean | environment
    ) as process:
        try:
            yield Up(process, home)
        finally:
            process.terminate()


def wait_for(condition: Callable[[], bool], *, timeout_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_until_up(up: Up) -> None:
    wait_for(lambda: (up.home / "stack.json").exists() or up.process.poll() is not None)
    assert up.process.poll() is None, up.process.stdout and up.process.stdout.read()


def everything_of(up: Up) -> list[psutil.Process]:
    return psutil.Process(up.process.pid).children(recursive=True)


@pytest.fixture(scope="module")
def up(server_folder: Path) -> Iterator[Up]:
    with floodgate_up(server_folder / "up", "--sale", str(CONCERT), "--opens-in", "1") as running:
        wait_until_up(running)
        yield running


def test_all_processes_are_ready_when_the_card_is_written(up: Up) -> None:
    assert up.ready
    assert set(up.card["pids"]) == set(NAMES)


def test_the_sale_is_served(up: Up) -> None:
    assert answers_ok(f"{up.card['public_url']}/v1/sales/concert")


def test_the_card_is_private(up: Up) -> None:
    assert (up.home / "stack.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", NAMES)
def test_a_process_killed_by_hand_comes_back_and_the_stack_serves_again(up: Up, name: str) -> None:
    killed = up.card["pids"][name]
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: up.card["pids"][name] != killed)
    wait_for(lambda: up.ready)
    wait_for(lambda: answers_ok(f"{up.card['public_url']}/v1/sales/concert"))


def test_a_second_stack_in_the_same_home_is_refused(up: Up) -> None:
    with floodgate_up(up.home) as second:
        assert second.process.wait(PATIENCE_S) == 1
        assert second.process.stdout is not None
        assert "stop it first" in second.process.stdout.read()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_is_left_when_it_ends(server_folder: Path, end: signal.Signals) -> None:
    with floodgate_up(server_folder / f"up-{end.name}", "--workers", "1") as up:
        wait_until_up(up)
        processes = everything_of(up)
        assert len(processes) > 8
        up.process.send_signal(end)
        status = up.process.wait(PATIENCE_S)
        _, left = psutil.wait_procs(processes, timeout=PATIENCE_S)
    assert left == []
    assert status == (-signal.SIGKILL if end is signal.SIGKILL else 0)


def test_stores_that_the_environment_names_are_used_and_left_alone(
    server_folder: Path, clean_redis_url: str, database_url: str
) -> None:
    stores = {"FLOODGATE_REDIS_URL": clean_redis_url, "FLOODGATE_POSTGRES_URL": database_url}
    with floodgate_up(server_folder / "up-stores", "--workers", "1", **stores) as up:
        wait_until_up(up)
        assert set(up.card["pids"]) == {"simulator", "web-1", "jobs"}
        assert up.ready
        up.process.terminate()
        assert up.process.wait(PATIENCE_S) == 0
    with redis.Redis.from_url(clean_redis_url) as client:
        assert client.ping()


def test_a_wrong_sale_file_is_explained_and_nothing_stays(server_folder: Path) -> None:
    wrong = server_folder / "wrong.toml"
    wrong.write_text("[[events]]\n")
    with floodgate_up(server_folder / "up-wrong", "--sale", str(wrong)) as up:
        assert up.process.stdout is not None
        printed = up.process.stdout.read()
        assert up.process.wait(PATIENCE_S) == 1
    assert "wrong.toml" in printed
    assert not (up.home / "stack.json").exists()


def test_a_taken_port_is_explained_in_one_sentence(server_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with floodgate_up(server_folder / "up-port", "--port", str(port)) as up:
            assert up.process.stdout is not None
            printed = up.process.stdout.read()
            assert up.process.wait(PATIENCE_S) == 1
    assert f"port {port} is taken" in printed
    assert "Traceback" not in printed
