"""The shipper tells WeChat that the tickets of a payment were delivered, without which the money stays frozen.

WeChat's shipping desk hears of a payment some time after it was made, and it takes one report and one correction. So a
report is repeated until WeChat has it, for days if need be, and a repeat after an unknown outcome does no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime

import structlog
from cryptography.exceptions import InvalidTag

from engine import telemetry
from engine.infra.outage import ProviderAway
from engine.miniprogram.client import MiniProgramApi, Shipment
from engine.miniprogram.duties import Duties, End, OwedShipment, ShipmentFacts
from engine.miniprogram.errcodes import Refusal, Refused
from engine.miniprogram.templates import item_desc
from engine.web.buyers import Privacy

log = structlog.get_logger(__name__)

COUNT_MAX = 32
WAITS_S = (15.0, 60.0, 300.0, 900.0, 3600.0, 3 * 3600.0, 6 * 3600.0)
PATIENCE_S = 30 * 86_400.0  # a month of tries; then only a person can help
PLAN_COUNT_MAX = 2000  # written down in one transaction
GIVEN_BACK = frozenset({"refunding", "refunded", "refund_failed"})


class Shipper:
    """One turn reports every payment that is due. `done_errcodes` say that nothing is left to report."""

    def __init__(
        self,
        duties: Duties,
        api: MiniProgramApi,
        privacy: Privacy,
        *,
        item_desc: str,
        done_errcodes: Collection[int],
        alarm_h: int,
        now: Callable[[], datetime],
    ) -> None:
        self._duties = duties
        self._api = api
        self._privacy = privacy
        self._item_desc = item_desc
        self._done_errcodes = frozenset(done_errcodes)
        self._alarm_h = alarm_h
        self._now = now
        self._overdue = 0

    async def run_once(self) -> bool:
        """Report what is due. Raises PostgresAway."""
        owed = await self._duties.take_shipments(WAITS_S, count_max=COUNT_MAX, patience_s=PATIENCE_S)
        if not owed:
            return False
        known = await self._duties.read_shipments([each.order_no for each in owed])
        ends = await asyncio.gather(*(self._report(each, known.get(each.order_no)) for each in owed))
        await self._duties.end_shipments({each.subject: end for each, end in zip(owed, ends, strict=True)})
        return len(owed) == COUNT_MAX

    async def catch_up(self) -> bool:
        """Owe reports for payments that were made while nobody reported. Raises PostgresAway."""
        planned = await self._duties.plan_shipments(age_s=PATIENCE_S, count_max=PLAN_COUNT_MAX)
        if planned:
            log.info("deliveries_caught_up", orders=planned)
        return planned == PLAN_COUNT_MAX

    async def watch(self) -> bool:
        """Count the orders whose money is frozen, and raise an alarm when more of them are overdue than before."""
        frozen = await self._duties.count_frozen(overdue_h=self._alarm_h)
        telemetry.SHIPPING_DUE.set(frozen.orders)
        telemetry.SHIPPING_OLDEST_S.set(frozen.oldest_s)
        if frozen.overdue > self._overdue:
            telemetry.ALARMS.labels("shipping_overdue").inc()
            log.error("money_stays_frozen", orders=frozen.overdue, longer_than_h=self._alarm_h)
        self._overdue = frozen.overdue
        return False

    async def _report(self, owed: OwedShipment, known: ShipmentFacts | None) -> tuple[End, str]:
        if known is None or known.transaction_id is None:
            return self._given_up("no_payment")
        if known.state == "refunded":
            return End.GIVEN_UP, "refunded"
        if owed.too_old:
            return self._given_up("too_old")
        if known.openid_sealed is None:
            return self._given_up("buyer_erased")
        try:
            openid = self._privacy.open_openid(known.openid_sealed, known.buyer)
        except InvalidTag:
            return self._given_up("buyer_unreadable")
        shipment = Shipment(
            transaction_id=known.transaction_id,
            openid=openid,
            item_desc=item_desc(self._item_desc, known.facts),
            uploaded_at=self._now().isoformat(timespec="milliseconds"),
        )
        correcting = owed.outcome is not None and owed.outcome.startswith("correcting")
        try:
            refused = await self._api.ship(shipment)
        except ProviderAway as away:
            log.warning("shipping_waits", order=owed.order_no, reason=str(away))
            return End.DUE, "correcting" if correcting else "unknown"
        if refused is None:
            return End.DONE, "corrected" if correcting else "done"
        return self._refused(owed, refused, known.state, correcting=correcting)

    def _refused(self, owed: OwedShipment, refused: Refused, state: str, *, correcting: bool) -> tuple[End, str]:
        if refused.errcode in self._done_errcodes:
            return End.DONE, "done_before"
        if refused.refusal is Refusal.NOT_SHIPPABLE and state in GIVEN_BACK:
            return End.GIVEN_UP, "refunded"
        if refused.refusal is not Refusal.UNKNOWN_ORDER and not refused.passes:
            telemetry.ALARMS.labels("shipping_refused").inc()
            log.error("shipping_refused", order=owed.order_no, refusal=refused.refusal, errcode=refused.errcode)
        return End.DUE, "correcting" if correcting else refused.refusal.value.lower()

    @staticmethod
    def _given_up(outcome: str) -> tuple[End, str]:
        telemetry.ALARMS.labels("shipping_given_up").inc()
        log.error("shipping_needs_a_person", outcome=outcome)
        return End.GIVEN_UP, outcome
