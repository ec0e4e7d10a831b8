"""The reconciler compares one merchant's day: trade bill with ledger, fund-flow bill with trade bill.

A bill is read twice, first for its hash and then for its rows, in pages that are looked up in the ledger while other
work goes on; what is kept of a row that agrees is its number. Whatever the day's bill lacks is looked for in the bills
of the days before and after it, before it is called a difference; near the end of a day whose next bill is not there
yet, it waits.

Nothing is decided here, and nothing of a bill is acted on before it was read to its end.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TypeVar

from engine.payments.bills.days import ONE_DAY, day_of
from engine.payments.bills.files import discard, read_lines
from engine.payments.bills.flow import Account, Flow, bill_more, move_more
from engine.payments.bills.format import BillUnreadable, read_fund_flow, read_trade_bill
from engine.payments.bills.matching import NEAR_MIDNIGHT, Matching, near_midnight, unbilled_payment, unbilled_refund
from engine.payments.bills.outcome import DayResult, FundsResult, NotReconciled, Why
from engine.payments.bills.records import BilledPayment, BilledRow, Difference, Kind, Movement, OurPayment, OurRefund
from engine.payments.bills.source import Absence, BillRefused, BillSource, BillType
from engine.payments.bills.store import BillStore

PAGE_COUNT = 500  # a few milliseconds of reading, then others have their turn
KINDS = list(Kind)

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A bill that is there; a day without rows has no file."""

    path: Path | None

    def lines(self) -> Iterator[str]:
        return iter(()) if self.path is None else read_lines(self.path)


class _Desk:
    """The bills of one merchant that this comparison has asked for, each once."""

    def __init__(self, source: BillSource, mchid: str) -> None:
        self._source = source
        self._mchid = mchid
        self._got: dict[tuple[BillType, date], _Fetched | NotReconciled] = {}

    async def get(self, bill: BillType, day: date) -> _Fetched | NotReconciled:
        got = self._got.get((bill, day))
        if got is None:
            got = self._got[bill, day] = self._judged(await self._source.fetch(self._mchid, bill, day), bill, day)
        return got

    def _judged(self, got: Path | Absence | BillRefused, bill: BillType, day: date) -> _Fetched | NotReconciled:
        if isinstance(got, BillRefused):
            reason = f"WeChat refuses the {bill} bill of {day}: {got.detail}"
            return NotReconciled(self._mchid, day, Why.REFUSED, reason)
        if got is Absence.NOT_READY:
            reason = f"WeChat has not made the {bill} bill of {day} yet"
            return NotReconciled(self._mchid, day, Why.NOT_READY, reason)
        return _Fetched(got if isinstance(got, Path) else None)

    def clear(self) -> None:
        """Bills name buyers: none stays."""
        for got in self._got.values():
            if isinstance(got, _Fetched) and got.path is not None:
                discard(got.path)


class Reconciler:
    """`clock` tells the time as an aware datetime; `margin` is how long before midnight the next bill may matter."""

    def __init__(
        self,
        source: BillSource,
        store: BillStore,
        *,
        appid: str,
        fund_flow: bool,
        clock: Callable[[], datetime],
        margin: timedelta = NEAR_MIDNIGHT,
    ) -> None:
        self._source = source
        self._store = store
        self._appid = appid
        self._fund_flow = fund_flow
        self._clock = clock
        self._margin = margin

    async def reconcile(self, mchid: str, day: date) -> DayResult | NotReconciled:
        """Compare the day. Raises Outage, BillUnreadable, and OSError when a bill cannot be kept while it is read."""
        desk = _Desk(self._source, mchid)
        try:
            return await self._reconcile(desk, mchid, day)
        finally:
            desk.clear()

    async def _reconcile(self, desk: _Desk, mchid: str, day: date) -> DayResult | NotReconciled:
        bill = await desk.get(BillType.TRADE, day)
        if isinstance(bill, NotReconciled):
            return bill
        matching, flow = Matching(self._appid, mchid), Flow(self._appid)
        async for page in _trade_pages(bill, mchid):
            own = matching.ours(page)
            if own:
                matching.compare(own, await self._store.find(own))
            flow.bill(page)
        result = DayResult(
            mchid=mchid,
            day=day,
            payments=matching.payments,
            refunds=matching.refunds,
            foreign=matching.foreign,
            fee_millifen=matching.fee_millifen,
            differences=matching.differences,
        )
        await self._look_for_ours(desk, matching, result)
        if self._fund_flow:
            missing = await self._follow_the_funds(desk, flow, result)
            if missing is not None:
                return missing
        result.differences.sort(key=lambda each: (each.subject, KINDS.index(each.kind), each.moment))
        return result

    async def _look_for_ours(self, desk: _Desk, matching: Matching, result: DayResult) -> None:
        """What the ledger has of this day and its bill lacks: in a neighbour's bill, waiting, or a difference."""
        payments: list[OurPayment] = []
        refunds: list[OurRefund] = []
        async for paid in self._store.list_payments(result.mchid, result.day):
            payments += matching.unseen_payments(paid)
        async for sent in self._store.list_refunds(result.mchid, result.day):
            refunds += matching.unseen_refunds(sent)
        if not payments and not refunds:
            return
        wanted = {each.transaction_id for each in payments} | {each.out_refund_no for each in refunds}
        found: set[str] = set()
        next_is_there = False
        for neighbour in (result.day - ONE_DAY, result.day + ONE_DAY):
            bill = await self._neighbour(desk, result, BillType.TRADE, neighbour)
            if bill is not None:
                next_is_there = neighbour > result.day
                async for page in _trade_pages(bill, result.mchid):
                    found |= wanted.intersection(_our_number(row) for row in page)
        result.elsewhere += len(found)
        missing = [unbilled_payment(each) for each in payments if each.transaction_id not in found]
        missing += [unbilled_refund(each) for each in refunds if each.out_refund_no not in found]
        self._report(missing, result, next_is_there=next_is_there)

    async def _follow_the_funds(self, desk: _Desk, flow: Flow, result: DayResult) -> NotReconciled | None:
        bill = await desk.get(BillType.FUND_FLOW, result.day)
        if isinstance(bill, NotReconciled):
            return bill
        async for page in _movement_pages(bill):
            flow.move(page)
        result.funds = FundsResult(flow.income, flow.outgo, flow.other, flow.billed_fen, flow.moved_fen)
        doubtful = flow.disagreeing()
        if not doubtful:
            return None
        next_is_there = False
        for neighbour in (result.day - ONE_DAY, result.day + ONE_DAY):
            there = await self._add_neighbour(desk, doubtful, result, neighbour)
            next_is_there = there and neighbour > result.day
        left = [account for account in doubtful.values() if not account.agrees]
        result.elsewhere += len(doubtful) - len(left)
        self._report([account.difference(result.mchid) for account in left], result, next_is_there=next_is_there)
        return None

    async def _add_neighbour(
        self, desk: _Desk, doubtful: dict[str, Account], result: DayResult, neighbour: date
    ) -> bool:
        """Add what the neighbour day says about these accounts; whether both its bills were there."""
        trade = await self._neighbour(desk, result, BillType.TRADE, neighbour)
        if trade is None:
            return False
        async for page in _trade_pages(trade, result.mchid):
            bill_more(doubtful, page)
        funds = await self._neighbour(desk, result, BillType.FUND_FLOW, neighbour)
        if funds is None:
            return False
        async for movements in _movement_pages(funds):
            move_more(doubtful, movements)
        return True

    def _report(self, missing: Iterable[Difference], result: DayResult, *, next_is_there: bool) -> None:
        for difference in missing:
            if near_midnight(difference.moment, result.day, self._margin) and not next_is_there:
                result.waiting += 1
            else:
                result.differences.append(difference)

    async def _neighbour(self, desk: _Desk, result: DayResult, kind: BillType, day: date) -> _Fetched | None:
        """A neighbour's bill, None when it cannot be had; `looked_at` remembers those that were there."""
        if day >= day_of(self._clock()):
            return None  # no bill of an unfinished day can say that something is missing
        got = await desk.get(kind, day)
        if isinstance(got, NotReconciled):
            return None
        result.looked_at.add(day)
        return got


async def _trade_pages(bill: _Fetched, mchid: str) -> AsyncIterator[list[BilledRow]]:
    async for page in _pages(read_trade_bill(bill.lines()) if bill.path else iter(())):
        for row in page:
            if row.mchid != mchid:
                raise BillUnreadable(f"the bill of the merchant {mchid} has a row of {row.mchid}")
        yield page


def _movement_pages(bill: _Fetched) -> AsyncIterator[list[Movement]]:
    return _pages(read_fund_flow(bill.lines()) if bill.path else iter(()))


async def _pages(items: Iterator[Item]) -> AsyncIterator[list[Item]]:
    while page := list(islice(items, PAGE_COUNT)):
        yield page
        await asyncio.sleep(0)


def _our_number(row: BilledRow) -> str:
    return row.transaction_id if isinstance(row, BilledPayment) else row.out_refund_no
