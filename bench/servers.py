"""The servers that the engine is measured against, as child processes: the echo and the reference designs."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from signal import SIGTERM
from types import TracebackType
from typing import Self

from bench.machine import pin
from engine.embedded.child import Child
from engine.embedded.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT_S = 20.0
STOP_GRACE_S = 5.0


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Servers:
    """`count` processes of one module under `bench/`, sharing one port."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str] = (),
        *,
        logs: Path,
        count: int = 1,
        core: int | None = None,
    ) -> None:
        self.port = free_port()
        self.name = module.rpartition(".")[2]
        self._command = [sys.executable, "-m", module, "--port", str(self.port), *arguments]
        self._core = core
        self._children = [
            Child(name=self.name, log=logs / f"{self.name}-{number}.log", farewell=SIGTERM) for number in range(count)
        ]

    @property
    def pids(self) -> dict[str, int]:
        return {f"{self.name}-{number}": child.pid for number, child in enumerate(self._children)}

    def __enter__(self) -> Self:
        for child in self._children:
            child.start(self._command, folder=ROOT)
            # One after the other: the port answers as soon as the first one listens.
            child.wait_until(lambda: listens(self.port), timeout_s=START_TIMEOUT_S)
            if self._core is not None:
                pin(child.pid, {self._core})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in self._children:
            child.stop(grace_s=STOP_GRACE_S)
