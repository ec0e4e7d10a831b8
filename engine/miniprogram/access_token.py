"""The access token: one for all processes, kept sealed in PostgreSQL, renewed before its end by one of them.

WeChat's stable_token answers with the token in force, and with the next one during the last five minutes, in which
both are good. So a token is renewed while the old one still works, and who loses the race goes on with the old one.
A token that WeChat calls stale is asked for again; only when that brings the same one is a renewal forced, of which
there are 20 a day, 30 s apart. Neither the token nor the secret is ever logged or part of an exception.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from hashlib import blake2b
from typing import TYPE_CHECKING

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine import telemetry
from engine.infra.outage import ProviderAway
from engine.infra.postgres import connection
from engine.infra.reading import Unreadable, read_object, text, whole
from engine.miniprogram.queries import QUERIES
from engine.miniprogram.wire import Wire

if TYPE_CHECKING:
    import asyncpg

    from engine.infra.postgres import Pool

log = structlog.get_logger(__name__)

ACCESS_TOKEN_MAX = 2048  # 512 characters must be kept ready
NONCE_BYTES = 12
RENEW_BEFORE_S = 240.0  # within the last five minutes, in which WeChat gives the next token
LEASE_MARGIN_S = 5.0  # beyond the two questions that a renewal may take
PAUSE_S = 1.0  # between two failed renewals
WAIT_S = 5.0  # how long a caller without any token waits for the process that renews
POLL_S = 0.05
FORCED_APART_S = 30.0
FORCED_A_DAY_MAX = 20


class AccessTokens:
    """`nonce` gives 12 random bytes; `clock_s` is monotonic; `today` is the date in China, whose days WeChat counts."""

    def __init__(
        self,
        pool: Pool,
        wire: Wire,
        *,
        appid: str,
        app_secret: str,
        nonce: Callable[[], bytes],
        clock_s: Callable[[], float],
        today: Callable[[], date],
        forced_apart_s: float = FORCED_APART_S,
        forced_a_day_max: int = FORCED_A_DAY_MAX,
        wait_s: float = WAIT_S,
    ) -> None:
        self._pool = pool
        self._wire = wire
        self._appid = appid
        self._app_secret = app_secret
        # Whoever knows the secret can have the token anyway, so its key needs no setting of its own.
        self._cipher = AESGCM(blake2b(app_secret.encode(), digest_size=32, person=b"access-token").digest())
        self._nonce = nonce
        self._clock_s = clock_s
        self._today = today
        self._forced_apart_s = forced_apart_s
        self._forced_a_day_max = forced_a_day_max
        self._wait_s = wait_s
        self._lease_s = 2 * wire.timeout_s + LEASE_MARGIN_S
        self._token = ""
        self._fresh_until_s = 0.0
        self._asking = asyncio.Lock()

    async def current(self) -> str:
        """A token that works. Raises ProviderAway, PostgresAway."""
        if self._token and self._clock_s() < self._fresh_until_s:
            return self._token
        async with self._asking:
            if self._token and self._clock_s() < self._fresh_until_s:
                return self._token
            return await self._obtain(stale="")

    async def after(self, stale: str) -> str:
        """Another token than the one that WeChat called stale. Raises ProviderAway, PostgresAway."""
        async with self._asking:
            if self._token not in ("", stale) and self._clock_s() < self._fresh_until_s:
                return self._token
            self._token = ""
            return await self._obtain(stale=stale)

    async def _obtain(self, *, stale: str) -> str:
        deadline_s = self._clock_s() + self._wait_s
        while True:
            row = await self._read()
            kept = self._usable(row, stale)
            if row is not None and kept:
                if row["fresh_s"] > 0:
                    return self._remember(kept, row["fresh_s"])
                if row["renewing"]:  # the old one works until the next one is there
                    return kept
            async with connection(self._pool) as conn:
                leased = await conn.fetchval(QUERIES.lease_renewal, self._appid, self._lease_s, not kept)
            if leased is not None:
                return await self._renew(stale=stale)
            if self._clock_s() >= deadline_s:
                raise ProviderAway("stable_token: no other process has brought an access token in time")
            await asyncio.sleep(POLL_S)

    async def _renew(self, *, stale: str) -> str:
        """We hold the lease. A failure leaves the kept token in force as long as it lasts."""
        row = await self._read()
        kept = self._usable(row, stale)
        try:
            if row is not None and kept and row["fresh_s"] > 0:  # whoever had the lease before us was faster
                async with connection(self._pool) as conn:
                    await conn.execute(QUERIES.end_renewal, self._appid, 0.0)
                return self._remember(kept, row["fresh_s"])
            token, expires_s = await self._ask(force=False)
            if token == stale:
                token, expires_s = await self._force()
        except ProviderAway:
            async with connection(self._pool) as conn:
                await conn.execute(QUERIES.end_renewal, self._appid, PAUSE_S)
            if kept:
                log.warning("access_token_not_renewed")
                return kept
            raise
        fresh_s = expires_s - min(RENEW_BEFORE_S, expires_s / 2)
        nonce = self._nonce()
        sealed = nonce + self._cipher.encrypt(nonce, token.encode(), self._appid.encode())
        async with connection(self._pool) as conn:
            await conn.execute(QUERIES.keep_token, self._appid, sealed, expires_s, fresh_s)
        return self._remember(token, fresh_s)

    async def _force(self) -> tuple[str, float]:
        async with connection(self._pool) as conn:
            count = await conn.fetchval(
                QUERIES.take_forced_renewal,
                self._appid,
                self._forced_apart_s,
                self._today(),
                self._forced_a_day_max,
            )
        if count is None:
            telemetry.ALARMS.labels("access_token").inc()
            raise ProviderAway("stable_token: the token is refused, and no further renewal can be forced now")
        log.warning("access_token_forced", count=count)
        return await self._ask(force=True)

    async def _ask(self, *, force: bool) -> tuple[str, float]:
        """The token that WeChat gives and how long it lasts. Raises ProviderAway."""
        answer = await self._wire.post(
            "stable_token",
            "/cgi-bin/stable_token",
            {},
            {
                "grant_type": "client_credential",
                "appid": self._appid,
                "secret": self._app_secret,
                "force_refresh": force,
            },
        )
        try:
            fields = read_object(answer)
            if (errcode := fields.get("errcode", 0)) != 0:
                raise ProviderAway(f"stable_token: errcode {errcode}")
            token, expires_s = (
                text(fields, "access_token", length_max=ACCESS_TOKEN_MAX),
                float(whole(fields, "expires_in")),
            )
        except Unreadable as error:
            raise ProviderAway(f"stable_token: unreadable: {error}") from None
        if expires_s <= 0:
            raise ProviderAway("stable_token: the token is over already")
        return token, expires_s

    async def _read(self) -> asyncpg.Record | None:
        async with connection(self._pool) as conn:
            return await conn.fetchrow(QUERIES.read_token, self._appid)

    def _usable(self, row: asyncpg.Record | None, stale: str) -> str:
        """The kept token; none if it is over, or called stale, or was sealed under a former secret."""
        if row is None or row["left_s"] <= 0:
            return ""
        sealed = row["token_sealed"]
        try:
            opened = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], self._appid.encode()).decode()
        except InvalidTag:
            return ""
        return "" if opened == stale else opened

    def _remember(self, token: str, fresh_s: float) -> str:
        self._token, self._fresh_until_s = token, self._clock_s() + fresh_s
        return token
