"""Requests and answers, as the handlers see them.

A handler takes a Request and returns a Response; a refusal is a Response too. The kit sits on aiohttp's low-level
server, without its application layer, because nothing between the parser and the handler is needed twenty thousand
times a second.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import orjson
from aiohttp import web
from multidict import CIMultiDict

from engine import telemetry
from engine.web.problems import BODIES, PROBLEMS, Code, problem_body

Request: TypeAlias = web.BaseRequest
Response: TypeAlias = web.Response
Handler: TypeAlias = Callable[..., Awaitable[Response]]

JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"
LANGUAGE_CHARS = 2


def answer(content: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return web.Response(body=orjson.dumps(content), status=status, headers=headers, content_type=JSON_TYPE)


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
    headers = CIMultiDict({"Content-Type": PROBLEM_TYPE})
    if wait_ms is not None and status == 503:
        headers["Retry-After"] = str(max(1, round(wait_ms / 1000)))
    return web.Response(body=body, status=status, headers=headers)


class BodyLate(Exception):
    """The body did not arrive in time."""


class BodyTooLarge(Exception):
    """The body is longer than this server takes."""


async def read_body(request: Request, *, bytes_max: int, timeout_s: float) -> bytes:
    """The raw body. Raises BodyTooLarge or BodyLate."""
    length = request.content_length
    if length is not None and length > bytes_max:
        raise BodyTooLarge
    try:
        if request.content.is_eof():  # it came with the head: no clock is needed
            return await request.read()
        async with asyncio.timeout(timeout_s):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise BodyTooLarge from None
    except TimeoutError:
        raise BodyLate from None


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
