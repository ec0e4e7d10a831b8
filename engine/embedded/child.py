"""One server process that never outlives the process that started it.

Every child leads its own session, so that a Ctrl-C in the terminal reaches only us and we decide the order
in which things end. Beside each child runs its leash: a shell that does nothing but read from a pipe whose
other end we hold. When we end, however that happens (SIGKILL included), the pipe closes and the leash ends
the child: politely first, then by force. A pipe works on Linux and macOS alike and does not depend on the
thread that started the child, as Linux's parent-death signal does.

This module refuses to know what it runs: what "ready" means, and what to do after an unwanted end, is for the
callers to say.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# The polite end may take this long before the leash uses force; it covers a drain and a last fsync.
LEASH_GRACE_S = 20

_LEASH = """
read -r released && exit 0
kill -s "$1" "$2" 2>/dev/null || exit 0
left=$(($3 * 10))
while [ "$left" -gt 0 ] && kill -0 "$2" 2>/dev/null; do sleep 0.1; left=$((left - 1)); done
kill -s KILL -- "-$2" 2>/dev/null
"""

_LOG_TAIL_LINES = 15


class StartError(RuntimeError):
    """A server did not start; the message says what was run, why it failed, and where its log is."""


@dataclass(frozen=True, slots=True)
class Account:
    """The system account a child runs as, when that is not our own."""

    name: str
    uid: int
    gid: int


class Child:
    """One run of one command, from `start` to its end. A second run is a second Child.

    `held` are file descriptors that the leash keeps open, such as that of a lock which must stay locked until
    the last child has ended, even after our own sudden end.
    """

    __slots__ = ("_leash", "_process", "farewell", "held", "log", "name")

    def __init__(self, *, name: str, log: Path, farewell: signal.Signals, held: Sequence[int] = ()) -> None:
        self.name = name
        self.log = log
        self.farewell = farewell
        self.held = tuple(held)
        self._process: subprocess.Popen[bytes] | None = None
        self._leash: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self.ended_with is None

    @property
    def ended_with(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        if self._process is None:
            return None
        status = self._process.poll()
        if status is not None:
            self._let_go()
        return status

    def start(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        account: Account | None = None,
    ) -> None:
        assert self._process is None, f"{self.name} was started before"
        with self.log.open("ab") as log:
            try:
                self._process = subprocess.Popen(  # noqa: S603
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=folder,
                    env=dict(environment) if environment is not None else None,
                    start_new_session=True,
                    user=account.uid if account else None,
                    group=account.gid if account else None,
                    extra_groups=[] if account else None,
                )
            except OSError as error:
                raise StartError(f"{self.name} cannot be run: {error}") from error
        self._leash = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", _LEASH, "leash", self.farewell.name[3:], str(self.pid), str(LEASH_GRACE_S)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            pass_fds=self.held,
        )

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float, every_s: float = 0.02) -> None:
        """Wait until `ready()`; raise StartError with the log's end when the child dies or takes too long."""
        until = time.monotonic() + timeout_s
        while not ready():
            status = self.ended_with
            if status is not None:
                raise StartError(f"{self.name} ended with status {status}{self.last_words()}")
            if time.monotonic() > until:
                raise StartError(f"{self.name} was not ready after {timeout_s:g} s{self.last_words()}")
            time.sleep(every_s)

    def wait(self, *, timeout_s: float) -> bool:
        """Wait for the end; False when it still runs after `timeout_s`."""
        if self._process is None:
            return True
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        self._let_go()
        return True

    def signal(self, number: signal.Signals) -> None:
        """Signal the child alone; nothing happens when it has ended."""
        if self._process is not None:
            self._process.send_signal(number)

    def stop(self, *, grace_s: float) -> bool:
        """End it politely, by force after `grace_s`; True when force was not needed."""
        if not self.running:
            return True
        self.signal(self.farewell)
        if self.wait(timeout_s=grace_s):
            return True
        self.kill()
        return False

    def kill(self) -> None:
        """SIGKILL for the child and its process group, and wait until it is gone."""
        if not self.running:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait()
        self._let_go()

    def last_words(self) -> str:
        """The end of the log, ready to follow a sentence; says where to read on."""
        lines = self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        return "".join(f"\n    {line}" for line in lines) + f"\n  (log: {self.log})"

    def _let_go(self) -> None:
        leash, self._leash = self._leash, None
        if leash is not None:
            with contextlib.suppress(BrokenPipeError):
                leash.communicate(b"released\n")


def alive(pid: int) -> bool:
    """Whether a process of this id exists (as a zombie too)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
