"""The messenger tells buyers what they asked to be told: one accepted subscription, one message, at most once.

A message is leased together with the acceptance that it uses up, and marked as told only after WeChat said so. Where
nobody knows whether WeChat took it, it is not sent again: a buyer is rather told nothing than twice, and the order
itself shows the truth. Where WeChat certainly did nothing, the acceptance is given back and the message waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import assert_never

import structlog
from cryptography.exceptions import InvalidTag

from engine import telemetry
from engine.config import MessageKind, MessageTemplate
from engine.infra.outage import ProviderAway
from engine.miniprogram.client import MiniProgramApi
from engine.miniprogram.duties import Duties, End, EndedMessage, MessageFacts, OwedMessage
from engine.miniprogram.errcodes import Refusal, Refused
from engine.miniprogram.fields import FieldRefused
from engine.miniprogram.kinds import duty_of
from engine.miniprogram.templates import message
from engine.miniprogram.wire import NotReached
from engine.web.buyers import Privacy

log = structlog.get_logger(__name__)

COUNT_MAX = 64  # messages of one turn, all on their way at once
# For buyers who have not accepted yet; an acceptance wakes the message at once.
WAITS_S = (60.0, 600.0, 3600.0, 6 * 3600.0)
PATIENCE_S = 3 * 86_400.0  # what is older is news to nobody
UNREACHED_WAIT_S = 30.0
TOO_OFTEN_WAIT_S = 60.0
QUOTA_WAIT_S = 3600.0
OURS_WAIT_S = 3600.0  # until somebody has corrected our settings
REFUNDING_WAIT_S = 300.0
PAID = "paid"
REFUNDING = "refunding"
PLAN_COUNT_MAX = 2000  # reminders written down in one transaction


class Messenger:
    """One turn sends every message that is due and accepted."""

    def __init__(
        self,
        duties: Duties,
        api: MiniProgramApi,
        privacy: Privacy,
        templates: Mapping[MessageKind, MessageTemplate],
    ) -> None:
        self._duties = duties
        self._api = api
        self._privacy = privacy
        self._templates = {duty_of(kind): template for kind, template in templates.items()}

    async def run_once(self) -> bool:
        """Send what is due. Raises PostgresAway."""
        if not self._templates:
            return False
        owed = await self._duties.take_messages(
            list(self._templates), WAITS_S, count_max=COUNT_MAX, patience_s=PATIENCE_S
        )
        if not owed:
            return False
        known = await self._duties.read_facts(owed)
        ended = await asyncio.gather(*(self._tell(each, known.get(each)) for each in owed))
        await self._duties.end_messages(ended)
        return len(owed) == COUNT_MAX

    async def _tell(self, owed: OwedMessage, known: MessageFacts | None) -> EndedMessage:
        if known is None:
            return _pointless(owed, "nothing_left")
        if known.started and owed.looks_ahead:
            return _pointless(owed, "too_late")
        if known.state == REFUNDING and owed.looks_ahead:  # perhaps in part
            return _waiting(owed, "refunding", REFUNDING_WAIT_S)
        if known.state != PAID and owed.kind != duty_of(MessageKind.REFUNDED):
            return _pointless(owed, "not_paid")
        if known.openid_sealed is None:
            return _pointless(owed, "buyer_erased")
        try:
            openid = self._privacy.open_openid(known.openid_sealed, owed.buyer)
        except InvalidTag:
            return _pointless(owed, "buyer_unreadable")
        written = message(self._templates[owed.kind], known.facts, openid)
        if isinstance(written, FieldRefused):
            _alarm(owed.kind, "field", field=written.name)
            return _pointless(owed, "field_invalid")
        try:
            refused = await self._api.send(written)
        except NotReached as away:
            log.warning("message_waits", kind=owed.kind, reason=str(away))
            return _waiting(owed, "unreached", UNREACHED_WAIT_S)
        except ProviderAway as away:
            log.warning("message_unknown", kind=owed.kind, reason=str(away))
            return EndedMessage(message=owed, end=End.GIVEN_UP, outcome="unknown")
        return EndedMessage(message=owed, end=End.DONE, outcome="told") if refused is None else _refused(owed, refused)


def _refused(owed: OwedMessage, refused: Refused) -> EndedMessage:
    outcome = refused.refusal.value.lower()
    match refused.refusal:
        case Refusal.NOT_SUBSCRIBED:
            return EndedMessage(message=owed, end=End.DUE, outcome=outcome, wait_s=WAITS_S[0], forget=True)
        case Refusal.TOO_OFTEN:
            return _waiting(owed, outcome, TOO_OFTEN_WAIT_S)
        case Refusal.QUOTA_SPENT:
            _alarm(owed.kind, outcome)
            return _waiting(owed, outcome, QUOTA_WAIT_S)
        case Refusal.TEMPLATE_INVALID | Refusal.PAGE_INVALID | Refusal.FORBIDDEN:
            _alarm(owed.kind, outcome, errcode=refused.errcode)
            return _waiting(owed, outcome, OURS_WAIT_S)
        case (
            Refusal.FIELD_INVALID
            | Refusal.CODE_INVALID
            | Refusal.CONTENT_INVALID
            | Refusal.UNKNOWN_ORDER
            | Refusal.NOT_SHIPPABLE
            | Refusal.OTHER
        ):
            _alarm(owed.kind, outcome, errcode=refused.errcode, field=refused.field)
            return _pointless(owed, outcome)
        case Refusal.OPENID_INVALID | Refusal.BUYER_BLOCKED:
            return _pointless(owed, outcome)
        case never:
            assert_never(never)


def _pointless(owed: OwedMessage, outcome: str) -> EndedMessage:
    """It cannot or need not be told; the acceptance is still good for the next message."""
    return EndedMessage(message=owed, end=End.GIVEN_UP, outcome=outcome, give_back=True)


def _waiting(owed: OwedMessage, outcome: str, wait_s: float) -> EndedMessage:
    return EndedMessage(message=owed, end=End.DUE, outcome=outcome, wait_s=wait_s, give_back=True)


def _alarm(kind: str, what: str, **about: object) -> None:
    telemetry.ALARMS.labels(f"message_{what}").inc()
    log.error("message_needs_a_person", kind=kind, what=what, **about)


class Reminder:
    """Owes every buyer of a session that begins soon a reminder, once."""

    def __init__(self, duties: Duties, *, before_h: int) -> None:
        self._duties = duties
        self._before_h = before_h

    async def run_once(self) -> bool:
        """Plan what is missing; whether there may be more. Raises PostgresAway."""
        return await self._duties.plan_reminders(before_h=self._before_h, count_max=PLAN_COUNT_MAX) == PLAN_COUNT_MAX
