"""HTTP by hand: bytes on a socket, for what a well-behaved client cannot send."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

PATIENCE_S = 15.0


@dataclass(frozen=True, slots=True)
class Raw:
    """Everything the server sent before it closed the connection, or before we did."""

    sent: bytes

    @property
    def status(self) -> int:
        """Of the first answer; 0 when none came."""
        return int(self.sent.split(b" ", 2)[1]) if self.sent.startswith(b"HTTP/1.1 ") else 0

    @property
    def count(self) -> int:
        return self.sent.count(b"HTTP/1.1 ")

    @property
    def head(self) -> bytes:
        return self.sent.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        return self.sent.partition(b"\r\n\r\n")[2]

    @property
    def code(self) -> str:
        return str(orjson.loads(self.body)["code"])


@asynccontextmanager
async def connection(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def read_to_end(reader: asyncio.StreamReader) -> Raw:
    """What comes until the server closes; TimeoutError when it never does."""
    async with asyncio.timeout(PATIENCE_S):
        sent = b""
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65_536):
                sent += piece
        return Raw(sent)


async def send(url: str, *pieces: bytes) -> Raw:
    """Send these bytes and read until the server closes the connection."""
    async with connection(url) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await read_to_end(reader)


def head(method: str, path: str, *fields: str) -> bytes:
    """A head that asks to close the connection after the answer."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: test", "Connection: close", *fields, "", "")).encode()
