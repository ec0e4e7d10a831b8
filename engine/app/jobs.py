"""The jobs: everything that moves without a buyer waiting for it."""

import asyncio
import os
from contextlib import AsyncExitStack

import structlog

from engine.app.admin import build_admin
from engine.app.bills import build_daily
from engine.app.drawing import build_draws, build_job, seal_job
from engine.app.fapiao import build_fapiao
from engine.app.house import build_canceller, build_house, build_settler, open_provider
from engine.app.miniprogram import miniprogram_jobs
from engine.app.process import (
    CATALOG_EVERY_S,
    REBUILD_EVERY_S,
    until_told_to_stop,
)
from engine.app.refunding import build_refunder, refund_jobs
from engine.config import Config
from engine.infra.jobs import Job, run_all
from engine.infra.statistics import ANALYSE_EVERY_S, Statistician
from engine.line.joining.archiver import ARCHIVE_EVERY_S, Archiver
from engine.orders.auditor import Auditor
from engine.orders.sweeper import Sweeper
from engine.payments.closer import Closer
from engine.payments.inbox import Inbox

log = structlog.get_logger(__name__)

CHECK_EVERY_S = 0.5
FORGET_EVERY_S = 600.0
REQUEST_GRACE_S = 3.0  # what a request that has to end may take to do so, and its last bytes to arrive
RECONCILE_EVERY_S = 60.0


async def work(config: Config) -> None:
    async with AsyncExitStack() as stack:
        house = await build_house(config, stack, "floodgate-jobs")
        provider, session = await open_provider(config, stack, house.store)
        settler = build_settler(house, provider)
        sweeper = Sweeper(house.board, house.stock, house.book, grace_ms=int(config.orders.release_grace_s * 1000))
        closer = Closer(
            house.board,
            house.stock,
            house.book,
            house.ledger,
            provider,
            settler,
            unknown_after_s=config.web.request_timeout_s + REQUEST_GRACE_S,
        )
        refunder = build_refunder(house, provider)
        inbox = Inbox(house.ledger, provider, settler, refunder)
        fapiao = build_fapiao(house, provider)
        canceller = build_canceller(house)
        archiver = Archiver(house.line.join_scripts, house.line.join_ledger)
        auditor = Auditor(house.board, house.stock, house.book, house.rebuilder)
        draws = build_draws(house)
        admin = build_admin(house, provider, session, fapiao.desk, public=[])
        await admin.start()
        log.info("jobs_started", pid=os.getpid())
        daily = build_daily(house, provider, settler)
        jobs = asyncio.create_task(
            run_all(
                [
                    Job("follower", house.follower.run_once, CATALOG_EVERY_S),
                    Job("rebuilder", house.rebuilder.run_once, REBUILD_EVERY_S),
                    seal_job(house, draws, session),
                    build_job(house, draws),
                    Job("keys", provider.refresh_keys, config.wechat.certificates_every_s),
                    Job("sweeper", sweeper.run_once, config.orders.sweep_every_s),
                    Job("closer", closer.run_once, CHECK_EVERY_S),
                    Job("inbox", inbox.run_once, CHECK_EVERY_S),
                    *refund_jobs(house, provider, config),
                    Job("canceller", canceller.run_once, CATALOG_EVERY_S),
                    Job("invoicer", fapiao.invoicer.run_once, config.fapiao.check_every_s),
                    Job("forgetter", fapiao.forgetter.run_once, FORGET_EVERY_S),
                    *miniprogram_jobs(house, session),
                    Job("archiver", archiver.run_once, ARCHIVE_EVERY_S),
                    Job("statistician", Statistician(house.pool).run_once, ANALYSE_EVERY_S),
                    Job("auditor", auditor.run_once, config.orders.audit_every_s),
                    *([Job("reconciler", daily.run_once, RECONCILE_EVERY_S)] if config.bills.enabled else []),
                ]
            )
        )
        await until_told_to_stop()
        jobs.cancel()
        await admin.drain(notice_s=0, timeout_s=1)
        log.info("jobs_stopped")
