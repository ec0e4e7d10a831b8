"""The parts of the room of refunds, as the processes use them."""

import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from engine.app.house import House, open_provider
from engine.config import Config
from engine.infra.clock import wall_s
from engine.infra.jobs import Job
from engine.miniprogram.kinds import refund_duty_kinds
from engine.orders.reading import OrderReader
from engine.payments.port import PaymentProvider
from engine.payments.refunds.admin import RefundAdminRoutes
from engine.payments.refunds.book import RefundBook
from engine.payments.refunds.failed import RETRY_EVERY_S, FailedRefunds, Retrier
from engine.payments.refunds.handlers import RefundRoutes
from engine.payments.refunds.queue import Lane, RefundQueue
from engine.payments.refunds.reading import RefundReader
from engine.payments.refunds.refunder import Refunder
from engine.payments.refunds.telling import RefundTeller
from engine.payments.refunds.watching import RefundWatch
from engine.payments.refunds.wishes import Decided, RefundRefusal
from engine.web.buyers import Buyers
from engine.web.operators import Operators
from engine.web.routes import Route

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

REFUND_EVERY_S = 0.5
WATCH_EVERY_S = 10.0


def build_refunder(house: House, provider: PaymentProvider, lane: Lane = Lane.SINGLE) -> Refunder:
    return Refunder(house.refund_queue, provider, monotonic_s=time.monotonic, lane=lane)


def refund_jobs(house: House, provider: PaymentProvider, config: Config) -> list[Job]:
    """One refunder for each queue, and the retrier where the settings ask for it."""
    jobs = [
        Job("refunder", build_refunder(house, provider).run_once, REFUND_EVERY_S),
        Job("mass_refunder", build_refunder(house, provider, Lane.MASS).run_once, REFUND_EVERY_S),
        Job("refund_watch", RefundWatch(house.refund_queue).run_once, WATCH_EVERY_S),
    ]
    after_s = config.orders.retry_closed_refunds_s
    if after_s:
        failed = FailedRefunds(house.refunds, house.refund_queue, RefundReader(house.pool), provider)
        retrier = Retrier(failed, house.refund_queue, after_s=after_s)
        jobs.append(Job("retrier", retrier.run_once, RETRY_EVERY_S))
    return jobs


def refund_routes(house: House, buyers: Buyers, config: Config) -> list[Route]:
    return RefundRoutes(
        house.refunds,
        RefundReader(house.pool),
        RefundTeller(house.board, house.stock, house.book),
        OrderReader(house.book),
        buyers,
        now_s=wall_s,
        body_bytes_max=config.web.body_bytes_max,
        body_timeout_s=config.web.body_timeout_s,
    ).routes()


def refund_admin_routes(house: House, provider: PaymentProvider, config: Config) -> list[Route]:
    reader = RefundReader(house.pool)
    return RefundAdminRoutes(
        house.refunds,
        reader,
        FailedRefunds(house.refunds, house.refund_queue, reader, provider),
        RefundTeller(house.board, house.stock, house.book),
        house.book,
        Operators(config.admin.key.get_secret_value()),
        body_bytes_max=config.web.body_bytes_max,
        body_timeout_s=config.web.body_timeout_s,
    ).routes()


async def retry_refund(config: Config, pool: "Pool", out_refund_no: str) -> Decided | RefundRefusal:
    """A closed refund once more, by a command. WeChat is asked first. Raises Outage."""
    async with AsyncExitStack() as stack:
        provider, _ = await open_provider(config, stack)
        queue = RefundQueue(pool, duty_kinds=refund_duty_kinds(config.miniprogram))
        return await FailedRefunds(RefundBook(pool), queue, RefundReader(pool), provider).retry(out_refund_no)
