"""One signed conversation with WeChat Pay over HTTP: sign, send, verify, and repeat within bounds.

The bytes that are signed are the bytes that are sent, and a 2xx is believed only after its signature and age
were checked over the bytes that arrived. An answer that fails the check is thrown away and asked for once
more at once: WeChat Pay sends a few wrong signatures on purpose and never twice in a row. What comes back is
an Answer or the kind of Silence; no exception of the network leaves this room.

Every try is signed afresh, since a signature ages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp

from engine import telemetry
from engine.payments.wechat.answers import Answer, Silence, surely_undone, worth_repeating
from engine.payments.wechat.authenticity import SERIAL, SIGNATURE, flaw_of
from engine.payments.wechat.endpoints import endpoint_of
from engine.payments.wechat.keys import VerifyingKeys
from engine.payments.wechat.messages import authorization, request_message
from engine.payments.wechat.signer import Signer
from engine.payments.wechat.transport import ANSWER_BYTES_MAX, Arrival, Domains, Transport

TRIES_MAX = 3
TRY_SHARE = 0.4  # of the whole budget for one try, so that a lost answer leaves time for another
PAUSE_S = 0.1  # before the second try, doubled for the third, each between half and one and a half of it
TRY_S_MIN = 0.1  # with less time left than this, another try is only load
DOWNLOAD_S = 120.0  # a bill of a few hundred megabytes over a slow line

assert TRY_SHARE * 2 < 1


@dataclass(frozen=True, slots=True)
class Settled:
    """The last answer of a repeated request, and whether any try may have taken effect."""

    answer: Answer | Silence
    maybe_done: bool


class Gateway:
    """Speaks for one merchant. `urls` are WeChat Pay's domains in the order to try them; one is usual."""

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        urls: Sequence[str],
        mchid: str,
        signer: Signer,
        keys: VerifyingKeys,
        answers_signed_by: str,
        now_s: Callable[[], float],
        nonce: Callable[[], str],
        jitter: Callable[[], float],
        timeout_s: float,
    ) -> None:
        if answers_signed_by not in keys:
            raise ValueError(f"there is no verifying key for {answers_signed_by}")
        self._transport = Transport(session, Domains(urls))
        self._mchid = mchid
        self._signer = signer
        self._keys = keys
        self._now_s = now_s
        self._nonce = nonce
        self._jitter = jitter
        self._timeout_s = timeout_s
        self._get_headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "floodgate",  # without one, some endpoints answer 400
            SERIAL: answers_signed_by,  # names the key WeChat Pay is to sign with
        }
        self._post_headers = {**self._get_headers, "Content-Type": "application/json"}

    async def repeat(self, method: str, path: str, body: bytes = b"") -> Settled:
        """Asks until an answer settles it, at most TRIES_MAX times and `timeout_s` in all.

        Only for requests that may be sent twice. A 401 or another definite no ends it at once.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_s
        maybe_done = False
        for number in range(TRIES_MAX):
            until = min(loop.time() + self._timeout_s * TRY_SHARE, deadline)
            answer = await self._try(method, path, body, until=until, number=number)
            maybe_done = maybe_done or not surely_undone(answer)
            if not worth_repeating(answer) or number == TRIES_MAX - 1:
                break
            pause_s = PAUSE_S * 2**number * (0.5 + self._jitter())
            if deadline - loop.time() - pause_s < TRY_S_MIN:
                break
            await asyncio.sleep(pause_s)
        return Settled(answer, maybe_done)

    async def once(self, method: str, path: str, body: bytes = b"") -> Answer | Silence:
        """Asks a single time, with all of `timeout_s` for it."""
        until = asyncio.get_running_loop().time() + self._timeout_s
        return await self._try(method, path, body, until=until, number=0)

    async def download(self, path_and_query: str, *, bytes_max: int) -> bytes | Silence | Answer:
        """The bytes of a file (a bill), asked for a single time; a refusal is the Answer.

        WeChat Pay signs no file: whoever downloads compares the hash that a signed answer named.
        Longer than `bytes_max` is Silence.TOO_LARGE.
        """
        until = asyncio.get_running_loop().time() + DOWNLOAD_S
        arrived = await self._exchange("GET", path_and_query, b"", until, 0, bytes_max)
        if isinstance(arrived, Silence):
            return arrived
        return arrived.body if arrived.status == 200 else self._judged(arrived)

    async def _try(self, method: str, path: str, body: bytes, *, until: float, number: int) -> Answer | Silence:
        answer = self._believed(await self._exchange(method, path, body, until, number))
        if answer is not Silence.NOT_AUTHENTIC:
            return answer
        again = self._believed(await self._exchange(method, path, body, until, number))
        return answer if again is Silence.NOT_SENT else again  # the first one was sent, after all

    async def _exchange(
        self, method: str, path: str, body: bytes, until: float, number: int, bytes_max: int = ANSWER_BYTES_MAX
    ) -> Arrival | Silence:
        timestamp, nonce = str(int(self._now_s())), self._nonce()
        signature = await self._signer.sign(request_message(method, path, timestamp, nonce, body))
        headers = {
            **(self._post_headers if body else self._get_headers),
            "Authorization": authorization(
                mchid=self._mchid,
                serial=self._signer.serial,
                timestamp=timestamp,
                nonce=nonce,
                signature=signature,
            ),
        }
        began = asyncio.get_running_loop().time()
        if until <= began:
            return Silence.NOT_SENT
        arrived = await self._transport.exchange(
            method, path, body, headers, number=number, timeout_s=until - began, bytes_max=bytes_max
        )
        outcome = arrived if isinstance(arrived, Silence) else str(arrived.status)
        took_s = asyncio.get_running_loop().time() - began
        telemetry.WECHATPAY_SECONDS.labels(endpoint_of(method, path), outcome).observe(took_s)
        return arrived

    def _believed(self, arrived: Arrival | Silence) -> Answer | Silence:
        return arrived if isinstance(arrived, Silence) else self._judged(arrived)

    def _judged(self, arrived: Arrival) -> Answer | Silence:
        headers, body = arrived.headers, arrived.body
        signed = SIGNATURE in headers
        success = 200 <= arrived.status < 300
        if (success or signed) and flaw_of(headers, body, keys=self._keys, now_s=self._now_s()) is not None:
            return Silence.NOT_AUTHENTIC
        return Answer(arrived.status, body, signed, headers.get("Request-ID", ""))
