"""Starting a payment: the order is marked `paying` before WeChat hears of it, so that no prepay id can exist for an
order whose units could be released without asking WeChat."""

import asyncio
import enum
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial

import structlog

from engine.infra.batcher import Batcher
from engine.infra.outage import ProviderAway
from engine.payments.ledger import PaymentLedger, PaymentWish, StartedPayment
from engine.payments.port import PaymentProvider, Prepaid, PrepayRequest, ProviderRefusal, RefusalKind
from engine.web.buyers import Privacy

log = structlog.get_logger(__name__)

# Prepay calls at a time in one worker. Beyond what WeChat answers at once they would only wait there, with their
# clocks running, and be sent again: here they wait without one.
PREPAY_COUNT_MAX = 48
PAYMENTS_AT_ONCE_MAX = 2 * PREPAY_COUNT_MAX  # some of them are at the ledger, or have an id from an earlier tap
START_COUNT_MAX = 200
START_QUEUE_COUNT_MAX = 20_000
START_SPACING_S = 0.02  # a buyer's thumb is slower
KEEP_SPACING_S = 0.2  # nobody waits for it

SPENT = (RefusalKind.ALREADY_PAID, RefusalKind.ALREADY_CLOSED, RefusalKind.NUMBER_TAKEN)


class NotStarted(enum.Enum):
    """Why there are no payment parameters."""

    NOT_PAYABLE = "NOT_PAYABLE"


class Starter:
    """Turns an order into the parameters of wx.requestPayment."""

    def __init__(
        self,
        ledger: PaymentLedger,
        provider: PaymentProvider,
        privacy: Privacy,
        *,
        description: str,
        began: Callable[[float | None], None] = lambda _: None,
    ) -> None:
        """`began` hears of every new prepay id that was asked for: the seconds that its buyer had waited here by then,
        or None where the provider gave none to an order that can still be paid. How long the provider takes is not our
        doing."""
        self._began = began
        self._provider = provider
        self._privacy = privacy
        self._description = description
        self._calls = asyncio.Semaphore(PREPAY_COUNT_MAX)
        self._starts: Batcher[PaymentWish, StartedPayment | None] = Batcher(
            partial(ledger.start_payments, mchids=provider.mchids),
            batch_count_max=START_COUNT_MAX,
            queue_count_max=START_QUEUE_COUNT_MAX,
            spacing_s=START_SPACING_S,
        )
        self._keeps: Batcher[tuple[str, str, datetime], None] = Batcher(
            ledger.keep_prepays,
            batch_count_max=START_COUNT_MAX,
            queue_count_max=START_QUEUE_COUNT_MAX,
            spacing_s=KEEP_SPACING_S,
        )
        self._hastes: Batcher[tuple[str, bytes], None] = Batcher(
            ledger.hasten,
            batch_count_max=START_COUNT_MAX,
            queue_count_max=START_QUEUE_COUNT_MAX,
            spacing_s=KEEP_SPACING_S,
        )

    async def start(self, order_no: str, buyer: bytes, *, now_ms: int) -> Mapping[str, str] | NotStarted:
        """The signed parameters, with the prepay id of an earlier tap while it is valid. Raises Outage."""
        asked_s = time.monotonic()
        mchid = self._provider.merchant_for(order_no)
        started = await self._starts.submit(PaymentWish(order_no, buyer, now_ms, mchid))
        if started is None or started.openid_sealed is None:
            return NotStarted.NOT_PAYABLE
        if started.mchid not in self._provider.mchids:
            raise ProviderAway(f"the settings have no merchant account {started.mchid}, which this order pays to")
        prepay_id = started.prepay_id
        if prepay_id is None:
            request = PrepayRequest(
                order_no=order_no,
                mchid=started.mchid,
                description=self._description,
                total_fen=started.amount_fen,
                openid=self._privacy.open_openid(started.openid_sealed, buyer),
                expires_at=datetime.fromtimestamp(started.deadline_ms / 1000, UTC),
            )
            prepaid = await self._create(request, asked_s)
            if isinstance(prepaid, ProviderRefusal):
                return self._refused(order_no, prepaid)
            prepay_id = prepaid.prepay_id
            self._keep(order_no, prepay_id, prepaid.valid_until)
        return await self._provider.client_parameters(prepay_id, started.mchid)

    async def _create(self, request: PrepayRequest, asked_s: float) -> Prepaid | ProviderRefusal:
        async with self._calls:
            waited_s = time.monotonic() - asked_s
            try:
                prepaid = await self._provider.create(request)
            except ProviderAway:
                self._began(None)
                raise
        failed = isinstance(prepaid, ProviderRefusal) and prepaid.kind not in SPENT
        self._began(None if failed else waited_s)
        return prepaid

    def _refused(self, order_no: str, refusal: ProviderRefusal) -> NotStarted:
        log.warning("prepay_refused", order=order_no, kind=refusal.kind, code=refusal.code, detail=refusal.detail)
        if refusal.kind in SPENT:
            return NotStarted.NOT_PAYABLE
        raise ProviderAway(f"WeChat Pay gave no prepay id: {refusal.kind}")

    async def hasten(self, order_no: str, buyer: bytes) -> None:
        """The buyer says that the payment is done: WeChat is asked soon. What the device says proves nothing."""
        await self._hastes.submit((order_no, buyer))

    def _keep(self, order_no: str, prepay_id: str, valid_until: datetime) -> None:
        """Nobody waits for this: without it the next tap asks WeChat again and gets the same."""
        self._keeps.submit((order_no, prepay_id, valid_until)).add_done_callback(_tell_if_not_kept)


def _tell_if_not_kept(keeping: "asyncio.Future[None]") -> None:
    if not keeping.cancelled() and (error := keeping.exception()) is not None:
        log.warning("prepay_not_kept", reason=str(error))
