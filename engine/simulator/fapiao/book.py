"""The book of fapiao: what of them is kept with the ledger, and what every call about them needs.

Three kinds of calls share it: the merchant's settings, the buyer's title, and applications. A change is one line
of the journal together with the callback it causes.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from engine.simulator.fapiao.life import Document
from engine.simulator.luck.faults import Faults
from engine.simulator.office.ledger import Ledger, Paper
from engine.simulator.pay import forms, shapes
from engine.simulator.pay.fields import Record
from engine.simulator.pay.notices import Notice
from engine.simulator.pay.orders import Order
from engine.simulator.pay.refusals import FAPIAO_CLOSED, Refusal
from engine.simulator.processes.calls import Answer, Call

# The kinds of papers.
CONFIG, TEMPLATE, TITLE, APPLICATION = "fapiao_config", "fapiao_template", "fapiao_title", "fapiao"


class Book:
    """Over one ledger; `notify` delivers callbacks."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        faults: Callable[[], Faults],
        notify: Callable[[Notice], None],
        now_ms: Callable[[], int],
        entropy: Callable[[int], bytes],
        http_anywhere: bool,
    ) -> None:
        self._ledger = ledger
        self._notify = notify
        self.faults = faults
        self.now_ms = now_ms
        self.entropy = entropy
        self.http_anywhere = http_anywhere

    def closed(self) -> Refusal | None:
        """The refusal of every call while the merchant has not opened the product."""
        return None if self.faults().fapiao_opened else FAPIAO_CLOSED

    def read(self, call: Call, form: Record) -> Any:
        """The body of a call, or the first Refusal."""
        return self.closed() or forms.read(call.body, form)

    def config(self, mchid: str) -> Mapping[str, Any]:
        return self._ledger.papers(CONFIG).get(mchid, {})

    def card(self, mchid: str) -> Mapping[str, str] | None:
        """The merchant's card template."""
        return self._ledger.papers(TEMPLATE).get(mchid)

    def title(self, mchid: str, apply_id: str) -> Mapping[str, Any] | None:
        """The link that was asked for and, once filled in, the title under `title`."""
        return self._ledger.papers(TITLE).get(key_of(mchid, apply_id))

    def application(self, key: str) -> Document | None:
        return self._ledger.papers(APPLICATION).get(key)

    def applications(self) -> Mapping[str, Document]:
        return self._ledger.papers(APPLICATION)

    def order(self, mchid: str, transaction_id: str) -> Order | None:
        """The paid order of a transaction."""
        return self._ledger.order_of_transaction(mchid, transaction_id)

    def notice(
        self, mchid: str, apply_id: str, event: tuple[str, str], told: Mapping[str, Any], *, subject: str
    ) -> Notice | None:
        """The callback of an event (its type and summary), or None while the merchant has named no address."""
        url = self.config(mchid).get("callback_url")
        if url is None:
            return None
        event_type, summary = event
        return Notice(
            id=shapes.notice_id(self.entropy(16)),
            mchid=mchid,
            event_type=event_type,
            original_type="fapiao",
            summary=summary,
            subject=subject,
            notify_url=url,
            created_ms=self.now_ms(),
            resource=orjson.dumps({"mchid": mchid, "fapiao_apply_id": apply_id, **told}).decode(),
        )

    def keep(self, kind: str, key: str, document: Document, notice: Notice | None = None) -> None:
        """Record a paper and the callback it causes, and let the callback go out."""
        self._ledger.record(paper=Paper(kind, key, document), notice=notice)
        if notice is not None:
            self._notify(notice)


def key_of(mchid: str, apply_id: str) -> str:
    return f"{mchid} {apply_id}"


def json(document: object) -> Answer:
    """200 with this document."""
    return Answer(200, orjson.dumps(document))


def whole(text: str) -> int | None:
    """A number from a query, or None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
