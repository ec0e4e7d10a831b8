"""Keeps servers running: starts them in order, starts again what dies, stops them in reverse order.

A server that dies before its group was ready is an error of this installation and ends the start; one that
dies later is started again, at once the first time, then with growing pauses, for as long as we run.

It refuses to decide what to do about a hang: it acts on ends only, never on slowness.
"""

import functools
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from engine.embedded.child import StartError
from engine.embedded.server import Server

FIRST_PAUSE_S = 0.1
LAST_PAUSE_S = 5.0
# A run that lasted this long was a success, whatever ended it.
HEALTHY_AFTER_S = 10.0

_LOOK_EVERY_S = 0.05


class StopAsked(Exception):
    """Somebody asked the stack to stop."""


class Wishes:
    """Counts the requests to stop: the first is polite, the second means now."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def check(self) -> None:
        if self.count:
            raise StopAsked

    @property
    def urgent(self) -> bool:
        return self.count > 1

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Count SIGINT, SIGTERM and SIGHUP, and nothing else happens on them meanwhile."""

        def hear(_number: int, _frame: FrameType | None) -> None:
            self.count += 1

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, hear) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@dataclass(slots=True)
class _Watched:
    server: Server
    launched_at: float
    failures: int = 0
    again_at: float | None = None


@dataclass(slots=True)
class Supervisor:
    """`say` gets one sentence for each event; `restarts` counts by name."""

    wishes: Wishes
    say: Callable[[str], None]
    restarts: dict[str, int] = field(default_factory=dict)
    _groups: list[tuple[Server, ...]] = field(default_factory=list)
    _watched: list[_Watched] = field(default_factory=list)

    @property
    def servers(self) -> tuple[Server, ...]:
        return tuple(watched.server for watched in self._watched)

    @property
    def busy(self) -> bool:
        """Whether there is anything to stop."""
        return bool(self._groups)

    def start(self, *group: Server) -> None:
        """Launch these side by side and wait until all are ready. Raises StartError and StopAsked."""
        self._groups.append(group)
        launched = []
        for server in group:
            self.wishes.check()
            server.launch()
            launched.append(_Watched(server, time.monotonic()))
        for server in group:
            server.wait_until(functools.partial(self._ready, server), timeout_s=server.start_timeout_s)
        self._watched += launched
        self.restarts |= {server.name: 0 for server in group}

    def _ready(self, server: Server) -> bool:
        self.wishes.check()
        # Earlier groups are kept running meanwhile: what we wait for may need them.
        self.run_once()
        return server.ready()

    def run_once(self) -> bool:
        """Start again what died and is due; True when any process is a new one."""
        changed = False
        for watched in self._watched:
            now = time.monotonic()
            if watched.server.running:
                continue
            if watched.again_at is None:
                lasted = now - watched.launched_at >= HEALTHY_AFTER_S
                watched.failures = 0 if lasted else watched.failures + 1
                pause_s = pause_before(watched.failures)
                watched.again_at = now + pause_s
                how = how_it_ended(watched.server.ended_with)
                self.say(f"{watched.server.name} {how}; starting it again in {pause_s:g} s")
            elif watched.again_at <= now:
                changed |= self._launch_again(watched)
        return changed

    def _launch_again(self, watched: _Watched) -> bool:
        server = watched.server
        watched.again_at = None
        watched.launched_at = time.monotonic()
        self.restarts[server.name] += 1
        try:
            server.launch()
        except StartError as error:
            watched.failures += 1
            watched.again_at = time.monotonic() + pause_before(watched.failures)
            self.say(f"{server.name} did not start: {error}")
            return False
        self.say(f"{server.name} runs again as process {server.pid}")
        return True

    def run(self, *, on_change: Callable[[], None]) -> None:
        """Keep everything running until somebody asks to stop."""
        while not self.wishes.count:
            if self.run_once():
                on_change()
            time.sleep(_LOOK_EVERY_S)

    def stop(self) -> None:
        """Stop the last group first, each group side by side; a second wish stops everything at once."""
        for group in reversed(self._groups):
            for server in group:
                server.say_farewell()
            until = time.monotonic() + max((server.stop_grace_s for server in group), default=0.0)
            while any(server.running for server in group) and time.monotonic() < until:
                if self.wishes.urgent:
                    break
                time.sleep(_LOOK_EVERY_S)
            for server in group:
                if server.running:
                    self.say(f"{server.name} did not stop in time and is killed")
                server.kill()
        self._groups.clear()
        self._watched.clear()

    def complete(self, command: Sequence[str], *, folder: str, environment: dict[str, str], timeout_s: float) -> str:
        """Run a command to its end and return what it printed; StartError when it fails."""
        with subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env=environment,
            start_new_session=True,
        ) as process:
            until = time.monotonic() + timeout_s
            while True:
                try:
                    printed, _ = process.communicate(timeout=_LOOK_EVERY_S)
                    break
                except subprocess.TimeoutExpired:
                    if self.wishes.count or time.monotonic() > until:
                        process.kill()
                    self.run_once()
        self.wishes.check()
        if process.returncode != 0:
            words = " ".join(command[-3:])
            raise StartError(f"`{words}` {how_it_ended(process.returncode)}:\n{printed.strip()}")
        return printed.strip()


def pause_before(failures: int) -> float:
    """Seconds before the next start after this many short runs in a row."""
    return float(min(FIRST_PAUSE_S * 2 ** max(failures - 1, 0), LAST_PAUSE_S))


def how_it_ended(status: int | None) -> str:
    if status is None:
        return "did not start"
    if status < 0:
        try:
            return f"was ended by {signal.Signals(-status).name}"
        except ValueError:
            return f"was ended by signal {-status}"
    return f"ended with status {status}"
