"""One of Floodgate's own commands as a server of the local stack; ready when its address says so."""

import http.client
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from engine.embedded.server import Server

READY_TIMEOUT_S = 1.0


class Program(Server):
    """`command`, with `environment` as its whole environment; ready when `ready_url` answers 200."""

    __slots__ = ("_command", "_environment", "_folder", "_ready_url")

    # A graceful drain is the program's own business; this is only the limit of our patience.
    stop_grace_s = 25.0

    def __init__(
        self,
        command: Sequence[str],
        *,
        name: str,
        log: Path,
        folder: Path,
        environment: Mapping[str, str],
        ready_url: str | None = None,
        held: Sequence[int] = (),
    ) -> None:
        super().__init__(name=name, log=log, held=held)
        self._command = tuple(command)
        self._folder = folder
        self._environment = environment
        self._ready_url = ready_url

    def launch(self) -> None:
        self._new_child().start(self._command, folder=self._folder, environment=self._environment)

    def ready(self) -> bool:
        return self._ready_url is None or answers_ok(self._ready_url)


def answers_ok(url: str) -> bool:
    """Whether a GET of this http address answers 200 now."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=READY_TIMEOUT_S)
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
