"""The mini program's services, wired: one client of api.weixin.qq.com for each process, and what uses it."""

import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import aiohttp

from engine.app.house import House
from engine.config import Config, MessageKind
from engine.infra.clock import wall_ms, wall_s
from engine.infra.jobs import Job
from engine.miniprogram.access_token import AccessTokens
from engine.miniprogram.client import MiniProgramApi
from engine.miniprogram.codes import SaleCodes
from engine.miniprogram.duties import Duties
from engine.miniprogram.handlers import MiniProgramRoutes
from engine.miniprogram.messenger import Messenger, Reminder
from engine.miniprogram.organizers import OrganizerRoutes
from engine.miniprogram.phones import Phones
from engine.miniprogram.shipper import Shipper
from engine.miniprogram.subscriptions import Subscriptions
from engine.miniprogram.wire import Wire
from engine.web.buyers import Buyers
from engine.web.operators import Operators
from engine.web.routes import Route

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

NONCE_BYTES = 12
CHINA = ZoneInfo("Asia/Shanghai")  # WeChat counts by China's days
TELL_EVERY_S = 1.0
REMIND_EVERY_S = 60.0
SHIP_EVERY_S = 2.0
WATCH_EVERY_S = 30.0
FORGET_EVERY_S = 3600.0
CATCH_UP_EVERY_S = 600.0


def fresh_nonce() -> bytes:
    return secrets.token_bytes(NONCE_BYTES)


def build_api(config: Config, pool: "Pool", session: aiohttp.ClientSession) -> MiniProgramApi:
    """The client. Its access token is shared by all processes."""
    wechat, settings = config.wechat, config.miniprogram
    wire = Wire(session=session, url=wechat.login_url, timeout_s=wechat.timeout_s)
    tokens = AccessTokens(
        pool,
        wire,
        appid=wechat.appid,
        app_secret=wechat.app_secret.get_secret_value(),
        nonce=fresh_nonce,
        clock_s=time.monotonic,
        today=lambda: datetime.now(CHINA).date(),
    )
    return MiniProgramApi(wire, tokens, state=settings.state, lang=settings.lang)


def miniprogram_routes(house: House, session: aiohttp.ClientSession, buyers: Buyers) -> list[Route]:
    """What buyers ask for."""
    settings = house.config.miniprogram
    return MiniProgramRoutes(
        Subscriptions(house.pool),
        Phones(house.pool, build_api(house.config, house.pool, session), house.privacy, fresh_nonce),
        buyers,
        templates=settings.templates,
        asks_phones=settings.phone,
        now_s=wall_s,
        body_bytes_max=house.config.web.body_bytes_max,
        body_timeout_s=house.config.web.body_timeout_s,
    ).routes()


def build_codes(config: Config, pool: "Pool", session: aiohttp.ClientSession) -> SaleCodes:
    """QR codes and links of sales."""
    settings = config.miniprogram
    return SaleCodes(
        pool,
        build_api(config, pool, session),
        page=settings.sale_page,
        link_days=settings.url_link_days,
        now_ms=wall_ms,
    )


def organizer_routes(house: House, session: aiohttp.ClientSession) -> list[Route]:
    """What organizers ask for."""
    operators = Operators(house.config.admin.key.get_secret_value())
    codes = build_codes(house.config, house.pool, session)
    return OrganizerRoutes(house.board, codes, Duties(house.pool), operators).routes()


def miniprogram_jobs(house: House, session: aiohttp.ClientSession) -> list[Job]:
    """The jobs that the settings ask for; none by default."""
    settings = house.config.miniprogram
    api, duties = build_api(house.config, house.pool, session), Duties(house.pool)
    jobs = []
    if settings.templates:
        messenger = Messenger(duties, api, house.privacy, settings.templates)
        jobs.append(Job("messenger", messenger.run_once, TELL_EVERY_S))
        jobs.append(Job("subscription_keys", Subscriptions(house.pool).forget, FORGET_EVERY_S))
    if MessageKind.REMINDER in settings.templates:
        reminder = Reminder(duties, before_h=settings.remind_before_h)
        jobs.append(Job("reminder", reminder.run_once, REMIND_EVERY_S))
    if settings.shipping:
        shipper = Shipper(
            duties,
            api,
            house.privacy,
            item_desc=settings.item_desc,
            done_errcodes=settings.shipping_done_errcodes,
            alarm_h=settings.shipping_alarm_h,
            now=lambda: datetime.now(UTC),
        )
        jobs.append(Job("shipper", shipper.run_once, SHIP_EVERY_S))
        jobs.append(Job("shipping_backlog", shipper.catch_up, CATCH_UP_EVERY_S))
        jobs.append(Job("shipping_watch", shipper.watch, WATCH_EVERY_S))
    return jobs
