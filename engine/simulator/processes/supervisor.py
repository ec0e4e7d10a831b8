"""The simulator in several processes: one ledger process, fronts that share the port, callers.

The parent forks them, forks again whatever ends, and ends them in order when it is told to. It runs no event
loop and no threads, which is what makes forking safe, and it loads the keys once for all. When the parent is
killed, a pipe that only it holds open closes and everybody ends.
"""

import asyncio
import gc
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import uvloop

from engine.simulator.office.journal import LedgerError
from engine.simulator.processes.front import STOP_S
from engine.simulator.processes.roles import ROLES, Life, Plan

# A role that ends by itself again and again is started less and less eagerly, so that its complaint can be read.
# One that was killed is started at once: somebody is trying that.
PATIENCE_S = (0.0, 0.0, 0.1, 0.5, 2.0)
LONG_LIFE_S = 5.0
_IN_ORDER = ("front", "caller", "ledger")  # How they end: nobody asks a ledger process that has gone.


class StartError(Exception):
    """A process ended before it was ready; it has said why on the error output."""


@dataclass(slots=True)
class _Child:
    role: str
    restarts: int
    born_s: float
    quick_ends: int = 0
    was_killed: bool = False


def take_port(host: str, port: int) -> socket.socket:
    """Reserve the port that the fronts will share, without listening. Raises OSError when another program has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as alone:
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind((host, port))
        port = alone.getsockname()[1]
    held = socket.socket(family, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind((host, port))
    return held


def run(plan: Plan, *, workers: int, ready: Callable[[Plan], None]) -> None:
    """Serve until SIGTERM or SIGINT. `ready` hears the final plan once everybody serves. Raises StartError."""
    folder = Path(tempfile.mkdtemp(prefix="wechat-simulator-"))
    held = take_port(plan.host, plan.port)
    try:
        plan = replace(plan, folder=folder, port=held.getsockname()[1])
        _Parent(plan, workers=workers).run(lambda: ready(plan))
    finally:
        held.close()
        shutil.rmtree(folder, ignore_errors=True)


class _Parent:
    def __init__(self, plan: Plan, *, workers: int) -> None:
        self._plan = plan
        self._roles = ["front"] * workers + ["caller"] * plan.callers
        self._children: dict[int, _Child] = {}
        self._later: list[tuple[float, _Child]] = []
        self._stopping = False
        self._life_read, self._life_write = os.pipe()
        self._ready_read, self._ready_write = os.pipe()
        self._wake_read, self._wake_write = os.pipe()

    def run(self, ready: Callable[[], None]) -> None:
        os.set_blocking(self._wake_write, False)
        os.set_blocking(self._wake_read, False)
        signal.set_wakeup_fd(self._wake_write)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            for roles in (["ledger"], self._roles):
                for role in roles:
                    self._fork(_Child(role, 0, time.monotonic()))
                self._await_ready(len(roles))
            if not self._stopping:
                ready()
            while not self._stopping:
                self._sleep()
                for child in self._reap():
                    self._again(child)
                self._fork_due()
        finally:
            self._end_all()

    def _hear_stop(self, *_: object) -> None:
        self._stopping = True

    def _await_ready(self, count: int) -> None:
        said = 0
        while said < count and not self._stopping:
            if select.select([self._ready_read, self._wake_read], [], [])[0] == [self._wake_read]:
                self._drain()
            else:
                said += len(os.read(self._ready_read, 100))
            if self._reap():
                raise StartError

    def _sleep(self) -> None:
        """Until a signal comes, or until a child is due to be started again."""
        wait_s = min((due_s for due_s, _ in self._later), default=None)
        timeout_s = None if wait_s is None else max(wait_s - time.monotonic(), 0)
        select.select([self._wake_read], [], [], timeout_s)
        self._drain()

    def _drain(self) -> None:
        try:
            os.read(self._wake_read, 1000)
        except BlockingIOError:
            return

    def _reap(self) -> list[_Child]:
        ended: list[_Child] = []
        for pid in list(self._children):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                child = self._children.pop(pid)
                child.was_killed = os.WIFSIGNALED(status)
                ended.append(child)
        return ended

    def _again(self, child: _Child) -> None:
        now_s = time.monotonic()
        quick = 0 if child.was_killed or now_s - child.born_s > LONG_LIFE_S else child.quick_ends + 1
        due_s = now_s + PATIENCE_S[min(quick, len(PATIENCE_S) - 1)]
        self._later.append((due_s, _Child(child.role, child.restarts + 1, now_s, quick)))

    def _fork_due(self) -> None:
        now_s = time.monotonic()
        due = [child for due_s, child in self._later if due_s <= now_s]
        self._later = [(due_s, child) for due_s, child in self._later if due_s > now_s]
        for child in due:
            child.born_s = now_s
            self._fork(child)

    def _fork(self, child: _Child) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            self._children[pid] = child
            return
        code = 1
        try:
            code = self._be(child)
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _be(self, child: _Child) -> int:
        """The life of a child; returns its exit code."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends us in order.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in (self._life_write, self._ready_read, self._wake_read, self._wake_write):
            os.close(descriptor)
        # What a ledger holds only grows: the collector would look at all of it again and again and find nothing.
        gc.freeze()
        gc.set_threshold(50_000, 50, 1000)
        try:
            uvloop.run(self._live(child))
        except (LedgerError, OSError) as error:
            print(f"simulator: {error}", file=sys.stderr)  # noqa: T201
            return 2
        return 0

    async def _live(self, child: _Child) -> None:
        loop = asyncio.get_running_loop()
        asked_to_stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, asked_to_stop.set)
        loop.add_reader(self._life_read, self._end_orphaned)
        await ROLES[child.role](
            self._plan,
            Life(
                pid=os.getpid(),
                restarts=child.restarts,
                ready=self._say_ready,
                asked_to_stop=asked_to_stop,
            ),
        )

    def _end_orphaned(self) -> None:
        """The parent was killed: what it would have tidied up is for us to do."""
        shutil.rmtree(self._plan.folder, ignore_errors=True)
        os._exit(1)

    def _say_ready(self) -> None:
        os.write(self._ready_write, b".")

    def _end_all(self) -> None:
        """Ask each role to end, the ledger process last; who does not in time is killed."""
        for role in _IN_ORDER:
            pids = [pid for pid, child in self._children.items() if child.role == role]
            for pid in pids:
                os.kill(pid, signal.SIGTERM)
            until_s = time.monotonic() + STOP_S + 2
            while any(pid in self._children for pid in pids):
                self._reap()
                if time.monotonic() > until_s:
                    for pid in pids:
                        if pid in self._children:
                            os.kill(pid, signal.SIGKILL)
                select.select([self._wake_read], [], [], 0.05)
                self._drain()
