"""What the engine sends to Redis, without sending it: the commands of its own wrappers, caught at the store's door.

A script is timed by itself that way: its arguments are packed before the clock starts, and the reply is read as the
driver reads it.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import redis
import redis.asyncio

from engine.embedded.valkey import ValkeyServer
from engine.infra.redis import RedisStore, Script


@dataclass(frozen=True, slots=True)
class Command:
    """One run of a script."""

    script: Script
    keys: list[Any]
    args: list[Any]


class _Caught(Exception):
    def __init__(self, command: Command) -> None:
        super().__init__(command.script.name)
        self.command = command


class CatchingStore(RedisStore):
    """A store that lets nothing through; see `command_of`."""

    def __init__(self) -> None:
        super().__init__(redis.asyncio.Redis())  # never connects

    async def run(self, script: Script, keys: list[Any], args: list[Any]) -> Any:
        raise _Caught(Command(script, keys, args))


def command_of(verb: Coroutine[Any, Any, object]) -> Command:
    """What a verb on a CatchingStore wanted to send first."""
    try:
        verb.send(None)
    except _Caught as caught:
        return caught.command
    raise AssertionError("this verb asks no store")


class Wire:
    """One connection to a server. Scripts are loaded when they are first packed."""

    def __init__(self, server: ValkeyServer) -> None:
        self.client = redis.Redis.from_url(server.url)
        self._connection = self.client.connection_pool.get_connection()
        self._shas: dict[str, str] = {}

    def close(self) -> None:
        self.client.connection_pool.release(self._connection)
        self.client.close()

    def packed(self, command: Command, *, instead: str | None = None) -> list[bytes]:
        """The bytes of a command; with `instead` they run another script, given by its source, on the same payload."""
        source = command.script.source if instead is None else instead
        if source not in self._shas:
            self._shas[source] = str(self.client.script_load(source))
        parts = ("EVALSHA", self._shas[source], len(command.keys), *command.keys, *command.args)
        packed: list[bytes] = self._connection.pack_command(*parts)  # type: ignore[no-untyped-call]
        return packed

    def ask(self, packed: list[bytes]) -> Any:
        """The reply to one command."""
        self._connection.send_packed_command(packed)  # type: ignore[no-untyped-call]
        return self._connection.read_response()

    def ask_all(self, packed: list[bytes], *, count: int) -> list[Any]:
        """The replies to so many commands, which travel together."""
        self._connection.send_packed_command([b"".join(packed)])  # type: ignore[no-untyped-call]
        return [self._connection.read_response() for _ in range(count)]

    def cpu_s(self) -> float:
        """The CPU time that the server has used so far, by its own account in microseconds."""
        told = self.client.info("cpu")
        return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])

    def run(self, command: Command) -> Any:
        """The reply to a command, untimed."""
        return self.ask(self.packed(command))
