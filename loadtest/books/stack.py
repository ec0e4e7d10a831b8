"""The stack under test, as a child process: `floodgate up` started, watched, hurt and stopped.

It knows the stack only by its command line and by the `stack.json` that it writes. It never leaves a process
behind: `stop` ends the supervisor, waits, and names every process of the stack that is still there; a leash
(a shell waiting on a pipe that we hold) ends the supervisor even when this process is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import orjson

START_TIMEOUT_S = 90.0
"""A first start unpacks wheels and initialises PostgreSQL; a slow disk takes its time."""
STOP_TIMEOUT_S = 40.0
ORPHANS_MAX_S = 30.0
"""The servers of a supervisor that was killed drain and end by themselves within this."""
LOG_TAIL_LINES = 15
OPEN_FILES = 4096
_LEASH = 'read -r released || kill -TERM "$1" 2>/dev/null'


class StackError(Exception):
    """The stack did not start, or went away; the message says why and where its log is."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """What `stack.json` says."""

    public_url: str
    admin_urls: tuple[str, ...]
    jobs_admin_url: str
    simulator_url: str
    admin_key: str
    config: str
    """The engine's settings, for its own commands; empty where they are not to be had."""
    pids: Mapping[str, int]
    redis_url: str = ""


class Ground(Protocol):
    """What a run stands on: a stack of its own, or one that somebody else runs."""

    def addresses(self) -> Addresses: ...

    def check(self) -> None:
        """Raise StackError when it has gone."""


def addresses_in(card: Path) -> Addresses:
    """What a `stack.json` says. Raises OSError, ValueError or KeyError when it is not one."""
    written: dict[str, Any] = orjson.loads(card.read_bytes())
    return Addresses(
        public_url=written["public_url"],
        admin_urls=tuple(written["admin_urls"]),
        jobs_admin_url=written["jobs_admin_url"],
        simulator_url=written["simulator_url"],
        admin_key=written["admin_key"],
        config=str(written["config"]),
        pids={str(name): int(pid) for name, pid in written["pids"].items()},
        redis_url=str(written.get("redis_url", "")),
    )


class Stack:
    def __init__(
        self, command: Sequence[str], *, home: Path, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """`environment` is added to our own."""
        self._command = command
        self._environment = environment or {}
        self._home = home
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._leash: subprocess.Popen[bytes] | None = None
        self._seen: dict[int, str] = {}

    async def start(self) -> Addresses:
        """Start on an empty home and wait until `stack.json` appears. Raises StackError."""
        self._refuse_neighbour()
        await asyncio.to_thread(shutil.rmtree, self._home, ignore_errors=True)
        self._home.mkdir(parents=True)
        self._spawn()
        clock = asyncio.get_running_loop().time
        until = clock() + START_TIMEOUT_S
        while not (self._home / "stack.json").exists():
            self.check()
            if clock() > until:
                raise StackError(f"the stack was not ready after {START_TIMEOUT_S:g} s{self._last_words()}")
            await asyncio.sleep(0.1)
        return self.addresses()

    def _refuse_neighbour(self) -> None:
        """Another run's data must not be deleted under it."""
        try:
            pid = orjson.loads((self._home / "stack.json").read_bytes())["supervisor_pid"]
        except (OSError, ValueError, KeyError):
            return
        if is_running(pid):
            raise StackError(f"a stack already runs in {self._home} (process {pid}): stop it first")

    def _spawn(self) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )
        self._leash = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", _LEASH, "leash", str(self._process.pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def check(self) -> None:
        """Raise StackError when the supervisor has ended."""
        assert self._process is not None
        status = self._process.poll()
        if status is not None:
            raise StackError(f"the stack ended with status {status}{self._last_words()}")

    def addresses(self) -> Addresses:
        """Read `stack.json` again: the supervisor rewrites it when it restarts a process."""
        found = addresses_in(self._home / "stack.json")
        self._seen.update({pid: name for name, pid in found.pids.items()})
        return found

    def kill_one(self, dice: random.Random) -> str | None:
        """SIGKILL a random process of the stack; returns its name. The supervisor is to restart it."""
        assert self._process is not None
        targets = sorted((name, pid) for name, pid in self.addresses().pids.items() if pid != self._process.pid)
        if not targets:
            return None
        name, pid = dice.choice(targets)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return name

    async def stop(self) -> list[str]:
        """End everything and return what would not go, by name; safe to call at any time."""
        process = self._process
        if process is None:
            return []
        complaints = []
        with contextlib.suppress(OSError, KeyError, ValueError):
            self.addresses()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.to_thread(process.wait, STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                complaints.append(f"the supervisor, which needed force after {STOP_TIMEOUT_S:g} s")
        if self._leash is not None:
            with contextlib.suppress(BrokenPipeError):
                await asyncio.to_thread(self._leash.communicate, b"released\n")
        return complaints + await self._left_running()

    async def _left_running(self) -> list[str]:
        """Who is still there; the servers of a supervisor that was killed are given their time."""
        clock = asyncio.get_running_loop().time
        until = clock() + ORPHANS_MAX_S
        while True:
            left = [f"{name} ({pid})" for pid, name in sorted(self._seen.items()) if is_running(pid)]
            if not left or clock() > until:
                return left
            await asyncio.sleep(0.2)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "".join(f"\n    {line}" for line in lines) + f"\n  (log: {self._log})"


def is_running(pid: int) -> bool:
    """Whether a process of this id exists and is more than a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return not Path("/proc/self").exists()
    return status.rpartition(")")[2].split()[0] != "Z"


def allow_open_files() -> None:
    """Some systems start a shell with 256; the stack inherits what we allow ourselves."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
