"""Bills to fetch: asking for one builds its file and answers with a hash and an address good for five minutes.

A bill of 100,000 orders takes a second of formatting and hashing, so it is built in a thread from a snapshot
of the ledger while calls go on. The files live in memory only and few at a time: a token that is lost, too
old or pushed out by newer ones is answered like an expired one, and the merchant asks again.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import orjson

from engine.simulator.bills import days, files, mismatches
from engine.simulator.bills import fund_flow as fundflow
from engine.simulator.bills.files import Snapshot
from engine.simulator.bills.trade import BillType
from engine.simulator.luck.faults import Faults
from engine.simulator.office.ledger import Ledger, Paper
from engine.simulator.pay.orders import DAY_MS
from engine.simulator.pay.refusals import (
    BILL_EMPTY,
    BILL_FOREIGN,
    BILL_TOKEN_EXPIRED,
    Refusal,
    parameter,
)
from engine.simulator.processes.authorization import Merchant
from engine.simulator.processes.calls import Answer, Outcome

TOKEN_MS = 5 * 60_000
FILES_MAX = 16  # A bill of 100,000 orders is some 30 MB plain; the simulator is no archive.
_PAPER = "mismatch"


@dataclass(frozen=True, slots=True)
class _File:
    mchid: str
    content: bytes
    gzipped: bool
    expires_ms: int


class Billing:
    """Answers /v3/bill/* and the download; keeps the mismatches of a drill with the ledger."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        faults: Callable[[], Faults],
        now_ms: Callable[[], int],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._ledger = ledger
        self._faults = faults
        self._now_ms = now_ms
        self._entropy = entropy
        self._files: dict[str, _File] = {}

    async def trade(self, merchant: Merchant, query: Mapping[str, str], *, base_url: str) -> Outcome:
        """GET /v3/bill/tradebill; `base_url` is the address the caller used, for download_url."""
        kind = query.get("bill_type", BillType.ALL)
        if kind not in list(BillType):
            return parameter("bill_type", kind, f"must be one of {', '.join(BillType)}", location="query")
        bill_type = BillType(kind)
        return await self._bill(merchant, query, lambda seen: files.trade_lines(seen, bill_type), base_url=base_url)

    async def fund_flow(self, merchant: Merchant, query: Mapping[str, str], *, base_url: str) -> Outcome:
        """GET /v3/bill/fundflowbill."""
        account = query.get("account_type", "BASIC")
        if account not in fundflow.ACCOUNTS:
            options = ", ".join(fundflow.ACCOUNTS)
            return parameter("account_type", account, f"must be one of {options}", location="query")
        make = files.fund_flow_lines if account == "BASIC" else files.no_lines
        return await self._bill(merchant, query, make, base_url=base_url)

    def download(self, merchant: Merchant, query: Mapping[str, str]) -> Outcome:
        """GET /v3/billdownload/file?token=: the file as it is, unsigned; it may be fetched again while it lives."""
        kept = self._files.get(query.get("token", ""))
        if kept is None or self._now_ms() >= kept.expires_ms:
            return BILL_TOKEN_EXPIRED
        if kept.mchid != merchant.mchid:
            return BILL_FOREIGN
        content_type = "application/x-gzip" if kept.gzipped else "text/plain; charset=utf-8"
        return Answer(200, kept.content, content_type=content_type, signed=False)

    def mislead(self, document: Mapping[str, Any], merchant: Merchant) -> str | None:
        """Put a mismatch into this merchant's coming bills; what is wrong with it, if anything."""
        lie = mismatches.read(document, mchid=merchant.mchid, appid=min(merchant.appids), now_ms=self._now_ms())
        if isinstance(lie, str):
            return lie
        if lie.kind is mismatches.Kind.MISSING_HERE:
            known = self._ledger.order(merchant.mchid, lie.number, now_ms=lie.moment_ms)
            if known is not None and known.was_paid:
                return "out_trade_no: this order was really paid; name one that was not"
        self._ledger.record(paper=Paper(_PAPER, lie.key, lie.document()))
        return None

    def mismatches(self) -> list[dict[str, Any]]:
        """Every mismatch in force, the oldest first."""
        return list(self._ledger.papers(_PAPER).values())

    def tell_the_truth(self) -> None:
        """Take every mismatch back."""
        for key in list(self._ledger.papers(_PAPER)):
            self._ledger.record(paper=Paper(_PAPER, key, None))

    async def _bill(
        self,
        merchant: Merchant,
        query: Mapping[str, str],
        make: Callable[[Snapshot], Iterable[str]],
        *,
        base_url: str,
    ) -> Outcome:
        now_ms, luck = self._now_ms(), self._faults()
        day = days.find(query.get("bill_date", ""), now_ms=now_ms, today=luck.bill_today)
        if isinstance(day, Refusal):
            return day
        gzipped = query.get("tar_type") == "GZIP"
        if "tar_type" in query and not gzipped:
            return parameter("tar_type", query["tar_type"], "must be GZIP", location="query")
        seen = self._snapshot(merchant.mchid, day, now_ms=now_ms, luck=luck)
        made = await asyncio.to_thread(files.make, seen, make, gzipped=gzipped)
        if made is None:
            return BILL_EMPTY
        content, digest = made
        token = self._keep(_File(merchant.mchid, content, gzipped, self._now_ms() + TOKEN_MS))
        return Answer(
            200,
            orjson.dumps(
                {
                    "hash_type": "SHA1",
                    "hash_value": digest,
                    "download_url": f"{base_url}/v3/billdownload/file?token={token}",
                }
            ),
        )

    def _snapshot(self, mchid: str, day: date, *, now_ms: int, luck: Faults) -> Snapshot:
        """Copies only, because nothing else happens meanwhile; sorting out is the thread's work."""
        return Snapshot(
            mchid=mchid,
            orders=list(self._ledger.orders()),
            refunds=list(self._ledger.refunds()),
            lies=[mismatches.recall(document) for document in self._ledger.papers(_PAPER).values()],
            day=day,
            luck=luck,
            cut_ms=min(now_ms, days.day_starts_ms(day) + DAY_MS + days.CUT_AFTER_MS),
        )

    def _keep(self, file: _File) -> str:
        now_ms = self._now_ms()
        for token, kept in list(self._files.items()):
            if now_ms >= kept.expires_ms or len(self._files) >= FILES_MAX:
                del self._files[token]
        token = self._entropy(32).hex()
        self._files[token] = file
        return token
