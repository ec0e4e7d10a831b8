"""One signed conversation with WeChat Pay over HTTP: sign, send, verify, and repeat within bounds.

The bytes that are signed are the bytes that are sent, and a 2xx is believed only after its signature and age
were checked over the bytes that arrived. An answer that fails the check is thrown away and asked for once
more at once: WeChat Pay sends a few wrong signatures on purpose and never twice in a row. What comes back is
an Answer or the kind of Silence; no exception of the network leaves this room.

Every try is signed afresh, since a signature ages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from engine import telemetry
from engine.payments.wechat.answers import Answer, Silence, surely_undone, worth_repeating
from engine.payments.wechat.authenticity import SERIAL
from engine.payments.wechat.endpoints import Endpoint, endpoint_of
from engine.payments.wechat.keys import MerchantKey
from engine.payments.wechat.messages import authorization, request_message
from engine.payments.wechat.quotas import JOB_PATIENCE_S, Quota
from engine.payments.wechat.signer import Signer
from engine.payments.wechat.transport import ANSWER_BYTES_MAX, Arrival, Transport
from engine.payments.wechat.trust import KeysIn, Trust

log = structlog.get_logger(__name__)

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
    """Speaks for one merchant."""

    def __init__(
        self,
        *,
        transport: Transport,
        mchid: str,
        key: MerchantKey,
        signer: Signer,
        trust: Trust,
        quota: Quota,
        now_s: Callable[[], float],
        nonce: Callable[[], str],
        jitter: Callable[[], float],
        timeout_s: float,
    ) -> None:
        self._transport = transport
        self._mchid = mchid
        self._key = key
        self._signer = signer
        self._trust = trust
        self._quota = quota
        self._now_s = now_s
        self._nonce = nonce
        self._jitter = jitter
        self._timeout_s = timeout_s
        self._get_headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "floodgate",  # without one, some endpoints answer 400
        }
        self._post_headers = {**self._get_headers, "Content-Type": "application/json"}

    async def repeat(self, method: str, path: str, body: bytes = b"") -> Settled:
        """Asks until an answer settles it, at most TRIES_MAX times and `timeout_s` in all.

        Only for requests that may be sent twice. A 401 or another definite no ends it at once. The time waited for a
        token of the quota is part of it for an order, where a buyer waits, and comes before it for everything else.
        """
        if not await self._trust.ready():
            return Settled(Silence.NOT_SENT, False)
        return await self._repeat(method, path, body, None)

    async def bootstrap(self, path: str, keys_in: KeysIn) -> Answer | Silence:
        """Asks for keys: the answer is checked with those that `keys_in` finds in its body."""
        return (await self._repeat("GET", path, b"", keys_in)).answer

    async def once(self, method: str, path: str, body: bytes = b"") -> Answer | Silence:
        """Asks a single time, with all of `timeout_s` for it."""
        if not await self._trust.ready():
            return Silence.NOT_SENT
        if not await self._let_through(endpoint_of(method, path), JOB_PATIENCE_S):
            return Silence.HELD_BACK
        until = asyncio.get_running_loop().time() + self._timeout_s
        return await self._try(method, path, body, None, until=until, number=0)

    async def download(self, path_and_query: str, *, bytes_max: int) -> bytes | Silence | Answer:
        """The bytes of a file (a bill), asked for a single time; a refusal is the Answer.

        WeChat Pay signs no file: whoever downloads compares the hash that a signed answer named.
        Longer than `bytes_max` is Silence.TOO_LARGE.
        """
        endpoint = endpoint_of("GET", path_and_query)
        if not await self._let_through(endpoint, JOB_PATIENCE_S):
            return Silence.HELD_BACK
        began_s = asyncio.get_running_loop().time()
        until = began_s + DOWNLOAD_S
        arrived = await self._exchange("GET", path_and_query, b"", until=until, number=0, bytes_max=bytes_max)
        if isinstance(arrived, Arrival) and arrived.status == 200:
            _tell(endpoint, began_s, Answer(200, b"", signed=False))
            return arrived.body
        answer = await self._trust.believed(arrived, self._now_s())
        _tell(endpoint, began_s, answer)
        return answer

    async def _let_through(self, endpoint: Endpoint, patience_s: float) -> bool:
        """Whether the quota has room for a new request, after waiting for it at most `patience_s`."""
        began_s = asyncio.get_running_loop().time()
        if await self._quota.take(endpoint, patience_s):
            return True
        _tell(endpoint, began_s, Silence.HELD_BACK)
        return False

    async def _repeat(self, method: str, path: str, body: bytes, keys_in: KeysIn | None) -> Settled:
        now_s = asyncio.get_running_loop().time
        endpoint, began_s = endpoint_of(method, path), now_s()
        hasty = endpoint is Endpoint.ORDER
        if not await self._let_through(endpoint, self._timeout_s * TRY_SHARE if hasty else JOB_PATIENCE_S):
            return Settled(Silence.HELD_BACK, False)
        deadline_s = (began_s if hasty else now_s()) + self._timeout_s
        maybe_done = False
        for number in range(TRIES_MAX):
            until = min(now_s() + self._timeout_s * TRY_SHARE, deadline_s)
            answer = await self._try(method, path, body, keys_in, until=until, number=number)
            maybe_done = maybe_done or not surely_undone(answer)
            if not worth_repeating(answer) or number == TRIES_MAX - 1:
                break
            pause_s = PAUSE_S * 2**number * (0.5 + self._jitter())
            if deadline_s - now_s() - pause_s < TRY_S_MIN:
                break
            await asyncio.sleep(pause_s)
            if not await self._quota.take(endpoint, deadline_s - now_s() - TRY_S_MIN):
                break
        return Settled(answer, maybe_done)

    async def _try(
        self,
        method: str,
        path: str,
        body: bytes,
        keys_in: KeysIn | None,
        *,
        until: float,
        number: int,
    ) -> Answer | Silence:
        answer = await self._ask(method, path, body, keys_in, until=until, number=number)
        if answer is not Silence.NOT_AUTHENTIC:
            return answer
        if not await self._quota.take(endpoint_of(method, path), until - asyncio.get_running_loop().time()):
            return answer
        again = await self._ask(method, path, body, keys_in, until=until, number=number)
        return answer if again is Silence.NOT_SENT else again  # the first one was sent, after all

    async def _ask(
        self,
        method: str,
        path: str,
        body: bytes,
        keys_in: KeysIn | None,
        *,
        until: float,
        number: int,
    ) -> Answer | Silence:
        began_s = asyncio.get_running_loop().time()
        arrived = await self._exchange(method, path, body, until=until, number=number)
        answer = await self._trust.believed(arrived, self._now_s(), keys_in)
        _tell(endpoint_of(method, path), began_s, answer)
        if isinstance(answer, Answer) and answer.status == 401:
            # Nothing works any more for this merchant until a person has looked.
            telemetry.ALARMS.labels("our_signature_refused").inc()
            log.error("our_signature_refused", mchid=self._mchid, detail=answer.detail, advice="run: floodgate doctor")
        return answer

    async def _exchange(
        self, method: str, path: str, body: bytes, *, until: float, number: int, bytes_max: int = ANSWER_BYTES_MAX
    ) -> Arrival | Silence:
        timestamp, nonce = str(int(self._now_s())), self._nonce()
        signature = await self._signer.sign(self._key, request_message(method, path, timestamp, nonce, body))
        headers = {
            **(self._post_headers if body else self._get_headers),
            "Authorization": authorization(
                mchid=self._mchid,
                serial=self._key.serial,
                timestamp=timestamp,
                nonce=nonce,
                signature=signature,
            ),
        }
        serial = self._trust.asked_for(self._now_s())
        if serial is not None:
            headers[SERIAL] = serial
        left_s = until - asyncio.get_running_loop().time()
        if left_s <= 0:
            return Silence.NOT_SENT
        return await self._transport.exchange(
            method, path, body, headers, number=number, timeout_s=left_s, bytes_max=bytes_max
        )


def _tell(endpoint: Endpoint, began_s: float, answer: Answer | Silence) -> None:
    outcome = answer if isinstance(answer, Silence) else str(answer.status)
    took_s = asyncio.get_running_loop().time() - began_s
    telemetry.WECHATPAY_SECONDS.labels(endpoint, outcome).observe(took_s)
