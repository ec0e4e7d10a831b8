"""The only place that wires: settings become stores, rooms, routes and jobs. Everything else receives.

Three processes are built here from the same parts: a web worker, the jobs, and a single audit.
"""

import asyncio
import gc
import logging
import os
import secrets
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import aiohttp
import structlog
import uvloop

from engine.catalog.board import Board, LiveSale
from engine.catalog.handlers import CatalogDesk
from engine.config import Config
from engine.console.handlers import ConsoleRoutes
from engine.infra.clock import wall_s
from engine.infra.jobs import Job, run_all
from engine.infra.outage import Outage, RedisAway
from engine.infra.postgres import open_pool
from engine.infra.redis import RedisStore, open_redis, refuse_eviction
from engine.infra.seals import SealKeys
from engine.line.desk import LineDesk
from engine.line.handlers import LineRoutes
from engine.line.line import Line
from engine.orders.auditor import Auditor, AuditReport
from engine.orders.book import OrderBook
from engine.orders.desks import Desk, Desks
from engine.orders.handlers import OrderRoutes
from engine.orders.placing import Placer
from engine.orders.rebuilder import Rebuilder
from engine.orders.sweeper import Sweeper
from engine.payments.closer import Closer
from engine.payments.handlers import PaymentRoutes
from engine.payments.refunder import Refunder
from engine.payments.settling import Settler
from engine.payments.starting import Starter
from engine.payments.wechat.client import WeChatPay, from_config
from engine.payments.wechat.login import Login, LoginRefused
from engine.stock.desk import StockDesk
from engine.stock.follower import Follower
from engine.stock.stock import Stock
from engine.web.buyers import Buyers, Privacy
from engine.web.description import DescriptionDesk
from engine.web.listening import listen
from engine.web.login import LoginDesk
from engine.web.routes import RouteTable
from engine.web.server import Limits, Listener

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

log = structlog.get_logger(__name__)

CATALOG_EVERY_S = 1.0
REBUILD_EVERY_S = 0.2
CHECK_EVERY_S = 0.5
REDIS_TRY_EVERY_S = 0.5
PROVIDER_CONNECTIONS_MAX = 128
NONCE_BYTES = 12
# One group commit of orders and one of payments are in flight; a third connection bridges the loss of one.
COMMIT_CONNECTIONS_MAX = 3
# Signing threads must get the interpreter back from a busy loop: at the default of 5 ms one thread managed 330
# signatures a second beside it, at half a millisecond 1,530.
SWITCH_INTERVAL_S = 0.0005
# Requests leave few cycles behind, and a young collection looks at every request in flight: at the default of 700
# that took a fifth of a worker's time at the peak.
GC_THRESHOLDS = (50_000, 50, 100)


@dataclass(frozen=True, slots=True)
class House:
    """The parts that every process has."""

    config: Config
    pool: "Pool"
    store: RedisStore
    board: Board
    stock: Stock
    line: Line
    book: OrderBook
    rebuilder: Rebuilder
    follower: Follower
    privacy: Privacy


def write_logs(config: Config) -> None:
    """Structured logs on standard error; what the libraries log comes the same way."""
    level = getattr(logging, config.log.level.upper())
    console = config.log.format == "console"
    renderer = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=sys.stderr, level=max(level, logging.WARNING), format="%(name)s: %(message)s")


async def _redis(config: Config, *, patient: bool) -> RedisStore:
    """Redis, as soon as it answers; the impatient raise RedisAway. A server that may evict keys is refused for good."""
    while True:
        try:
            store = await open_redis(
                config.redis.url,
                connections_max=config.redis.connections_max,
                timeout_s=config.redis.timeout_s,
                connect_timeout_s=config.redis.connect_timeout_s,
            )
            refusal = refuse_eviction(await store.facts())
        except RedisAway as away:
            if not patient:
                raise
            log.warning("waiting_for_redis", reason=str(away))
            await asyncio.sleep(REDIS_TRY_EVERY_S)
            continue
        if refusal:
            raise SystemExit(refusal)
        return store


async def _pool(config: Config, application: str, *, connections_max: int) -> "Pool":
    return await open_pool(
        config.postgres.url,
        connections_max=connections_max,
        statement_timeout_s=config.postgres.statement_timeout_s,
        connect_timeout_s=config.postgres.connect_timeout_s,
        application=application,
    )


async def build_house(config: Config, stack: AsyncExitStack, application: str, *, patient: bool = True) -> House:
    """The common parts; the stack closes them. The patient wait for Redis, others raise RedisAway."""
    pool = await _pool(config, application, connections_max=config.postgres.connections_max)
    stack.callback(pool.terminate)
    commits = await _pool(config, f"{application}-commits", connections_max=COMMIT_CONNECTIONS_MAX)
    stack.callback(commits.terminate)
    store = await _redis(config, patient=patient)
    stack.push_async_callback(store.close)
    board, stock, line, book = Board(pool), Stock(store), Line(store, pool), OrderBook(pool, commits)
    return House(
        config=config,
        pool=pool,
        store=store,
        board=board,
        stock=stock,
        line=line,
        book=book,
        rebuilder=Rebuilder(board, stock, line, book),
        follower=Follower(board, stock),
        privacy=Privacy(
            config.privacy.digest_key.get_secret_value().encode(),
            bytes.fromhex(config.privacy.openid_key.get_secret_value()),
        ),
    )


def seal_keys(config: Config) -> SealKeys:
    """The keys of every seal."""
    keys = {key_id: secret.get_secret_value().encode() for key_id, secret in config.seals.keys.items()}
    return SealKeys(keys, config.seals.current)


def _settler(house: House) -> Settler:
    wechat = house.config.wechat
    return Settler(
        house.board,
        house.stock,
        house.book,
        buyer_of=house.privacy.buyer_of,
        appid=wechat.appid,
        mchid=wechat.mchid,
    )


async def _provider(config: Config, stack: AsyncExitStack) -> tuple[WeChatPay, aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=PROVIDER_CONNECTIONS_MAX, keepalive_timeout=5.0)
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, auto_decompress=False))
    provider = from_config(config.wechat, session)
    stack.callback(provider.close_signer)
    return provider, session


def _open_desk(house: House, live: LiveSale) -> Desk:
    config = house.config
    stock = StockDesk(
        live,
        house.stock,
        batch_count_max=config.stock.batch_count_max,
        queue_count_max=config.stock.queue_count_max,
    )
    line = LineDesk(
        live,
        house.line,
        block_count=config.line.block_count,
        burst_count=config.line.burst_count,
        batch_count_max=config.stock.batch_count_max,
        queue_count_max=config.stock.queue_count_max,
    )
    placer = Placer(
        stock,
        house.stock,
        house.book,
        commit_count_max=config.orders.commit_count_max,
        queue_count_max=config.stock.queue_count_max,
    )
    return Desk(live, stock, line, placer)


def _description() -> DescriptionDesk:
    return DescriptionDesk(files("engine.web").joinpath("openapi.json").read_bytes())


def _console(house: House, listener: "list[Listener]") -> ConsoleRoutes:
    async def why_not_ready() -> str | None:
        if any(one.draining for one in listener):
            return "draining"
        if not house.board.loaded:
            return "the catalog has not been read yet"
        try:
            await house.store.ping()
            await house.board.refresh()
        except Outage as outage:
            return str(outage)
        return None

    return ConsoleRoutes(
        house.board,
        house.stock,
        house.line,
        house.book,
        key=house.config.admin.key.get_secret_value(),
        why_not_ready=why_not_ready,
    )


def _limits(config: Config) -> Limits:
    web = config.web
    return Limits(
        body_bytes_max=max(web.body_bytes_max, 65_536),  # notifications may be longer than what buyers send
        head_timeout_s=web.head_timeout_s,
        body_timeout_s=web.body_timeout_s,
        request_timeout_s=web.request_timeout_s,
        concurrent_requests_max=web.concurrent_requests_max,
    )


async def _until_told_to_stop() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


async def _worker(config: Config, index: int) -> None:
    async with AsyncExitStack() as stack:
        house = await build_house(config, stack, f"floodgate-web-{index}")
        provider, session = await _provider(config, stack)
        keys = seal_keys(config)
        buyers = Buyers(house.pool, keys, house.privacy)
        desks = Desks(house.board, lambda live: _open_desk(house, live))
        login = Login.from_config(config.wechat, session)

        async def openid_of(code: str) -> str | None:
            found = await login.openid_of(code)
            return None if isinstance(found, LoginRefused) else found

        wechat = config.wechat
        starter = Starter(house.book, provider, house.privacy, mchid=wechat.mchid, description=wechat.description)
        refunder = Refunder(house.book, provider)
        body_bytes_max, body_timeout_s = config.web.body_bytes_max, config.web.body_timeout_s
        console = _console(house, listeners := [])
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
                *LineRoutes(
                    desks.line_of,
                    buyers,
                    keys,
                    now_s=wall_s,
                    pass_s=config.seals.pass_s,
                    body_bytes_max=body_bytes_max,
                    body_timeout_s=body_timeout_s,
                ).routes(),
                *PaymentRoutes(
                    starter,
                    _settler(house),
                    refunder,
                    house.book,
                    provider,
                    buyers,
                    now_s=wall_s,
                    body_timeout_s=body_timeout_s,
                ).routes(),
                *CatalogDesk(house.board).routes(),
                *_description().routes(),
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
        public = Listener(table, _limits(config), listen(config.web.host, config.web.port, shared=True))
        admin = Listener(
            RouteTable([*console.routes(), *_description().routes()]),
            _limits(config),
            listen(config.admin.host, config.admin.port, shared=False),
        )
        listeners.append(public)
        await admin.start()
        await public.start()
        log.info("worker_started", index=index, pid=os.getpid(), port=config.web.port)
        jobs = asyncio.create_task(
            run_all(
                [
                    Job("follower", house.follower.run_once, CATALOG_EVERY_S),
                    Job("desks", desks.run_once, config.stock.snapshot_every_ms / 1000),
                    Job("rebuilder", house.rebuilder.run_once, REBUILD_EVERY_S),
                ]
            )
        )
        await _until_told_to_stop()
        log.info("worker_drains", index=index)
        await public.drain(notice_s=config.web.drain_notice_s, timeout_s=config.web.drain_timeout_s)
        jobs.cancel()
        await admin.drain(notice_s=0, timeout_s=1)
        log.info("worker_stopped", index=index)


async def _jobs(config: Config) -> None:
    async with AsyncExitStack() as stack:
        house = await build_house(config, stack, "floodgate-jobs")
        provider, _ = await _provider(config, stack)
        settler = _settler(house)
        sweeper = Sweeper(house.board, house.stock, house.book, grace_ms=int(config.orders.release_grace_s * 1000))
        closer = Closer(house.board, house.stock, house.book, provider, settler)
        refunder = Refunder(house.book, provider)
        auditor = Auditor(house.board, house.stock, house.book, house.rebuilder)
        admin = Listener(
            RouteTable([*_console(house, []).routes(), *_description().routes()]),
            _limits(config),
            listen(config.admin.host, config.admin.port, shared=False),
        )
        await admin.start()
        log.info("jobs_started", pid=os.getpid())
        jobs = asyncio.create_task(
            run_all(
                [
                    Job("follower", house.follower.run_once, CATALOG_EVERY_S),
                    Job("rebuilder", house.rebuilder.run_once, REBUILD_EVERY_S),
                    Job("sweeper", sweeper.run_once, config.orders.sweep_every_s),
                    Job("closer", closer.run_once, CHECK_EVERY_S),
                    Job("refunder", refunder.run_once, CHECK_EVERY_S),
                    Job("auditor", auditor.run_once, config.orders.audit_every_s),
                ]
            )
        )
        await _until_told_to_stop()
        jobs.cancel()
        await admin.drain(notice_s=0, timeout_s=1)
        log.info("jobs_stopped")


async def _audit(config: Config) -> AuditReport:
    async with AsyncExitStack() as stack:
        house = await build_house(config, stack, "floodgate-audit", patient=False)
        await house.board.refresh()
        return await Auditor(house.board, house.stock, house.book, house.rebuilder).audit()


def _settle_in() -> None:
    """What the interpreter has to know about a process that lives long and answers quickly."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()  # modules and wiring live for ever: the collector need not look at them again
    gc.set_threshold(*GC_THRESHOLDS)


def run_worker(config: Config, *, index: int) -> None:
    """One web worker, until SIGTERM or SIGINT."""
    write_logs(config)
    _settle_in()
    uvloop.run(_worker(config, index))


def run_jobs(config: Config) -> None:
    """The jobs, until SIGTERM or SIGINT."""
    write_logs(config)
    _settle_in()
    uvloop.run(_jobs(config))


def run_audit(config: Config) -> AuditReport:
    """One whole audit. Raises Outage when a store does not answer."""
    write_logs(config)
    return uvloop.run(_audit(config))
