"""Delivering notices: late, lost, twice, again and again, the way WeChat does.

A notice waits for its delay, then takes its turn with a bounded number of senders. Each attempt encrypts
and signs afresh and gets 5 seconds. Only 200 and 204 acknowledge; anything else repeats on WeChat's
schedule (15 times over a day, scaled by a knob), then WeChat gives up. A duplicate goes out at the same
moment or after the acknowledgement. An acknowledged notice is recorded before it is forgotten; what was not
is sent again after a restart.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from yarl import URL

from engine.simulator import crypto, notices
from engine.simulator.authorization import SCHEME, Merchant
from engine.simulator.faults import Faults, delay_s, draw, happens
from engine.simulator.notices import Notice
from engine.simulator.shapes import request_id
from engine.simulator.signer import Signer

RETRIES_S = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)
SENDERS = 64  # How many callbacks may be in flight; WeChat publishes no number.
PROBE_PREFIX = "WECHATPAY/SIGNTEST/"
_ACKNOWLEDGED = (200, 204)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """`number` counts from 0. An echo is a duplicate: its answer changes nothing. A probe is wrongly signed."""

    notice: Notice
    number: int = 0
    echo: bool = False
    probe: bool = False


@dataclass(slots=True)
class Tally:
    """What happened so far; `unfinished` notices still wait for an acknowledgement."""

    unfinished: int = 0
    attempts: int = 0
    acknowledged: int = 0
    failed: int = 0
    lost: int = 0
    given_up: int = 0
    duplicates: int = 0
    probes: int = 0
    probes_accepted: int = 0


class Callbacks:
    """A pool of senders over one HTTP session. `delivered` is told the id of each notice that is over."""

    def __init__(
        self,
        *,
        merchants: Mapping[str, Merchant],
        signer: Signer,
        key: RSAPrivateKey,
        serial: str,
        faults: Callable[[], Faults],
        delivered: Callable[[str], None],
        now_ms: Callable[[], int],
        entropy: Callable[[int], bytes],
    ) -> None:
        self.tally = Tally()
        self._merchants = merchants
        self._signer = signer
        self._key = key
        self._faults = faults
        self._delivered = delivered
        self._now_ms = now_ms
        self._entropy = entropy
        self._loop = asyncio.get_running_loop()
        self._due: asyncio.Queue[_Attempt] = asyncio.Queue()
        self._urls: dict[str, URL] = {}
        self._fixed_headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Accept": "*/*",
            "User-Agent": "Mozilla/4.0",
            "Wechatpay-Serial": serial,
            "Wechatpay-Signature-Type": SCHEME,
        }
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=SENDERS, keepalive_timeout=7),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept-Encoding",),
        )
        self._senders = [asyncio.create_task(self._send_all()) for _ in range(SENDERS)]

    def post(self, notice: Notice) -> None:
        """Take a notice; it goes out after its delay, or never when it is fated to be lost."""
        faults = self._faults()
        subject = _subject(notice)
        if happens(faults.callback_loss, seed=faults.seed, knob="callback_loss", subject=subject):
            self.tally.lost += 1
            self._delivered(notice.id)
            return
        self.tally.unfinished += 1
        wait_s = delay_s(faults.callback_delay_ms, seed=faults.seed, knob="callback_delay_ms", subject=subject)
        probe = happens(faults.callback_signtest, seed=faults.seed, knob="callback_signtest", subject=subject)
        self._later(wait_s, _Attempt(notice, probe=probe))
        if self._duplicated(notice) and not self._after_acknowledgement(notice):
            self._later(wait_s, _Attempt(notice, echo=True))

    async def stop(self) -> None:
        """Drop what is in flight; unacknowledged notices stay in the ledger."""
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        await self._session.close()

    def _later(self, wait_s: float, attempt: _Attempt) -> None:
        self._loop.call_later(wait_s, self._due.put_nowait, attempt)

    async def _send_all(self) -> None:
        while True:
            attempt = await self._due.get()
            status = await self._send(attempt)
            self._judge(attempt, acknowledged=status in _ACKNOWLEDGED)

    async def _send(self, attempt: _Attempt) -> int | None:
        """The status of the answer, or None when there was none within the time."""
        notice = attempt.notice
        body = notices.body(notice, self._merchants[notice.mchid].cipher, nonce=self._entropy(6).hex())
        timestamp = str(self._now_ms() // 1000)
        nonce = self._entropy(16).hex()
        signature = await self._signer.sign(
            self._key, crypto.answer_message(timestamp=timestamp, nonce=nonce, body=body)
        )
        headers = self._fixed_headers | {
            "Wechatpay-Timestamp": timestamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature": PROBE_PREFIX + signature if attempt.probe else signature,
            "Request-ID": request_id(self._entropy(12), 0),
        }
        self.tally.attempts += 1
        try:
            async with self._session.post(
                self._url(notice.notify_url),
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self._faults().callback_timeout_ms / 1000),
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None

    def _judge(self, attempt: _Attempt, *, acknowledged: bool) -> None:
        notice = attempt.notice
        if attempt.probe:
            # A merchant that accepts a wrong signature has a hole; the real notice follows in any case.
            self.tally.probes += 1
            self.tally.probes_accepted += acknowledged
            self._due.put_nowait(_Attempt(notice))
        elif attempt.echo:
            self.tally.duplicates += 1
        elif acknowledged:
            self.tally.acknowledged += 1
            self._finish(notice)
            if self._duplicated(notice) and self._after_acknowledgement(notice):
                self._later(self._faults().callback_delay_ms[1] / 1000, _Attempt(notice, echo=True))
        elif attempt.number < len(RETRIES_S):
            self.tally.failed += 1
            wait_s = RETRIES_S[attempt.number] * self._faults().callback_retry_scale
            self._later(wait_s, _Attempt(notice, attempt.number + 1))
        else:
            self.tally.failed += 1
            self.tally.given_up += 1
            self._finish(notice)

    def _finish(self, notice: Notice) -> None:
        self.tally.unfinished -= 1
        self._delivered(notice.id)

    def _duplicated(self, notice: Notice) -> bool:
        faults = self._faults()
        return happens(faults.callback_duplicate, seed=faults.seed, knob="callback_duplicate", subject=_subject(notice))

    def _after_acknowledgement(self, notice: Notice) -> bool:
        return draw(self._faults().seed, "duplicate_after", _subject(notice)) < 0.5

    def _url(self, text: str) -> URL:
        """Merchants use a handful of addresses, so parsing each once is enough."""
        url = self._urls.get(text)
        if url is None:
            if len(self._urls) > 1000:
                self._urls.clear()
            url = self._urls[text] = URL(text, encoded=True)
        return url


def _subject(notice: Notice) -> str:
    """What luck is drawn for: the business fact, so that a restart or a new notice id changes nothing."""
    return f"{notice.event_type} {notice.subject}"
