"""What reconciliation asks the ledger: our payments and refunds by number and by day, and which days are done.

One method per SQL block, of the same name. Raises PostgresAway.
"""

from collections.abc import AsyncIterator, Iterable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from engine.infra.postgres import connection, load_queries
from engine.payments.bills.days import ONE_DAY, starts_at
from engine.payments.bills.matching import Ledger
from engine.payments.bills.outcome import DayResult
from engine.payments.bills.records import BilledPayment, BilledRow, OurPayment, OurRefund

if TYPE_CHECKING:
    import asyncpg

    from engine.infra.postgres import Pool

QUERIES = Path(__file__).with_name("queries.sql")
PAGE_COUNT = 1000

Ours = TypeVar("Ours", OurPayment, OurRefund)


class BillStore:
    """Reads orders, payments and refunds; writes nothing but `bill_days`."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._sql = load_queries(QUERIES)

    async def find(self, rows: Iterable[BilledRow]) -> Ledger:
        """What the ledger knows about these rows."""
        transaction_ids, refund_nos, order_nos = set(), set(), set()
        for row in rows:
            order_nos.add(row.order_no)
            if isinstance(row, BilledPayment):
                transaction_ids.add(row.transaction_id)
            else:
                refund_nos.add(row.out_refund_no)
        payments = await self._fetch(self._sql.find_payments, list(transaction_ids))
        refunds = await self._fetch(self._sql.find_refunds, list(refund_nos))
        known = {row["order_no"] for row in payments} | {row["order_no"] for row in refunds}
        unknown = order_nos - known
        orders = await self._fetch(self._sql.find_orders, list(unknown)) if unknown else []
        return Ledger(
            payments={row["transaction_id"]: OurPayment(**dict(row)) for row in payments},
            refunds={row["out_refund_no"]: OurRefund(**dict(row)) for row in refunds},
            orders={row["order_no"]: row["state"] for row in orders},
        )

    async def list_payments(self, mchid: str, day: date) -> AsyncIterator[list[OurPayment]]:
        """Our payments of a day, in pages."""
        last: tuple[datetime, str] = (starts_at(day), "")
        async for rows in self._pages(self._sql.list_payments, mchid, day, last, "transaction_id"):
            yield [OurPayment(**dict(row)) for row in rows]

    async def list_refunds(self, mchid: str, day: date) -> AsyncIterator[list[OurRefund]]:
        """Our refunds sent on a day, in pages."""
        last: tuple[datetime, str] = (starts_at(day), "")
        async for rows in self._pages(self._sql.list_refunds, mchid, day, last, "out_refund_no"):
            yield [OurRefund(**dict(row)) for row in rows]

    async def first_payment(self, mchid: str) -> datetime | None:
        """When this merchant account first got money from us."""
        [row] = await self._fetch(self._sql.first_payment, mchid)
        moment: datetime | None = row["moment"]
        return moment

    async def read_days(self, mchid: str, since: date) -> set[date]:
        """The days from `since` on that nothing is to be done about now."""
        return {row["day"] for row in await self._fetch(self._sql.read_days, mchid, since)}

    async def count_open_days(self) -> int:
        [row] = await self._fetch(self._sql.count_open_days)
        days: int = row["days"]
        return days

    async def lease_day(self, mchid: str, day: date, lease_s: float) -> bool:
        """Whether this process may work on the day now."""
        return bool(await self._fetch(self._sql.lease_day, mchid, day, lease_s))

    async def put_off_day(self, mchid: str, day: date, *, wait_s: float, reason: str) -> None:
        """Not now: the day comes again after this time."""
        await self._fetch(self._sql.put_off_day, mchid, day, wait_s, reason)

    async def finish_day(self, result: DayResult, *, waits_until: datetime) -> None:
        """Write down what was found. A day that waits for its neighbour's bill comes again at `waits_until`."""
        await self._fetch(
            self._sql.finish_day,
            result.mchid,
            result.day,
            "waiting" if result.waiting else "done",
            waits_until,
            result.payments.count,
            result.payments.fen,
            result.refunds.count,
            result.refunds.fen,
            result.fee_millifen,
            result.foreign.count,
            len(result.differences),
            result.repaired,
            result.waiting,
        )

    async def _pages(
        self, sql: str, mchid: str, day: date, last: tuple[datetime, str], number: str
    ) -> "AsyncIterator[list[asyncpg.Record]]":
        from_, to = starts_at(day), starts_at(day + ONE_DAY)
        while rows := await self._fetch(sql, mchid, from_, to, *last, PAGE_COUNT):
            yield rows
            last = (rows[-1]["moment"], rows[-1][number])

    async def _fetch(self, sql: str, *args: Any) -> "list[asyncpg.Record]":
        async with connection(self._pool) as conn:
            return await conn.fetch(sql, *args)
