"""The parts that every process has: the stores, and the rooms that need nothing else."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import structlog

from engine.catalog.board import Board
from engine.config import Config
from engine.infra.outage import RedisAway
from engine.infra.postgres import open_pool
from engine.infra.redis import RedisStore, open_redis, refuse_eviction
from engine.infra.seals import SealKeys
from engine.line.line import Line
from engine.miniprogram.kinds import free_duty_kinds, paid_duty_kinds, refund_duty_kinds
from engine.orders.book import OrderBook
from engine.orders.rebuilder import Rebuilder
from engine.payments.cancelling.canceller import Canceller
from engine.payments.cancelling.handlers import CancelRoutes
from engine.payments.ledger import PaymentLedger
from engine.payments.port import PaymentProvider
from engine.payments.refunds.book import RefundBook
from engine.payments.refunds.queue import RefundQueue
from engine.payments.settling import Settler
from engine.payments.wechat.client import WeChatPay, from_config
from engine.stock.follower import Follower
from engine.stock.stock import Stock
from engine.web.buyers import Privacy
from engine.web.login import LOGINS_AT_ONCE_MAX
from engine.web.operators import Operators

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

log = structlog.get_logger(__name__)

REDIS_TRY_EVERY_S = 0.5
PROVIDER_CONNECTIONS_MAX = 128
# One group commit of orders and one of payments are in flight; a third connection bridges the loss of one.
COMMIT_CONNECTIONS_MAX = 3


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
    ledger: PaymentLedger
    refunds: RefundBook
    refund_queue: RefundQueue
    rebuilder: Rebuilder
    follower: Follower
    privacy: Privacy


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
    owed = config.miniprogram
    board, stock, line = Board(pool), Stock(store), Line(store, pool)
    book = OrderBook(pool, commits, free_duty_kinds=free_duty_kinds(owed))
    return House(
        config=config,
        pool=pool,
        store=store,
        board=board,
        stock=stock,
        line=line,
        book=book,
        ledger=PaymentLedger(pool, commits, duty_kinds=paid_duty_kinds(owed)),
        refunds=RefundBook(pool),
        refund_queue=RefundQueue(pool, duty_kinds=refund_duty_kinds(owed)),
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


def build_settler(house: House, provider: PaymentProvider) -> Settler:
    return Settler(
        house.board,
        house.stock,
        house.book,
        house.ledger,
        buyer_of=house.privacy.buyer_of,
        appid=provider.appid,
        mchids=provider.mchids,
        refund_strays=house.config.orders.refund_strays,
    )


def build_canceller(house: House) -> Canceller:
    return Canceller(house.pool, house.board, house.stock, house.book, house.refunds, monotonic_s=time.monotonic)


def build_cancelling(house: House) -> CancelRoutes:
    return CancelRoutes(
        house.pool,
        Operators(house.config.admin.key.get_secret_value()),
        carry=house.follower.run_once,
        body_timeout_s=house.config.web.body_timeout_s,
    )


async def open_login_session(stack: AsyncExitStack) -> aiohttp.ClientSession:
    """Connections that only logins use: a flood of them must not stand before the payments of those who are served."""
    connector = aiohttp.TCPConnector(limit=LOGINS_AT_ONCE_MAX, keepalive_timeout=5.0)
    return await stack.enter_async_context(aiohttp.ClientSession(connector=connector, auto_decompress=False))


async def open_provider(
    config: Config, stack: AsyncExitStack, store: RedisStore | None = None
) -> tuple[WeChatPay, aiohttp.ClientSession]:
    """WeChat Pay, and the session it speaks over. Processes that name the store share their quotas."""
    connector = aiohttp.TCPConnector(limit=PROVIDER_CONNECTIONS_MAX, keepalive_timeout=5.0)
    session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, auto_decompress=False))
    offers_fapiao = config.fapiao.enabled and config.fapiao.show_cell
    provider = from_config(config.wechat, session, store, offers_fapiao=offers_fapiao)
    stack.callback(provider.close_signer)
    return provider, session
