"""The truth about money: every order, refund and undelivered notice, in memory and in one journal file.

A change is one line of the journal, written before it is applied and before anybody is told. A line holds
whole records and the newest wins; when more than half of the lines are superseded, the next start rewrites the
file. What an order takes in memory is bounded: about 1 kB, whatever happens to it. The ledger decides nothing:
it keeps what the pure machines decided.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.simulator.office.journal import Journal
from engine.simulator.pay.notices import Notice
from engine.simulator.pay.orders import Order, TradeState, age
from engine.simulator.pay.refunds import Refund, RefundStatus

SUPERSEDED_LEAST = 1000  # A smaller journal is not worth rewriting.

Key = tuple[str, str]  # mchid and the merchant's own number


@dataclass(frozen=True, slots=True)
class Paper:
    """What else must outlive a crash (shipping, invoices, accepted messages): a JSON object under a kind and a key.

    None as `document` takes the paper away.
    """

    kind: str
    key: str
    document: dict[str, Any] | None


class Ledger:
    """Opens the journal, replays it, and keeps the indexes a gateway needs."""

    def __init__(self, file: Path) -> None:
        self._forget()
        self._journal = Journal(file)
        try:
            self._replay()
        except BaseException:
            self._journal.close()
            raise
        if self._journal.lines > SUPERSEDED_LEAST + 2 * self._kept_count():
            self._journal.rewrite(self._kept())

    def close(self) -> None:
        self._journal.close()

    def clear(self) -> None:
        """Forget everything, also in the file."""
        self._journal.clear()
        self._forget()

    def record(
        self,
        *,
        order: Order | None = None,
        refund: Refund | None = None,
        notice: Notice | None = None,
        delivered: str | None = None,
        paper: Paper | None = None,
    ) -> None:
        """Write one change, all of it or nothing, then apply it. `delivered` ends the notice of that id.

        Raises OSError when the file cannot take the line; then nothing has changed.
        """
        change: dict[str, object] = {}
        if order is not None:
            change["order"] = order
        if refund is not None:
            change["refund"] = refund
        if notice is not None:
            change["notice"] = notice
        if delivered is not None:
            change["delivered"] = delivered
        if paper is not None:
            change["paper"] = paper
        self._journal.append(change)
        self._apply(order, refund, notice, delivered, paper)

    def order(self, mchid: str, out_trade_no: str, *, now_ms: int) -> Order | None:
        """The order as it stands now (a 7-day-old unpaid one has closed by itself)."""
        found = self._orders.get((mchid, out_trade_no))
        return None if found is None else age(found, now_ms=now_ms)

    def order_of_prepay(self, prepay_id: str, *, now_ms: int) -> Order | None:
        key = self._by_prepay.get(prepay_id)
        return None if key is None else self.order(*key, now_ms=now_ms)

    def order_of_transaction(self, mchid: str, transaction_id: str) -> Order | None:
        key = self._by_transaction.get(transaction_id)
        return None if key is None or key[0] != mchid else self._orders[key]

    def orders(self) -> Iterable[Order]:
        return self._orders.values()

    def refund(self, mchid: str, out_refund_no: str) -> Refund | None:
        return self._refunds.get((mchid, out_refund_no))

    def refunds(self) -> Iterable[Refund]:
        return self._refunds.values()

    def refunds_of(self, order: Order) -> list[Refund]:
        """All refunds of one order, the oldest first."""
        return [self._refunds[key] for key in self._refunds_of.get((order.mchid, order.out_trade_no), ())]

    def pending(self) -> list[Notice]:
        """Notices that nobody has acknowledged and that WeChat has not given up."""
        return list(self._pending.values())

    def papers(self, kind: str) -> Mapping[str, dict[str, Any]]:
        """All papers of a kind by their key, the oldest first. Documents are read, never changed in place."""
        return self._papers.get(kind, {})

    def _forget(self) -> None:
        self._orders: dict[Key, Order] = {}
        self._by_prepay: dict[str, Key] = {}
        self._by_transaction: dict[str, Key] = {}
        self._refunds: dict[Key, Refund] = {}
        self._refunds_of: dict[Key, list[Key]] = {}
        self._pending: dict[str, Notice] = {}
        self._papers: dict[str, dict[str, dict[str, Any]]] = {}

    def _apply(
        self,
        order: Order | None,
        refund: Refund | None,
        notice: Notice | None,
        delivered: str | None,
        paper: Paper | None,
    ) -> None:
        if order is not None:
            key = (order.mchid, order.out_trade_no)
            former = self._orders.get(key)
            if former is not None and former.prepay_id != order.prepay_id:
                for prepay_id in former.prepay_ids:
                    self._by_prepay.pop(prepay_id, None)
            self._orders[key] = order
            for prepay_id in order.prepay_ids:
                self._by_prepay[prepay_id] = key
            if order.transaction_id is not None:
                self._by_transaction[order.transaction_id] = key
        if refund is not None:
            key = (refund.mchid, refund.out_refund_no)
            if key not in self._refunds:
                self._refunds_of.setdefault((refund.mchid, refund.out_trade_no), []).append(key)
            self._refunds[key] = refund
        if notice is not None:
            self._pending[notice.id] = notice
        if delivered is not None:
            self._pending.pop(delivered, None)
        if paper is not None and paper.document is None:
            self._papers.get(paper.kind, {}).pop(paper.key, None)
        elif paper is not None and paper.document is not None:
            self._papers.setdefault(paper.kind, {})[paper.key] = paper.document

    def _replay(self) -> None:
        for change in self._journal.replay():
            try:
                self._apply(*_records(change))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise self._journal.damaged(error) from error

    def _kept_count(self) -> int:
        papers = sum(map(len, self._papers.values()))
        return len(self._orders) + len(self._refunds) + len(self._pending) + papers

    def _kept(self) -> Iterator[object]:
        """Everything that is still true, one line each, in an order that gives it back."""
        for order in self._orders.values():
            yield {"order": order}
        for refund in self._refunds.values():
            yield {"refund": refund}
        for notice in self._pending.values():
            yield {"notice": notice}
        for kind, papers in self._papers.items():
            for key, document in papers.items():
                yield {"paper": Paper(kind, key, document)}


def _records(change: Any) -> tuple[Order | None, Refund | None, Notice | None, str | None, Paper | None]:
    order = change.get("order")
    refund = change.get("refund")
    notice = change.get("notice")
    paper = change.get("paper")
    return (
        None if order is None else _order(order),
        None if refund is None else Refund(**refund | {"status": RefundStatus(refund["status"])}),
        None if notice is None else Notice(**notice),
        change.get("delivered"),
        None if paper is None else Paper(**paper),
    )


def _order(written: Any) -> Order:
    older = tuple(tuple(prepay) for prepay in written.get("older_prepays", ()))
    return Order(**written | {"state": TradeState(written["state"]), "older_prepays": older})
