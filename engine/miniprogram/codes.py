"""QR codes and links that open a sale in the mini program: made by WeChat once, kept, and given out again.

A code lasts for ever, so one image serves every poster; WeChat bounds how many are made in a minute. A link lasts for
days and is made anew a day before its end. Raises PostgresAway, ProviderAway.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from engine.infra.postgres import connection
from engine.miniprogram.client import SCENE_CHARS, SCENE_MAX, MiniProgramApi
from engine.miniprogram.errcodes import Refused
from engine.miniprogram.queries import QUERIES

if TYPE_CHECKING:
    import asyncpg

    from engine.infra.postgres import Pool

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Link:
    """A link and when it ends."""

    url: str
    expires_ms: int


def scene_of(sale_id: str) -> str | None:
    """What the mini program reads as `scene`: the sale's id, or None where it is longer than WeChat takes."""
    return sale_id if len(sale_id) <= SCENE_MAX and SCENE_CHARS.issuperset(sale_id) else None


class SaleCodes:
    """`page` shows a sale: by `scene` when a code was scanned, by `sale` in the query when a link was opened."""

    def __init__(
        self, pool: Pool, api: MiniProgramApi, *, page: str, link_days: int, now_ms: Callable[[], int]
    ) -> None:
        self._pool = pool
        self._api = api
        self._page = page
        self._link_days = link_days
        self._now_ms = now_ms

    async def image(self, sale_id: str, scene: str) -> bytes | Refused:
        """The QR code of a sale: PNG or JPEG."""
        made_for = f"code {self._api.env_version} {self._page} {scene}"
        kept = await self._read(made_for)
        if kept is not None:
            return bytes(kept["image"])
        image = await self._api.code_image(scene=scene, page=self._page)
        if not isinstance(image, Refused):
            await self._keep(made_for, sale_id, image=image)
        return image

    async def link(self, sale_id: str) -> Link | Refused:
        """A link to a sale, good for at least a day."""
        made_for = f"link {self._api.env_version} {self._page} {sale_id} {self._link_days}"
        kept = await self._read(made_for)
        if kept is not None:
            return Link(kept["url"], kept["expires_ms"])
        expires_ms = self._now_ms() + self._link_days * DAY_MS
        url = await self._api.url_link(page=self._page, query=urlencode({"sale": sale_id}), days=self._link_days)
        if isinstance(url, Refused):
            return url
        await self._keep(made_for, sale_id, url=url, expires_ms=expires_ms)
        return Link(url, expires_ms)

    async def _read(self, made_for: str) -> asyncpg.Record | None:
        async with connection(self._pool) as conn:
            return await conn.fetchrow(QUERIES.read_code, made_for)

    async def _keep(
        self,
        made_for: str,
        sale_id: str,
        *,
        image: bytes | None = None,
        url: str | None = None,
        expires_ms: int | None = None,
    ) -> None:
        async with connection(self._pool) as conn:
            await conn.execute(QUERIES.keep_code, made_for, sale_id, image, url, expires_ms)
