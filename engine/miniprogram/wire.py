"""One HTTP exchange with api.weixin.qq.com.

Secrets and access tokens travel in the query, so no exception of the HTTP client is let out or chained: their texts
may hold the address. What is raised tells two things apart, because a message must not be sent twice: NotReached,
where WeChat certainly did nothing, and every other ProviderAway, where nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
import orjson

from engine.infra.outage import ProviderAway

ANSWER_BYTES_MAX = 4 * 1024 * 1024  # a QR code of the largest width has about 300 KB


TIMEOUT_S_MAX = 30.0  # leases of what is asked for are longer than any question can take
# The session may be one that does not unpack what comes packed.
HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity"}


class NotReached(ProviderAway):
    """WeChat did not do it: it was not reached, or said that it is too busy to look at it."""


class Wire:
    """`url` is WeChat's host, or the simulator's. The caller closes the session."""

    def __init__(self, *, session: aiohttp.ClientSession, url: str, timeout_s: float) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self.timeout_s = min(timeout_s, TIMEOUT_S_MAX)
        self._timeout = aiohttp.ClientTimeout(total=self.timeout_s)

    async def get(self, name: str, path: str, query: Mapping[str, str]) -> bytes:
        """The body of a 200. `name` stands in the reason of an outage. Raises ProviderAway, NotReached among them."""
        return await self._ask("GET", name, path, query, None)

    async def post(self, name: str, path: str, query: Mapping[str, str], content: Mapping[str, object]) -> bytes:
        """The same with a JSON body."""
        return await self._ask("POST", name, path, query, orjson.dumps(content))

    async def _ask(self, method: str, name: str, path: str, query: Mapping[str, str], body: bytes | None) -> bytes:
        try:
            async with self._session.request(
                method,
                self._url + path,
                params=query,
                data=body,
                headers=HEADERS,
                timeout=self._timeout,
                allow_redirects=False,
                middlewares=(_sent_once,),
            ) as response:
                status, answer = response.status, await response.content.read(ANSWER_BYTES_MAX + 1)
                while len(answer) <= ANSWER_BYTES_MAX and (more := await response.content.read(ANSWER_BYTES_MAX)):
                    answer += more
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotReached(f"{name}: {type(error).__name__}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ProviderAway(f"{name}: {type(error).__name__}") from None
        if status != 200:
            raise ProviderAway(f"{name}: HTTP {status}")
        if len(answer) > ANSWER_BYTES_MAX:
            raise ProviderAway(f"{name}: the answer is too long")
        return answer


async def _sent_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps aiohttp from repeating a GET whose connection broke: a code may be spent, and the second answer would
    then refuse a buyer who did nothing wrong."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ProviderAway(f"the connection broke: {type(error).__name__}") from None
