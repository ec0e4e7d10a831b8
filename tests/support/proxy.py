"""A wire between a process and a server that a test can slow down, block, cut, or stop at one exact message.

A `Trap` springs at the first message that contains all of some bytes and holds that one connection: the message
itself, so that the server never gets it, or the reply to it, so that the server has done its work and the process does
not know.
That is how a test reaches the moments between two steps of the product without a hook in the product.

Each wire runs in a thread of its own, so that it works while a test waits or blocks. It understands no protocol.
"""

import asyncio
import contextlib
import enum
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from engine.embedded.ports import free_port

CHUNK_BYTES = 65_536
TRAP_WAIT_S = 15.0


class Hold(enum.Enum):
    """Which half of an exchange a trap holds."""

    MESSAGE = "message"
    REPLY = "reply"


class Trap:
    """Armed on one or more wires; springs once. `wait` tells on which of them."""

    def __init__(self, wires: "Sequence[Wire]", *match: bytes, hold: Hold) -> None:
        self.match = match
        self.hold = hold
        self._wires = wires
        self._over = False
        self._sprung = threading.Event()
        self._lock = threading.Lock()
        self._caught: tuple[Wire, _Pair] | None = None
        for wire in wires:
            wire.arm(self)

    def springs(self, wire: "Wire", pair: "_Pair", seen: bytes) -> bool:
        """Whether this is the message; then the connection is ours."""
        if not all(part in seen for part in self.match):
            return False
        with self._lock:
            if self._caught is not None:
                return False
            self._caught = (wire, pair)
        self._sprung.set()
        return True

    @property
    def sprung(self) -> bool:
        return self._sprung.is_set()

    def wait(self, *, timeout_s: float = TRAP_WAIT_S) -> "Wire":
        """Block until it has sprung; AssertionError when it does not."""
        assert self._sprung.wait(timeout_s), f"no message with {self.match!r} came by"
        assert self._caught is not None
        return self._caught[0]

    def let_go(self) -> None:
        """What was held goes on its way."""
        self._disarm()
        if self._caught is not None and not self._over:
            self._over = True
            wire, pair = self._caught
            wire.do(pair.open_all)

    def cut(self) -> None:
        """The held connection ends at both sides with a reset, and what was held is lost."""
        self._disarm()
        if self._caught is not None and not self._over:
            self._over = True
            wire, pair = self._caught
            wire.do(pair.reset)

    def _disarm(self) -> None:
        for wire in self._wires:
            wire.disarm(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()


class Wire:
    """Listens on a port of its own and forwards to `target`, a URL of any scheme; `url` is the same by this way."""

    def __init__(self, target: str, *, name: str) -> None:
        parts = urlsplit(target)
        assert parts.hostname is not None
        assert parts.port is not None
        self.name = name
        self.latency_s = 0.0
        self._host, self._target_port = parts.hostname, parts.port
        self.port = free_port()
        user = f"{parts.username}@" if parts.username else ""
        self.url = urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{self.port}"))
        self._pairs: set[_Pair] = set()
        self._traps: list[Trap] = []
        self._refusing = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"wire-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def arm(self, trap: Trap) -> None:
        self._traps.append(trap)

    def disarm(self, trap: Trap) -> None:
        with contextlib.suppress(ValueError):
            self._traps.remove(trap)

    def block(self) -> None:
        """A black hole: connections stay and can be made, and nothing passes until `heal`."""
        self.do(self._block)

    def refuse(self) -> None:
        """Reset every connection, and every new one, until `heal`."""
        self._refusing = True
        self.reset()

    def reset(self) -> None:
        """Reset every connection; new ones are welcome."""
        self.do(self._reset)

    def heal(self) -> None:
        """No ills any more; what was blocked goes on."""
        self._refusing, self.latency_s = False, 0.0
        self.do(self._heal)

    def do(self, action: Callable[[], object]) -> None:
        """Run this in the wire's own loop and wait for it."""

        async def run() -> None:
            action()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(5)

    def _reset(self) -> None:
        for pair in tuple(self._pairs):
            pair.reset()

    def _block(self) -> None:
        self._way.clear()

    def _heal(self) -> None:
        self._way.set()
        for pair in self._pairs:
            pair.open_all()

    async def _listen(self) -> None:
        self._way = asyncio.Event()
        self._way.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=CHUNK_BYTES)

    async def _end(self) -> None:
        self._server.close()
        for pair in tuple(self._pairs):
            pair.reset()
        here = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not here]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            _reset(writer)
            return
        try:
            server_reader, server_writer = await asyncio.open_connection(self._host, self._target_port)
        except OSError:
            _reset(writer)
            return
        pair = _Pair(writer, server_writer)
        self._pairs.add(pair)
        ways = (
            asyncio.create_task(self._forward(pair, reader, server_writer, Hold.MESSAGE)),
            asyncio.create_task(self._forward(pair, server_reader, writer, Hold.REPLY)),
        )
        try:
            # One side's end is the end of both: none of our peers uses half-open connections.
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._pairs.discard(pair)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            writer.close()
            server_writer.close()

    async def _forward(
        self, pair: "_Pair", reader: asyncio.StreamReader, writer: asyncio.StreamWriter, half: Hold
    ) -> None:
        before = b""
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                if self.latency_s:
                    await asyncio.sleep(self.latency_s)
                if half is Hold.MESSAGE:
                    for trap in tuple(self._traps):
                        if trap.springs(self, pair, before + chunk):
                            pair.gates[trap.hold].clear()
                    before = chunk[-1024:]
                await self._way.wait()
                await pair.gates[half].wait()
                writer.write(chunk)
                await writer.drain()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Pair:
    """The two connections of one client."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._writers = (client, server)
        self.gates = {half: asyncio.Event() for half in Hold}
        self.open_all()

    def open_all(self) -> None:
        for gate in self.gates.values():
            gate.set()

    def reset(self) -> None:
        for writer in self._writers:
            _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    plug: socket.socket | None = writer.get_extra_info("socket")
    if plug is not None:
        with contextlib.suppress(OSError):
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
