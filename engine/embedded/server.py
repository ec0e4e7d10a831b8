"""What every long-running child has in common: launch, become ready, farewell, force, and launch again.

A server keeps its name, its log and its address over all its runs; each run is a Child of its own. Being
launched and being ready are two steps, so that several servers can come up side by side.
"""

import abc
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.embedded.child import Child


class Server(abc.ABC):
    """`held` are file descriptors that stay open as long as any leash of this server lives (see child.py)."""

    __slots__ = ("_child", "held", "log", "name")

    farewell: signal.Signals = signal.SIGTERM
    start_timeout_s: float = 60.0
    stop_grace_s: float = 20.0

    def __init__(self, *, name: str, log: Path, held: Sequence[int] = ()) -> None:
        self.name = name
        self.log = log
        self.held = tuple(held)
        self._child: Child | None = None

    @abc.abstractmethod
    def launch(self) -> None:
        """Start one run without waiting for it."""

    @abc.abstractmethod
    def ready(self) -> bool:
        """Whether it serves now."""

    @property
    def pid(self) -> int:
        """The process of the latest run."""
        assert self._child is not None, f"{self.name} was never started"
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    @property
    def ended_with(self) -> int | None:
        """The latest run's exit status, negative for a signal; None while it runs or when there was none."""
        return None if self._child is None else self._child.ended_with

    def start(self) -> None:
        """Launch it and wait until it serves; StartError says why it does not."""
        self.launch()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        self.wait_until(self.ready, timeout_s=self.start_timeout_s)

    def wait_until(self, condition: Callable[[], bool], *, timeout_s: float) -> None:
        """Wait for any condition; StartError when the server ends or takes too long."""
        assert self._child is not None, f"{self.name} was never started"
        self._child.wait_until(condition, timeout_s=timeout_s)

    def say_farewell(self) -> None:
        """Ask it to end, without waiting."""
        if self._child is not None:
            self._child.signal(self.farewell)

    def stop(self) -> None:
        """End it politely; by force when that takes too long. Nothing happens when it does not run."""
        if self._child is not None:
            self._child.stop(grace_s=self.stop_grace_s)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._child is not None:
            self._child.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def _new_child(self) -> Child:
        assert not self.running, f"{self.name} runs already"
        self._child = Child(name=self.name, log=self.log, farewell=self.farewell, held=self.held)
        return self._child

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
