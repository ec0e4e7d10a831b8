"""Making the file of a bill from a snapshot of the ledger; runs in a thread while calls go on. Pure."""

import gzip
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from engine.simulator.bills import fund_flow, mismatches, trade
from engine.simulator.bills import lines as bill_lines
from engine.simulator.bills.mismatches import Kind, Mismatch
from engine.simulator.bills.trade import BillType
from engine.simulator.luck.faults import Faults
from engine.simulator.pay.orders import Order
from engine.simulator.pay.refunds import Refund


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a bill is made from, safe to read in a thread while the ledger goes on. It holds every merchant's."""

    mchid: str
    orders: list[Order]
    refunds: list[Refund]
    lies: list[Mismatch]
    day: date
    luck: Faults
    cut_ms: int

    def own(self) -> tuple[list[Order], Mapping[str, list[Refund]], list[Mismatch]]:
        """One merchant's paid orders (also invented ones), refunds by out_trade_no, and mismatches."""
        orders = [order for order in self.orders if order.mchid == self.mchid and order.paid_ms is not None]
        lies = [lie for lie in self.lies if lie.mchid == self.mchid]
        orders += [mismatches.stranger(lie) for lie in lies if lie.kind is Kind.MISSING_HERE]
        refunds_of: dict[str, list[Refund]] = {}
        for refund in self.refunds:
            if refund.mchid == self.mchid:
                refunds_of.setdefault(refund.out_trade_no, []).append(refund)
        return orders, refunds_of, lies


def make(seen: Snapshot, write: Callable[[Snapshot], Iterable[str]], *, gzipped: bool) -> tuple[bytes, str] | None:
    """The file to download and its hash, or None for a day without rows. Runs in a thread."""
    lines = list(write(seen))
    if not lines:
        return None
    end = "\r\n" if seen.luck.bill_crlf else "\n"
    plain = (("\ufeff" if seen.luck.bill_bom else "") + end.join(lines) + end).encode()
    content = gzip.compress(plain, compresslevel=6, mtime=0) if gzipped else plain
    hashed = content if seen.luck.bill_hash_of == "gzip" else plain
    return content, hashlib.sha1(hashed, usedforsecurity=False).hexdigest()


def trade_lines(seen: Snapshot, bill_type: BillType) -> Iterator[str]:
    rate_bp = seen.luck.bill_fee_bp
    orders, refunds_of, lies = seen.own()
    rows = trade.entries(orders, refunds_of, bill_type, day=seen.day, cut_ms=seen.cut_ms, rate_bp=rate_bp)
    rows = mismatches.falsify(rows, lies, rate_bp=rate_bp)
    return bill_lines.lines(rows, bill_type, rate_bp=rate_bp) if rows else iter(())


def fund_flow_lines(seen: Snapshot) -> Iterator[str]:
    orders, refunds_of, lies = seen.own()
    rows = fund_flow.movements(orders, refunds_of, day=seen.day, rate_bp=seen.luck.bill_fee_bp)
    if rows and lies:
        before_fen = rows[0].balance_fen - rows[0].signed_fen
        rows = fund_flow.balanced(mismatches.falsify_movements(rows, lies), before_fen=before_fen)
    return fund_flow.lines(rows) if rows else iter(())


def no_lines(_: Snapshot) -> Iterator[str]:
    return iter(())
