"""The answers of pages and the shape of their table, for every module that has some."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from engine.simulator.office.office import Office
from engine.simulator.processes.calls import Page, Visit

# api.weixin.qq.com answers JSON under this type; clients that insist on application/json fail there too.
WEIXIN_TYPE = "text/plain"

Serve = Callable[[Office, Visit], Page | Awaitable[Page]]


def plain(document: object, *, status: int = 200) -> Page:
    """JSON for the simulator's own buyer and admin calls."""
    return Page(status, orjson.dumps(document))


def weixin(document: object) -> Page:
    """Always 200: the truth of api.weixin.qq.com is in `errcode`."""
    return Page(200, orjson.dumps(document), WEIXIN_TYPE)


def invalid(field: str, reason: str) -> Page:
    return plain({"problems": [f"{field}: {reason}"]}, status=400)


def parsed(visit: Visit) -> object:
    """The JSON of a visit, or None when it is not JSON."""
    try:
        return orjson.loads(visit.body)
    except orjson.JSONDecodeError:
        return None


def parsed_object(visit: Visit) -> Mapping[str, Any]:
    """The JSON object of a visit; anything else reads as an empty one."""
    document = parsed(visit)
    return document if isinstance(document, dict) else {}


@dataclass(frozen=True, slots=True)
class Door:
    method: str
    path: str
    serve: Serve
