"""A web worker: the public routes, and the jobs that keep its view fresh."""

import asyncio
import os
import secrets
import time
from contextlib import AsyncExitStack

import structlog

from engine.app.admin import build_admin
from engine.app.drawing import build_draws, draw_routes, seal_job
from engine.app.fapiao import build_fapiao
from engine.app.house import (
    House,
    build_house,
    build_settler,
    open_login_session,
    open_provider,
    seal_keys,
)
from engine.app.miniprogram import miniprogram_routes
from engine.app.process import (
    CATALOG_EVERY_S,
    REBUILD_EVERY_S,
    build_description,
    limits_of,
    until_told_to_stop,
)
from engine.app.refunding import build_refunder, refund_routes
from engine.app.waiting import build_streams, line_routes, open_line
from engine.catalog.board import LiveSale
from engine.catalog.handlers import CatalogDesk
from engine.config import Config
from engine.infra.clock import wall_s
from engine.infra.jobs import Job, run_all
from engine.line.pacing.health import Pulse
from engine.line.pacing.ticker import LagProbe
from engine.miniprogram.login import Login, LoginRefused
from engine.orders.desk import Desk
from engine.orders.desks import Desks
from engine.orders.handlers import OrderRoutes
from engine.orders.placing import Placer
from engine.orders.reading import OrderReader
from engine.payments.fapiao.handlers import FapiaoRoutes
from engine.payments.handlers import PaymentRoutes
from engine.payments.starting import Starter
from engine.stock.desk import StockDesk
from engine.web.buyers import Buyers
from engine.web.listening import listen
from engine.web.login import LoginDesk
from engine.web.routes import RouteTable
from engine.web.server import Listener

log = structlog.get_logger(__name__)

NONCE_BYTES = 12
LAG_EVERY_S = 0.2


def _open_desk(house: House, live: LiveSale, pulse: Pulse) -> Desk:
    config = house.config
    stock = StockDesk(live, house.stock)
    placer = Placer(
        stock,
        house.stock,
        house.book,
        reserve_count_max=config.stock.batch_count_max,
        commit_count_max=config.orders.commit_count_max,
        queue_count_max=config.stock.queue_count_max,
        committed=lambda took_s: pulse.commits.add(took_s, time.monotonic()),
    )
    return Desk(live, stock, open_line(house, live, pulse), placer)


async def work(config: Config, index: int) -> None:
    async with AsyncExitStack() as stack:
        house = await build_house(config, stack, f"floodgate-web-{index}")
        provider, session = await open_provider(config, stack, house.store)
        keys = seal_keys(config)
        buyers = Buyers(house.pool, keys, house.privacy)
        draws = build_draws(house)
        pulse, streams = Pulse(), build_streams(config)
        desks = Desks(
            house.board,
            lambda live: _open_desk(house, live, pulse),
            publish=lambda sale_id, document: streams.publish(sale_id, document, time.monotonic()),
        )
        login = Login.from_config(config.wechat, await open_login_session(stack))

        async def openid_of(code: str) -> str | None:
            found = await login.openid_of(code)
            return None if isinstance(found, LoginRefused) else found

        wechat = config.wechat
        starter = Starter(
            house.ledger,
            provider,
            house.privacy,
            description=wechat.description,
            began=lambda waited_s: pulse.paid(time.monotonic(), waited_s),
        )
        refunder = build_refunder(house, provider)
        body_bytes_max, body_timeout_s = config.web.body_bytes_max, config.web.body_timeout_s
        fapiao = build_fapiao(house, provider).desk
        table = RouteTable(
            [
                *OrderRoutes(
                    desks,
                    house.book,
                    house.stock,
                    buyers,
                    keys,
                    now_s=wall_s,
                    body_bytes_max=body_bytes_max,
                    body_timeout_s=body_timeout_s,
                ).routes(),
                *line_routes(house, desks, buyers, keys, streams),
                *PaymentRoutes(
                    starter,
                    build_settler(house, provider),
                    refunder,
                    house.book,
                    house.ledger,
                    provider,
                    buyers,
                    now_s=wall_s,
                    body_timeout_s=body_timeout_s,
                    readers={"FAPIAO.": fapiao.noticed},
                    turned_away=lambda: pulse.paid(time.monotonic(), None),
                ).routes(),
                *refund_routes(house, buyers, config),
                *FapiaoRoutes(fapiao, OrderReader(house.book), buyers, now_s=wall_s).routes(),
                *miniprogram_routes(house, session, buyers),
                *draw_routes(house, draws, buyers, keys),
                *CatalogDesk(house.board).routes(),
                *build_description().routes(),
                *LoginDesk(
                    buyers,
                    openid_of,
                    now_s=wall_s,
                    nonce=lambda: secrets.token_bytes(NONCE_BYTES),
                    seal_s=config.seals.buyer_seal_s,
                    body_bytes_max=body_bytes_max,
                    body_timeout_s=body_timeout_s,
                ).routes(),
            ]
        )
        public = Listener(table, limits_of(config), listen(config.web.host, config.web.port, shared=True))
        admin = build_admin(house, provider, session, fapiao, public=[public])
        await admin.start()
        await public.start()
        log.info("worker_started", index=index, pid=os.getpid(), port=config.web.port)
        jobs = asyncio.create_task(
            run_all(
                [
                    Job("follower", house.follower.run_once, CATALOG_EVERY_S),
                    Job("desks", desks.run_once, config.stock.snapshot_every_ms / 1000),
                    Job("rebuilder", house.rebuilder.run_once, REBUILD_EVERY_S),
                    seal_job(house, draws, session),
                    Job("lag", LagProbe(pulse).run_once, LAG_EVERY_S),
                    Job("keys", provider.refresh_keys, config.wechat.certificates_every_s),
                ]
            )
        )
        await until_told_to_stop()
        log.info("worker_drains", index=index)
        await public.drain(notice_s=config.web.drain_notice_s, timeout_s=config.web.drain_timeout_s)
        jobs.cancel()
        await admin.drain(notice_s=0, timeout_s=1)
        log.info("worker_stopped", index=index)
