"""The truth about money: every order, refund and undelivered notice, in memory and in one journal file.

A change is one line of `journal.jsonl`, written to the file before it is applied and before anybody is
told, so a `kill -9` loses nothing that was answered. (The line reaches the operating system, not the
platter: a power cut may lose the tail.) A line holds whole records, the newest wins, and a last line cut
short by a crash is dropped at start. The ledger decides nothing: it keeps what the pure machines decided.
Only one process may hold a journal.
"""

import fcntl
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from engine.simulator.notices import Notice
from engine.simulator.orders import Order, TradeState, age
from engine.simulator.refunds import Refund, RefundStatus

Key = tuple[str, str]  # mchid and the merchant's own number


@dataclass(frozen=True, slots=True)
class Paper:
    """What else must outlive a crash (shipping, invoices, accepted messages): a JSON object under a kind and a key.

    None as `document` takes the paper away.
    """

    kind: str
    key: str
    document: dict[str, Any] | None


class LedgerError(Exception):
    """The journal is damaged before its last line, or another process holds it."""


class Ledger:
    """Opens the journal, replays it, and keeps the indexes a gateway needs."""

    def __init__(self, file: Path) -> None:
        self._forget()
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._size = self._replay(file)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise LedgerError(f"{file}: another simulator is using this home") from error
        except LedgerError:
            os.close(self._descriptor)
            raise

    def close(self) -> None:
        os.close(self._descriptor)

    def clear(self) -> None:
        """Forget everything, also in the file."""
        os.ftruncate(self._descriptor, 0)
        self._size = 0
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
        line = orjson.dumps(change, option=orjson.OPT_APPEND_NEWLINE)
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError("the journal took only a part of a line")
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(line)
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
            self._orders[key] = order
            self._by_prepay[order.prepay_id] = key
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

    def _replay(self, file: Path) -> int:
        """Apply every whole line, cut off a torn last one, and return the size that remains."""
        size = 0
        with file.open("rb") as journal:
            for number, line in enumerate(journal, 1):
                if not line.endswith(b"\n"):
                    os.ftruncate(self._descriptor, size)
                    break
                try:
                    self._apply(*_records(orjson.loads(line)))
                except (ValueError, TypeError, KeyError, AttributeError) as error:
                    raise LedgerError(f"{file}, line {number}: {error}") from error
                size += len(line)
        return size


def _records(change: Any) -> tuple[Order | None, Refund | None, Notice | None, str | None, Paper | None]:
    order = change.get("order")
    refund = change.get("refund")
    notice = change.get("notice")
    paper = change.get("paper")
    return (
        None if order is None else Order(**order | {"state": TradeState(order["state"])}),
        None if refund is None else Refund(**refund | {"status": RefundStatus(refund["status"])}),
        None if notice is None else Notice(**notice),
        change.get("delivered"),
        None if paper is None else Paper(**paper),
    )
