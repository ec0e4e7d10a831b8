"""One HTTP exchange with WeChat Pay: bytes out, bytes in, or the kind of silence. It signs and believes nothing.

It refuses redirects (a signature is for one address), compression (it would stand between the signature and the
bytes) and answers larger than asked for. When a domain cannot be reached, the next one is asked first for a while, so
that not every request pays for finding out.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp
from multidict import MultiMapping
from yarl import URL

from engine.payments.wechat.answers import Silence

KEEPALIVE_S = 7.0  # WeChat Pay closes an idle connection after 8 s; reusing it then is a lost request
CONNECTION_COUNT_MAX = 200  # 1,000 requests a second at 200 ms each
CONNECT_S = 1.0  # a host that does not take a connection by then is better asked elsewhere
ANSWER_BYTES_MAX = 65_536  # the longest answer, with fifty coupons, has some 20 KiB
AVOIDED_S = 60.0  # how long a domain that could not be reached is not asked first

assert KEEPALIVE_S < 8


def open_session(*, connection_count_max: int = CONNECTION_COUNT_MAX) -> aiohttp.ClientSession:
    """The session a Gateway wants; the caller closes it. Needs a running loop."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connection_count_max, keepalive_timeout=KEEPALIVE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )


@dataclass(frozen=True, slots=True)
class Arrival:
    """One response as it arrived; nothing in it is verified."""

    status: int
    headers: MultiMapping[str]
    body: bytes


class Domains:
    """WeChat Pay's addresses, in the order to try them. Raises ValueError for one with a path."""

    def __init__(self, urls: Sequence[str]) -> None:
        if not urls:
            raise ValueError("at least one gateway is needed")
        for url in urls:
            if urllib.parse.urlsplit(url).path.strip("/"):
                raise ValueError(f"{url}: a gateway is a host; a path would not be the path that was signed")
        self._urls = tuple(url.rstrip("/") for url in urls)
        self._first = 0
        self._avoided_until = 0.0

    def for_try(self, number: int, at_s: float) -> str:
        """The address of a request's try: the first for try 0, the second for try 1, and around again."""
        first = self._first if at_s < self._avoided_until else 0
        return self._urls[(first + number) % len(self._urls)]

    def unreachable(self, url: str, at_s: float) -> None:
        """Nobody took a connection there: begin with the next one until AVOIDED_S from now."""
        if url == self.for_try(0, at_s):
            self._first = (self._urls.index(url) + 1) % len(self._urls)
            self._avoided_until = at_s + AVOIDED_S


class Transport:
    """The caller closes the session."""

    def __init__(self, session: aiohttp.ClientSession, domains: Domains) -> None:
        # Without being asked, aiohttp sends a GET again whose connection broke: the same nonce a second time, which
        # WeChat Pay may refuse. Every try is signed afresh instead. There is no public switch for it.
        session._retry_connection = False  # noqa: SLF001
        self._session = session
        self._domains = domains

    async def exchange(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        number: int,
        timeout_s: float,
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> Arrival | Silence:
        """`number`: which try of its request this is, from 0. No exception of the network is let out."""
        now_s = asyncio.get_running_loop().time
        domain = self._domains.for_try(number, now_s())
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(timeout_s, CONNECT_S))
        try:
            async with self._session.request(
                method,
                URL(domain + path, encoded=True),
                data=body or None,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                arrived = await _read(response, bytes_max)
                if arrived is None:
                    return Silence.TOO_LARGE
                return Arrival(response.status, response.headers, arrived)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            self._domains.unreachable(domain, now_s())
            return Silence.NOT_SENT
        except TimeoutError:
            return Silence.TIMED_OUT
        except (aiohttp.ClientError, OSError):
            return Silence.BROKEN_OFF


async def _read(response: aiohttp.ClientResponse, bytes_max: int) -> bytes | None:
    """The body, or None, and the connection closed, as soon as it is longer than `bytes_max`."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > bytes_max:
            response.close()
            return None
    return bytes(body)
