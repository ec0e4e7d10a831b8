"""A caller: encrypts, signs and posts what the office gives it, and reports the status. It keeps nothing.

A caller that is killed loses nothing, because the office still has every notice it was sending. The body of a
slow attempt dribbles, one byte at a time, and never ends by itself.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

import aiohttp
from yarl import URL

from engine.simulator.keys.keyring import Keyring
from engine.simulator.keys.signer import Signer
from engine.simulator.pay import parcels
from engine.simulator.pay.parcels import Flaw, Parcel

DRIBBLE_S = 0.1


class Caller:
    """One HTTP session; belongs to the running event loop. `places` is how many callbacks may be in flight."""

    def __init__(
        self,
        *,
        keyring: Keyring,
        signer: Signer,
        now_ms: Callable[[], int],
        entropy: Callable[[int], bytes],
        places: int,
    ) -> None:
        self._keyring = keyring
        self._signer = signer
        self._now_ms = now_ms
        self._entropy = entropy
        self._urls: dict[str, URL] = {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=places, keepalive_timeout=7),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept-Encoding",),
        )

    async def stop(self) -> None:
        await self._session.close()

    async def send(self, parcel: Parcel) -> int | None:
        """The status of the merchant's answer, or None when there was none within the time."""
        merchant = self._keyring.merchants[parcel.notice.mchid]
        letter = parcels.write(parcel, merchant, now_ms=self._now_ms(), entropy=self._entropy(32))
        signature = ""
        if letter.serial is not None:
            signature = await self._signer.sign(self._keyring.private[parcel.signer], letter.message)
        try:
            async with self._session.post(
                self._url(parcel.notice.notify_url),
                data=_dribbled(letter.body) if parcel.flaw is Flaw.SLOW else letter.body,
                headers=parcels.headers(letter, signature, parcel.flaw, entropy=self._entropy(12)),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=parcel.timeout_ms / 1000),
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None

    def _url(self, text: str) -> URL:
        """Merchants use a handful of addresses, so parsing each once is enough."""
        url = self._urls.get(text)
        if url is None:
            if len(self._urls) > 1000:
                self._urls.clear()
            url = self._urls[text] = URL(text, encoded=True)
        return url


async def _dribbled(body: bytes) -> AsyncIterator[bytes]:
    """All but the end of the body, slowly, then nothing until the time is over."""
    for start in range(len(body) // 2):
        yield body[start : start + 1]
        await asyncio.sleep(DRIBBLE_S)
    await asyncio.Event().wait()
