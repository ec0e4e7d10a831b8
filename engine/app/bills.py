"""Reconciliation, wired: for the daily job, and for one day on demand."""

import time
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime

from engine.app.house import House, build_house, build_settler, open_provider
from engine.config import Config
from engine.infra.outage import ProviderAway
from engine.infra.postgres import open_pool
from engine.payments.bills.daily import DailyReconciler
from engine.payments.bills.days import ONE_DAY, day_of, ready_at
from engine.payments.bills.format import BillUnreadable
from engine.payments.bills.outcome import DayResult, NotReconciled, Outcome, Why
from engine.payments.bills.reconciler import Reconciler
from engine.payments.bills.repairer import Repairer
from engine.payments.bills.store import BillStore
from engine.payments.settling import Settler
from engine.payments.wechat.bills import WechatBills
from engine.payments.wechat.client import WeChatPay

CONNECTIONS_MAX = 2


def clock() -> datetime:
    return datetime.now(UTC)


def build_reconciler(config: Config, provider: WeChatPay, store: BillStore) -> Reconciler:
    bills = config.bills
    source = WechatBills(provider.gateway_of, bills.directory, hash_over=bills.hash_over, now_s=time.time)
    return Reconciler(source, store, appid=provider.appid, fund_flow=bills.fund_flow, clock=clock)


def build_daily(house: House, provider: WeChatPay, settler: Settler) -> DailyReconciler:
    bills, store = house.config.bills, BillStore(house.pool)
    return DailyReconciler(
        build_reconciler(house.config, provider, store),
        store,
        Repairer(provider, settler, strays=house.config.orders.refund_strays) if bills.repair else None,
        mchids=provider.mchids,
        after_time=bills.after,
        directory=bills.directory,
        clock=clock,
    )


async def reconcile(config: Config, day: date, *, repair: bool, strays: bool) -> list[Outcome]:
    """One day of every merchant, written down when the day is over. Raises Outage for the stores, and OSError."""
    outcomes: list[Outcome] = []
    async with AsyncExitStack() as stack:
        provider, _ = await open_provider(config, stack)
        repairer = await _repairer(config, stack, provider, strays=strays) if repair or strays else None
        pool = await open_pool(
            config.postgres.url,
            connections_max=CONNECTIONS_MAX,
            statement_timeout_s=config.postgres.statement_timeout_s,
            connect_timeout_s=config.postgres.connect_timeout_s,
            application="floodgate-reconcile",
        )
        stack.callback(pool.terminate)
        store = BillStore(pool)
        reconciler = build_reconciler(config, provider, store)
        for mchid in sorted(provider.mchids):
            outcome = await _attempt(reconciler, mchid, day)
            if isinstance(outcome, DayResult):
                if repairer is not None:
                    await repairer.repair(outcome)
                if day < day_of(clock()):
                    await store.finish_day(outcome, waits_until=ready_at(day + ONE_DAY, config.bills.after))
            outcomes.append(outcome)
    return outcomes


async def _attempt(reconciler: Reconciler, mchid: str, day: date) -> Outcome:
    """One merchant's trouble does not keep the others' results from whoever asked."""
    try:
        return await reconciler.reconcile(mchid, day)
    except ProviderAway as away:
        return NotReconciled(mchid, day, Why.AWAY, str(away))
    except BillUnreadable as unreadable:
        return NotReconciled(mchid, day, Why.UNREADABLE, f"the bill cannot be used: {unreadable}")


async def _repairer(config: Config, stack: AsyncExitStack, provider: WeChatPay, *, strays: bool) -> Repairer:
    orders = config.orders.model_copy(update={"refund_strays": strays})
    house = await build_house(config.model_copy(update={"orders": orders}), stack, "floodgate-reconcile", patient=False)
    await house.board.refresh()
    return Repairer(provider, build_settler(house, provider), strays=strays)
