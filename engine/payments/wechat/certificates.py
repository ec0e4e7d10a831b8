"""WeChat Pay's platform certificates: downloaded, opened with the APIv3 key, kept fresh.

They come sealed under a key that only WeChat Pay and the merchant have, which is what makes the first download
believable. On top of that the answer itself must carry a signature, by one of the certificates it brings or by a key
known before, so that an old recording of it is worth nothing.

However many callers need them, one download is under way at a time. It is done again after `every_s`, and when a serial
turns up that nobody knows, but then at most once a minute: serials come from strangers. A notice with an unknown
serial is refused meanwhile and read when WeChat Pay sends it again, 15 seconds later. Waiting would hold a stranger's
requests open, and it happens next to never: a new certificate is listed days before it signs anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any

import structlog
from cryptography.exceptions import InvalidTag

from engine import telemetry
from engine.infra.reading import Unreadable, nested, read_object, text
from engine.payments.wechat.answers import Answer, Silence
from engine.payments.wechat.keys import PlatformCertificate, VerifyingKeys, certificate_from_pem
from engine.payments.wechat.messages import decrypted, from_base64

log = structlog.get_logger(__name__)

STRANGER_EVERY_S = 60.0  # at most one download a minute for serials that strangers name
NEEDED_EVERY_S = 5.0  # without any key nothing can be done, so that is tried more often
CERTIFICATE_COUNT_MAX = 16  # one is usual, two while they change
SERIAL_SHAPE = re.compile(r"[0-9A-F]{40}")

Fetch = Callable[[Callable[[bytes], VerifyingKeys]], Awaitable[Answer | Silence]]


class Refreshed(StrEnum):
    LEARNED = "LEARNED"
    NONE_THERE = "NONE_THERE"  # this merchant has a public key of WeChat Pay, and no certificates
    FAILED = "FAILED"


def opened(body: bytes, api_v3_key: bytes) -> list[PlatformCertificate]:
    """The certificates in an answer. One that cannot be read is left out; Unreadable when none is left."""
    entries = read_object(body).get("data")
    if type(entries) is not list:
        raise Unreadable("data")
    found = []
    for entry in entries[:CERTIFICATE_COUNT_MAX]:
        with contextlib.suppress(Unreadable, ValueError, InvalidTag):
            found.append(_opened(entry, api_v3_key))
    if not found:
        raise Unreadable("encrypt_certificate")
    return found


def _opened(entry: Any, api_v3_key: bytes) -> PlatformCertificate:
    if type(entry) is not dict:
        raise Unreadable("data")
    sealed = nested(entry, "encrypt_certificate")
    ciphertext, associated = sealed.get("ciphertext"), sealed.get("associated_data") or ""
    if type(ciphertext) is not str or type(associated) is not str:
        raise Unreadable("encrypt_certificate")
    pem = decrypted(api_v3_key, nonce=text(sealed, "nonce"), associated=associated, ciphertext=from_base64(ciphertext))
    certificate = certificate_from_pem(pem)
    if certificate.serial != text(entry, "serial_no").upper():
        raise Unreadable("serial_no")
    return certificate


class Certificates:
    """Teaches `keys` the certificates of one merchant. Serves one event loop."""

    def __init__(
        self,
        keys: VerifyingKeys,
        fetch: Fetch,
        *,
        mchid: str,
        api_v3_key: bytes,
        now_s: Callable[[], float],
        every_s: float,
        tick_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now_s` dates certificates, `tick_s` spaces downloads.

        `fetch` downloads them, and checks its answer with the keys that its argument finds in a body.
        """
        self._keys = keys
        self._fetch = fetch
        self._mchid = mchid
        self._api_v3_key = api_v3_key
        self._now_s = now_s
        self._every_s = every_s
        self._tick_s = tick_s
        self._running: asyncio.Task[Refreshed] | None = None
        self._tried_at_s = self._fetched_at_s = float("-inf")

    def close(self) -> None:
        """Ends a download that is under way."""
        if self._running is not None:
            self._running.cancel()

    async def refresh(self) -> Refreshed:
        """Downloads them now, or waits for the download under way."""
        return await asyncio.shield(self._start())

    async def ready(self) -> bool:
        """Whether there is any key to verify with; downloads them when there is none."""
        if not self._keys.any(self._now_s()) and self._may_try(NEEDED_EVERY_S):
            await self.refresh()
        return self._keys.any(self._now_s())

    async def learned(self, serial: str) -> bool:
        """Whether an unknown serial is known after a download, if one is due."""
        if SERIAL_SHAPE.fullmatch(serial) and self._may_try(STRANGER_EVERY_S):
            await self.refresh()
        return self._keys.knows(serial, self._now_s())

    def met(self, serial: str) -> None:
        """A stranger named a serial that nobody knows: download in the background, if that is due."""
        if SERIAL_SHAPE.fullmatch(serial) and self._may_try(STRANGER_EVERY_S):
            self._start()

    def keep_fresh(self) -> None:
        """Downloads them in the background when the last download is long ago. Cheap enough for every request."""
        if self._tick_s() - self._fetched_at_s >= self._every_s and self._may_try(STRANGER_EVERY_S):
            self._start()

    def _may_try(self, every_s: float) -> bool:
        """Whether a download is under way, or enough time has passed since the last began."""
        if self._running is not None and not self._running.done():
            return True
        return self._tick_s() - self._tried_at_s >= every_s

    def _start(self) -> asyncio.Task[Refreshed]:
        if self._running is None or self._running.done():
            loop = asyncio.get_running_loop()
            self._tried_at_s = self._tick_s()
            self._running = loop.create_task(self._refresh(), name=f"certificates-{self._mchid}")
        return self._running

    async def _refresh(self) -> Refreshed:
        answer = await self._fetch(self._keys_with)
        refreshed = self._taken(answer)
        telemetry.CERTIFICATE_DOWNLOADS.labels(refreshed).inc()
        return refreshed

    def _keys_with(self, body: bytes) -> VerifyingKeys:
        """The keys known so far and those in this body, which prove nothing but its own signature."""
        try:
            return self._keys.joined(opened(body, self._api_v3_key), self._now_s())
        except Unreadable:
            return self._keys

    def _taken(self, answer: Answer | Silence) -> Refreshed:
        if isinstance(answer, Answer) and answer.status == 404:
            self._fetched_at_s = self._tick_s()
            if not self._keys.any(self._now_s()):
                advice = "set public_key_id and public_key_file: this merchant has a public key instead"
                telemetry.ALARMS.labels("no_platform_certificates").inc()
                log.error("no_platform_certificates", mchid=self._mchid, advice=advice)
            return Refreshed.NONE_THERE
        reason = answer if isinstance(answer, Silence) else answer.detail
        if isinstance(answer, Answer) and answer.status == 200:
            try:
                self._keys.learn(opened(answer.body, self._api_v3_key), self._now_s())
            except Unreadable as error:
                reason = f"{error}: check api_v3_key"
            else:
                self._fetched_at_s = self._tick_s()
                return Refreshed.LEARNED
        log.warning("platform_certificates_not_refreshed", mchid=self._mchid, reason=reason)
        return Refreshed.FAILED
