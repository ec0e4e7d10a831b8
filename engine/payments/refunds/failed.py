"""Refunds that failed, and the ways out: another bank card, a new number, or money that went back by hand.

An ABNORMAL refund has left the merchant and found no account: it may be sent to a bank card. A closed one has moved
nothing: it may be tried again under a new number. Either may have been settled in another way, and is then marked so.
"""

import structlog

from engine.infra.outage import ProviderAway
from engine.payments.port import PaymentProvider, RedirectRequest, RefundState
from engine.payments.refunds.book import RefundBook
from engine.payments.refunds.queue import RefundQueue, refusal_by_hand
from engine.payments.refunds.reading import RefundReader, RefundRow
from engine.payments.refunds.reporting import Noted, Stage
from engine.payments.refunds.requests import BankCard
from engine.payments.refunds.wishes import Decided, RefundCode, RefundRefusal

log = structlog.get_logger(__name__)

RETRY_COUNT_MAX = 50
RETRY_EVERY_S = 30.0


class FailedRefunds:
    """What a person does about a refund that failed."""

    def __init__(self, book: RefundBook, queue: RefundQueue, reader: RefundReader, provider: PaymentProvider) -> None:
        self._book = book
        self._queue = queue
        self._reader = reader
        self._provider = provider

    async def retry(self, out_refund_no: str) -> Decided | RefundRefusal:
        """Once more under a new number, if it is closed and WeChat knows nothing else of it.

        Raises PostgresAway, and ProviderAway when WeChat gives no answer: then the old number may still have moved
        the money, and nothing is decided.
        """
        refund = await self._reader.read(out_refund_no)
        if refund is None:
            return RefundRefusal(RefundCode.UNKNOWN_REFUND)
        if refund.stage == Stage.CLOSED and not await self._nothing_moved(refund):
            return RefundRefusal(RefundCode.NOT_REFUNDABLE)
        decided = await self._book.retry(out_refund_no)
        if isinstance(decided, Decided):
            log.warning("refund_retried", refund=out_refund_no, under=decided.out_refund_no)
        return decided

    async def _nothing_moved(self, refund: RefundRow) -> bool:
        """Whether WeChat says that this number gave nothing back; whatever else it says is written down."""
        if refund.mchid not in self._provider.mchids:
            raise ProviderAway(f"the settings have no merchant account {refund.mchid}, which this refund belongs to")
        report = await self._provider.query_refund(refund.out_refund_no, refund.mchid)
        if report.state is RefundState.UNKNOWN:
            raise ProviderAway("WeChat Pay gave no answer about the closed refund; try again")
        if report.state in (RefundState.CLOSED, RefundState.UNKNOWN_REFUND):
            return True
        noted = await self._queue.note(report, seen=Stage.CLOSED)
        log.warning("closed_refund_was_made", refund=refund.out_refund_no, state=report.state, noted=noted)
        return False

    async def settle_by_hand(self, out_refund_no: str) -> RefundCode | None:
        """Somebody gave the money back in another way; why not, or None. Saying so again is harmless."""
        noted = await self._queue.settle_by_hand(out_refund_no)
        if noted is Noted.MOVED:
            log.warning("refund_settled_by_hand", refund=out_refund_no)
        return refusal_by_hand(noted)

    async def redirect(self, out_refund_no: str, card: BankCard) -> RefundCode | None:
        """Send it to a bank card; why not, or None when WeChat has taken it.

        Raises ProviderAway when WeChat's answer is unknown: the refund is asked about at once, and the same request
        may be sent again. The card is written down nowhere.
        """
        refund = await self._reader.read(out_refund_no)
        if refund is None:
            return RefundCode.UNKNOWN_REFUND
        if refund.stage != Stage.ABNORMAL or refund.refund_id is None:
            return RefundCode.NOT_FAILED
        report = await self._provider.redirect_refund(
            RedirectRequest(
                out_refund_no=out_refund_no,
                refund_id=refund.refund_id,
                mchid=refund.mchid,
                owner=card.owner,
                bank_type=card.bank_type,
                bank_account=card.account,
                real_name=card.name,
            )
        )
        log.warning("refund_redirected", refund=out_refund_no, owner=card.owner, state=report.state, code=report.code)
        if report.state is RefundState.REFUSED:
            return RefundCode.NOT_TAKEN
        if report.state in (RefundState.UNKNOWN, RefundState.UNKNOWN_REFUND):
            await self._queue.hasten(out_refund_no)
            raise ProviderAway("WeChat Pay gave no answer about the bank card")
        await self._queue.note(report, seen=Stage.ABNORMAL)
        return None


class Retrier:
    """Tries refunds again that WeChat closed, when the settings say so: usually the account was short of money for a
    week."""

    def __init__(self, failed: FailedRefunds, queue: RefundQueue, *, after_s: float) -> None:
        self._failed = failed
        self._queue = queue
        self._after_s = after_s

    async def run_once(self) -> bool:
        """Decide again what was closed long enough ago. Raises PostgresAway."""
        closed = await self._queue.find_closed(age_s=self._after_s, count_max=RETRY_COUNT_MAX)
        for out_refund_no in closed:
            try:
                decided = await self._failed.retry(out_refund_no)
            except ProviderAway as away:
                log.warning("closed_refund_waits", refund=out_refund_no, reason=str(away))
            else:
                log.warning("closed_refund_retried", refund=out_refund_no, decided=isinstance(decided, Decided))
        return False
