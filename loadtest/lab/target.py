"""May this address be loaded at all? Asked before a byte is sent.

A load test against somebody else's server is an attack, so the rule is narrow: the loopback addresses of this machine,
written as such, or `localhost`. Anything else needs the sentence `--i-own-this-target` from the person who starts the
run; without it not even the name is looked up. Then one polite request proves that a Floodgate answers there; and what
plays WeChat must be Floodgate's simulator, because nobody may send a flood to the real one.
"""

from __future__ import annotations

import asyncio
import ipaddress
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import orjson
from yarl import URL

PROBE_TIMEOUT_S = 5.0
ENGINE_TITLE = "Floodgate"
OWN = "--i-own-this-target"
ANSWER_MAX = 4_000_000


class TargetRefused(Exception):
    """Nothing was or will be sent there; the sentence says why and what to do."""


def check(url: str, *, owned: bool) -> URL:
    """The address, if it may be loaded. Pure: sends nothing, resolves nothing. Raises TargetRefused."""
    try:
        address = URL(url)
    except ValueError as problem:
        raise TargetRefused(f"{url} is no address: {problem}") from None
    if address.scheme not in ("http", "https") or not address.host:
        raise TargetRefused(f"{url} is no address of a server; write it like http://127.0.0.1:8080")
    if address.scheme == "https":
        raise TargetRefused(f"{url}: the generator speaks plain HTTP; give the address behind the proxy that does TLS")
    if not owned and not is_loopback(address.host):
        raise TargetRefused(
            f"{address.host} is not this machine. A load test of a server that is not yours is an attack. "
            f"If it is yours, say so: {OWN}"
        )
    return address


def is_loopback(host: str) -> bool:
    """Whether a host, as written, is this machine: 127.0.0.0/8, ::1 or localhost. No name is looked up."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


async def prove_engine(url: URL) -> None:
    """One polite request: is this Floodgate? Raises TargetRefused."""
    refuse_stranger(url, await _fetched(url / "openapi.json"))


async def prove_simulator(url: URL) -> None:
    """Is this Floodgate's WeChat simulator? Raises TargetRefused."""
    refuse_other_wechat(url, await _fetched(url / "_admin/faults"))


def refuse_stranger(url: URL, described: Mapping[str, Any]) -> None:
    """Pure, from its /openapi.json. Raises TargetRefused."""
    if described.get("info", {}).get("title") != ENGINE_TITLE:
        raise TargetRefused(
            f"{url} is not Floodgate: its /openapi.json describes something else. Nothing more was sent"
        )


def refuse_other_wechat(url: URL, knobs: Mapping[str, Any]) -> None:
    """Pure, from its /_admin/faults. Raises TargetRefused."""
    if "callback_loss" not in knobs:
        raise TargetRefused(
            f"{url} is not Floodgate's WeChat simulator: it has no knobs. A load test never meets the real WeChat"
        )


async def _fetched(url: URL) -> dict[str, Any]:
    try:
        document = await asyncio.to_thread(_get, str(url))
    except (OSError, ValueError) as problem:
        raise TargetRefused(f"{url} does not answer like Floodgate: {_why(problem)}") from None
    return document if isinstance(document, dict) else {}


def _why(problem: OSError | ValueError) -> str:
    match problem:
        case urllib.error.HTTPError():
            with problem:
                return f"it answered {problem.code}"
        case urllib.error.URLError(reason=OSError(strerror=str(strerror))):
            return strerror
        case urllib.error.URLError():
            return str(problem.reason)
        case orjson.JSONDecodeError():
            return "it answered something else than JSON"
        case _:
            return str(problem)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Who sends us elsewhere is refused: nobody asked whether we may go there."""

    def redirect_request(self, *_: Any) -> None:
        return None


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())


def _get(url: str) -> Any:
    headers = {"Accept": "application/json", "User-Agent": "floodgate-loadtest"}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - check() let only http through
    with _DIRECT.open(request, timeout=PROBE_TIMEOUT_S) as answer:
        return orjson.loads(answer.read(ANSWER_MAX))
