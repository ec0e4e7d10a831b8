"""Requests and answers, as the handlers see them.

A handler takes a Request and returns a Response; a refusal is a Response too. The kit sits on aiohttp's parser and
writes an answer as one piece of bytes, because nothing between the parser and the handler is needed twenty thousand
times a second.
"""

import asyncio
import json
import math
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

import orjson
from aiohttp import HttpVersion11, StreamReader
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import ERROR
from multidict import MultiMapping

from engine import telemetry
from engine.web.problems import BODIES, PROBLEMS, Code, problem_body

if TYPE_CHECKING:
    from engine.web.connection import Connection

JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"
LANGUAGE_CHARS = 2
SLOW_DOWN = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)  # answers that carry Retry-After
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
PLAIN_PATH = re.compile(r"/[^%?#]*$")  # means what it says; any other path is read by the book

_status_lines = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_date: tuple[int, bytes] = (0, b"")


def _date_line() -> bytes:
    """The Date header of this second."""
    global _date  # noqa: PLW0603 - a cache of one line for the whole process
    now_s = int(time.time())
    if _date[0] != now_s:
        _date = (now_s, f"Date: {formatdate(now_s, usegmt=True)}\r\n".encode())
    return _date[1]


class Request:
    """One request, as its connection read it. `content` is its body, which may still be on its way."""

    __slots__ = ("_message", "connection", "content", "headers", "keep_alive", "method", "path")

    def __init__(self, connection: "Connection", message: RawRequestMessage, content: StreamReader) -> None:
        self.connection = connection
        self.content = content
        self.method = message.method
        self.headers: MultiMapping[str] = message.headers
        # HTTP/1.0 clients would have to be told that the connection stays: not worth the bytes. The parser takes
        # the trailers of a body in chunks for headers of the next request, which a proxy may bring for somebody else;
        # and it loses what came behind an offer to speak another protocol.
        self.keep_alive = message.version >= HttpVersion11 and not (
            message.should_close or message.chunked or message.upgrade
        )
        path = message.path
        self.path = path if PLAIN_PATH.match(path) else message.url.path
        self._message = message

    @classmethod
    def of_nothing(cls, connection: "Connection") -> "Request":
        """What stands for bytes that are not HTTP."""
        return cls(connection, ERROR, EMPTY_PAYLOAD)

    @property
    def query(self) -> Mapping[str, str]:
        """What stands behind the question mark."""
        return self._message.url.query

    @property
    def content_length(self) -> int | None:
        """The announced length of the body, if any."""
        length = self.headers.get("Content-Length")
        return None if length is None else int(length)


class Response:
    """An answer with a complete body, written to the connection at once."""

    __slots__ = ("body", "content_type", "headers", "keep_alive", "status")

    def __init__(
        self,
        body: bytes = b"",
        *,
        status: int = 200,
        content_type: str = JSON_TYPE,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers
        self.keep_alive = True

    def force_close(self) -> None:
        """Close the connection behind this answer."""
        self.keep_alive = False

    def write_to(self, request: Request) -> None:
        """Write everything; nothing when the buyer has hung up."""
        transport = request.connection.transport
        if transport is None:
            return
        if not request.keep_alive:
            self.keep_alive = False
        transport.write(self._head() if request.method == "HEAD" else self._head() + self.body)

    def _head(self) -> bytes:
        """Everything before the body, the empty line included."""
        head = self._first_lines() + _date_line()
        if self.headers:
            for name, value in self.headers.items():
                assert "\n" not in value, "a header value is one line"
                head += f"{name}: {value}\r\n".encode()
        return head + (b"\r\n" if self.keep_alive else b"Connection: close\r\n\r\n")

    def _first_lines(self) -> bytes:
        """The status line, and what is said of the body."""
        return _usual_head(self.status, self.content_type, len(self.body))


@lru_cache(maxsize=4096)
def _usual_head(status: int, content_type: str, length: int) -> bytes:
    head = _status_lines[status]
    if status not in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
        head += f"Content-Type: {content_type}\r\nContent-Length: {length}\r\n"
    return head.encode()


Answer = TypeVar("Answer")


@dataclass(slots=True)
class Later(Generic[Answer]):
    """An answer that waits for a future and for nothing else: what is told once it is done. It needs no task."""

    future: asyncio.Future[Answer]
    tell: Callable[[Answer], Response]


# Most handlers are coroutines; those of the hot path have their answer at once, or wait for one future.
Outcome: TypeAlias = Response | Later[Any] | Awaitable[Response]
Handler: TypeAlias = Callable[..., Outcome]


def answer(content: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(content), status=status, headers=headers)


def refuse(request: Request, code: Code, *, retry_after_ms: int | None = None) -> Response:
    """A problem document in the buyer's language."""
    chinese = request.headers.get("Accept-Language", "")[:LANGUAGE_CHARS].lower() == "zh"
    if retry_after_ms is None:
        body = BODIES[code, chinese]
        wait_ms = PROBLEMS[code].retry_after_ms
    else:
        body = problem_body(code, chinese=chinese, retry_after_ms=retry_after_ms)
        wait_ms = retry_after_ms
    telemetry.refused(code)
    status = PROBLEMS[code].status
    headers = None
    if wait_ms is not None and status in SLOW_DOWN:
        headers = {"Retry-After": str(max(1, math.ceil(wait_ms / 1000)))}
    return Response(body, status=status, content_type=PROBLEM_TYPE, headers=headers)


def is_known(request: Request, etag: str) -> bool:
    """Whether the client has what `etag` names. A proxy that compresses may have made the tag a weak one."""
    shown = request.headers.get("If-None-Match")
    if shown is None or shown == etag:
        return shown is not None
    return shown == "*" or etag in (one.strip().removeprefix("W/") for one in shown.split(","))


class BodyLate(Exception):
    """The body did not arrive in time."""


class BodyTooLarge(Exception):
    """The body is longer than this server takes."""


async def settled(outcome: Outcome) -> Response:
    """The answer itself, whichever way it comes."""
    if isinstance(outcome, Response):
        return outcome
    return outcome.tell(await outcome.future) if isinstance(outcome, Later) else await outcome


def take_body(request: Request, told: Callable[[bytes], Outcome], *, bytes_max: int, timeout_s: float) -> Outcome:
    """What is told to the raw body: without any waiting if it came with the head. Raises as `read_body` does."""
    if request.content.is_eof():
        return told(_take(request.content, bytes_max))
    return _tell_body(request, told, bytes_max, timeout_s)


async def _tell_body(request: Request, told: Callable[[bytes], Outcome], bytes_max: int, timeout_s: float) -> Response:
    return await settled(told(await read_body(request, bytes_max=bytes_max, timeout_s=timeout_s)))


def _take(content: StreamReader, bytes_max: int) -> bytes:
    raw = content.read_nowait(-1)
    if len(raw) > bytes_max:
        raise BodyTooLarge
    return raw


async def read_body(request: Request, *, bytes_max: int, timeout_s: float) -> bytes:
    """The raw body. Raises BodyTooLarge or BodyLate."""
    content = request.content
    if content.is_eof():  # it came with the head: no clock is needed, and nothing to wait for
        return _take(content, bytes_max)
    length = request.content_length
    if length is not None and length > bytes_max:
        raise BodyTooLarge
    transport = request.connection.transport
    if transport is not None and request.headers.get("Expect", "").lower() == "100-continue":
        transport.write(CONTINUE)
    parts = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            while not content.at_eof():
                parts += await content.readany()
                if len(parts) > bytes_max:  # it comes in chunks, with no length to go by
                    raise BodyTooLarge
    except TimeoutError:
        raise BodyLate from None
    return bytes(parts)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found


def strict_json(raw: bytes) -> Any:
    """JSON without duplicate keys, NaN, a byte order mark or broken UTF-8. Raises ValueError."""
    orjson.loads(raw)  # refuses all of that but duplicate keys
    try:
        return json.loads(raw, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("nested too deeply") from None
