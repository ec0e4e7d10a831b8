"""`floodgate sale qr`: the QR code of a sale into a file."""

import asyncio
from pathlib import Path

import aiohttp

from engine.app.miniprogram import build_codes
from engine.catalog.store import load_sales
from engine.cli.terminal import Stop
from engine.config import Config
from engine.infra.postgres import connection, open_pool
from engine.miniprogram.codes import scene_of
from engine.miniprogram.errcodes import Refusal, Refused

WHAT_TO_DO = {
    Refusal.PAGE_INVALID: "WeChat does not know the page: publish it, or correct miniprogram.sale_page",
    Refusal.TOO_OFTEN: "WeChat makes no more codes in this minute: try again later",
    Refusal.QUOTA_SPENT: "WeChat makes no more codes today: try again tomorrow",
    Refusal.FORBIDDEN: "WeChat refuses the mini program itself: check wechat.appid and wechat.app_secret",
}


def write_code(config: Config, sale_id: str, out: Path) -> int:
    """Write the image and return its size in bytes. Raises Stop with what to do, or Outage."""
    scene = scene_of(sale_id)
    if scene is None:
        raise Stop(f"The id {sale_id!r} does not fit into a QR code: WeChat takes 32 characters.")
    image = asyncio.run(_image(config, sale_id, scene))
    if isinstance(image, Refused):
        reason = WHAT_TO_DO.get(image.refusal, "look the number up in WeChat's documents of getwxacodeunlimit")
        raise Stop(f"WeChat refused the code with {image.errcode}. {reason}.")
    try:
        out.write_bytes(image)
    except OSError as error:
        raise Stop(f"{out} cannot be written: {error.strerror}.") from None
    return len(image)


async def _image(config: Config, sale_id: str, scene: str) -> bytes | Refused:
    pool = await open_pool(
        config.postgres.url,
        connections_max=2,
        statement_timeout_s=config.postgres.statement_timeout_s,
        connect_timeout_s=config.postgres.connect_timeout_s,
        application="floodgate-cli",
    )
    async with pool, aiohttp.ClientSession() as session:
        async with connection(pool, wait_s=config.postgres.connect_timeout_s) as conn:
            known = {sale.sale_id for sale in await load_sales(conn)}
        if sale_id not in known:
            raise Stop(f"There is no sale {sale_id!r}. See them with: floodgate sale list")
        return await build_codes(config, pool, session).image(sale_id, scene)
