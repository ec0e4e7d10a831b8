"""The daily job: every day once, later when its bill is not there, one process at a time, and none forgotten."""

import asyncio
import os
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.payments.bills.daily import DailyReconciler
from engine.payments.bills.reconciler import Reconciler
from engine.payments.bills.report import BOM
from engine.payments.bills.source import BillType
from engine.payments.bills.store import BillStore
from tests.payments.bills.conftest import NOW, TODAY, BillDesk, Books, at, moment
from tests.payments.bills.writer import payment
from tests.payments.wechat.platform import MCHID
from tests.support.engine import Engine, Stores

ORDER = "0123456789abcdef0123456789abcdef"
YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture
def daily(reconciler: Reconciler, store: BillStore, folder: Path) -> DailyReconciler:
    return DailyReconciler(
        reconciler,
        store,
        None,
        mchids=[MCHID],
        after_time=time(0),
        directory=folder,
        clock=lambda: NOW,
    )


async def row_of(books: Books, day: object) -> dict[str, Any]:
    [row] = await books.sql("select * from bill_days where day = $1", day)
    return dict(row)


def asked(desk: BillDesk) -> list[Any]:
    """The days whose trade bill was asked for, in this order."""
    return [day for bill, day in desk.asked if bill is BillType.TRADE]


def text_of(path: Path) -> str:
    return path.read_bytes().decode()


async def test_yesterday_is_compared_once_and_never_again(desk: BillDesk, books: Books, daily: DailyReconciler) -> None:
    assert await daily.run_once()
    assert not await daily.run_once()
    assert desk.asked[BillType.TRADE, YESTERDAY] == 1
    assert (await row_of(books, YESTERDAY))["state"] == "done"


async def test_missed_days_since_the_first_payment_are_caught_up_with_the_newest_first(
    desk: BillDesk, books: Books, daily: DailyReconciler
) -> None:
    first = YESTERDAY - timedelta(days=2)
    await books.paid(ORDER, "42", moment(first))
    desk.has(first, [payment(ORDER, transaction_id="42", at=at(first))])
    while await daily.run_once():
        pass
    assert asked(desk) == [YESTERDAY, YESTERDAY - timedelta(days=1), first]


async def test_days_older_than_wechat_keeps_are_let_go(desk: BillDesk, books: Books, daily: DailyReconciler) -> None:
    old = TODAY - timedelta(days=90)
    await books.paid(ORDER, "42", moment(old))
    await books.sql(
        "insert into bill_days (mchid, day, state) select $1, $2::date + n, 'done' from generate_series(1, 88) n",
        MCHID,
        old,
    )
    assert await daily.run_once()
    assert not await daily.run_once()
    assert asked(desk) == [YESTERDAY]


async def test_a_day_whose_bill_is_not_there_is_put_off_and_comes_again(
    desk: BillDesk, books: Books, daily: DailyReconciler
) -> None:
    desk.not_ready.add(YESTERDAY)
    assert await daily.run_once()
    assert not await daily.run_once()
    waiting = await row_of(books, YESTERDAY)
    assert waiting["next_try_at"] - waiting["leased_until"] == timedelta(minutes=30)
    desk.not_ready.clear()
    await books.sql("update bill_days set next_try_at = now()")
    assert await daily.run_once()
    assert (await row_of(books, YESTERDAY))["state"] == "done"


async def test_a_bill_that_cannot_be_read_is_put_off_with_its_reason(
    desk: BillDesk, books: Books, daily: DailyReconciler
) -> None:
    desk.has(YESTERDAY, [payment(ORDER)], totals={"总交易单数": "7"})
    await daily.run_once()
    row = await row_of(books, YESTERDAY)
    assert row["state"] == "open"
    assert "总交易单数" in row["last_error"]


async def test_wechat_that_does_not_answer_puts_the_day_off(
    desk: BillDesk, books: Books, daily: DailyReconciler
) -> None:
    desk.refusals = [(500, "SYSTEM_ERROR")] * 10
    assert await daily.run_once()
    assert (await row_of(books, YESTERDAY))["state"] == "open"


async def test_two_jobs_never_work_on_one_day(desk: BillDesk, daily: DailyReconciler) -> None:
    assert sorted(await asyncio.gather(*(daily.run_once() for _ in range(4)))) == [False, False, False, True]
    assert desk.asked[BillType.TRADE, YESTERDAY] == 1


async def test_a_day_that_another_process_holds_is_left_to_it_until_its_lease_ends(
    desk: BillDesk, books: Books, store: BillStore, daily: DailyReconciler
) -> None:
    assert await store.lease_day(MCHID, YESTERDAY, 600.0)
    assert not await daily.run_once()
    await books.sql("update bill_days set leased_until = now()")
    assert await daily.run_once()


async def test_differences_are_written_for_a_spreadsheet_and_counted(
    desk: BillDesk, books: Books, daily: DailyReconciler, folder: Path
) -> None:
    desk.has(YESTERDAY, [payment(ORDER, at=at(YESTERDAY))])
    await daily.run_once()
    row = await row_of(books, YESTERDAY)
    assert (row["state"], row["differences"], row["payments"], row["payments_fen"]) == ("done", 1, 1, 68000)
    [name] = os.listdir(folder)
    written = text_of(folder / name)
    assert written.startswith(BOM + "day,merchant,subject,class,")
    assert f"`{ORDER}" in written


async def test_a_day_with_something_near_midnight_waits_for_the_bill_after_it(
    desk: BillDesk, books: Books, daily: DailyReconciler
) -> None:
    await books.paid(ORDER, "42", moment(YESTERDAY, "23:59:59"))
    await daily.run_once()
    row = await row_of(books, YESTERDAY)
    assert (row["state"], row["waiting"]) == ("waiting", 1)
    assert row["next_try_at"] == moment(TODAY + timedelta(days=1), "00:00:00")


async def test_the_jobs_process_looks_at_yesterday_by_itself(
    clean_redis_url: str, bills_url: str, books: Books, tmp_path: Path
) -> None:
    stores = Stores(redis_url=clean_redis_url, postgres_url=bills_url)
    engine = Engine(tmp_path, stores, settings={"BILLS_AFTER_TIME": "00:00"})
    engine.simulator.launch()
    engine.jobs.launch()
    try:
        until_s = asyncio.get_running_loop().time() + 30
        # Done, or put off: before ten in the morning the simulator has no bill either.
        while not await books.sql("select 1 from bill_days where state = 'done' or last_error is not null"):
            assert asyncio.get_running_loop().time() < until_s, "the jobs never asked for a bill"
            await asyncio.sleep(0.1)
    finally:
        engine.jobs.stop()
        engine.simulator.stop()
    [row] = await books.sql("select day, mchid from bill_days")
    assert row["mchid"] == engine.config.wechat.mchid
