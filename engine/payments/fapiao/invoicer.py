"""The invoicer carries every fapiao on to where WeChat and the money want it, one step a turn.

A step is written down before WeChat is called, asked about before it is repeated, and decided by nothing but WeChat's
answer to a question: a callback only says that asking is worth while now. So callbacks may come twice, late, in any
order or never, and a process may die between any two lines.
"""

import asyncio
from collections.abc import Callable, Mapping

import orjson
import structlog

from engine import telemetry
from engine.config.fapiao import Fapiao as Rules
from engine.infra.outage import Outage
from engine.payments.fapiao.book import FapiaoBook
from engine.payments.fapiao.content import content_of
from engine.payments.fapiao.records import Fapiao, NextRound
from engine.payments.fapiao.states import FAILED, OURS_TO_REPLACE, Event, State
from engine.payments.fapiao.titles import Titles
from engine.payments.wechat.fapiao import FapiaoApi
from engine.payments.wechat.fapiao_answers import CardStatus, FapiaoReport, Status, Trouble, TroubleKind

log = structlog.get_logger(__name__)

# The first wait is longer than any turn takes, so that no second turn works on the same fapiao beside it.
WAITS_S = (15.0, 30.0, 60.0, 60.0, 300.0, 600.0, 1800.0, 3600.0)
DUE_COUNT_MAX = 16
# A link lives half an hour; a title that is not there long after it will be told about, if ever.
ASKED_TRIES_MAX = 8
# What the buyer's wallet does follows by itself; it is looked for a few times, and told about.
CARD_TRIES_MAX = 5
CARD_AT_REST: Mapping[State, CardStatus] = {
    State.ISSUED: CardStatus.INSERTED,
    State.REVERSED: CardStatus.DISCARDED,
}
# After hours without a definite answer somebody should know. It goes on being asked about every hour.
STUCK_TRIES = 10
STUCK = frozenset({State.APPLIED, State.ISSUING, State.ISSUE_ACCEPTED, State.REVERSING, State.REVERSE_ACCEPTED})

EVENTS: Mapping[Status, Event] = {
    Status.ISSUE_ACCEPTED: Event.ISSUE_ACCEPTED,
    Status.ISSUED: Event.ISSUED,
    Status.ISSUE_FAILED: Event.ISSUE_FAILED,
    Status.REVERSE_ACCEPTED: Event.REVERSE_ACCEPTED,
    Status.REVERSED: Event.REVERSED,
    Status.REVERSE_FAILED: Event.REVERSE_FAILED,
}


class Invoicer:
    """One turn takes the fapiao that are due. `api_of` gives the account of a merchant number, None for an unknown
    one."""

    def __init__(
        self,
        book: FapiaoBook,
        titles: Titles,
        api_of: Callable[[str], FapiaoApi | None],
        rules: Rules,
    ) -> None:
        self._book = book
        self._titles = titles
        self._api_of = api_of
        self._rules = rules

    async def run_once(self) -> bool:
        """One step for each that is due; whether more are waiting. Raises PostgresAway."""
        reversing = await self._book.begin_reversing(count_max=DUE_COUNT_MAX)
        for fapiao_id in reversing:
            telemetry.FAPIAOS.labels(State.REVERSING).inc()
            log.info("fapiao_no_longer_true", fapiao=fapiao_id)
        due = await self._book.take_due(WAITS_S, count_max=DUE_COUNT_MAX)
        await asyncio.gather(*(self._step(fapiao) for fapiao in due))
        return DUE_COUNT_MAX in (len(due), len(reversing))

    async def _step(self, fapiao: Fapiao) -> None:
        if fapiao.tries == STUCK_TRIES and fapiao.state in STUCK:
            telemetry.ALARMS.labels("fapiao_stuck").inc()
            log.error("fapiao_stuck", fapiao=fapiao.fapiao_id, state=fapiao.state)
        api = self._api_of(fapiao.mchid)
        if api is None:
            log.warning("fapiao_waits", fapiao=fapiao.fapiao_id, reason="its merchant account is not in the settings")
            return
        try:
            match fapiao.state:
                case State.ASKED | State.APPLIED:
                    await self._fetch_title(api, fapiao)
                case State.TITLED:
                    await self._freeze(fapiao)
                case State.ISSUING:
                    await self._issue(api, fapiao)
                case State.REVERSING:
                    await self._reverse(api, fapiao)
                case _:
                    await self._look(api, fapiao)
        except Outage as outage:
            log.warning("fapiao_waits", fapiao=fapiao.fapiao_id, reason=str(outage))

    async def _fetch_title(self, api: FapiaoApi, fapiao: Fapiao) -> None:
        found = await api.title(fapiao.apply_id, scene=fapiao.scene)
        if not isinstance(found, Trouble):
            if await self._book.keep_title(fapiao, self._titles.seal(found, fapiao.order_no)):
                telemetry.FAPIAOS.labels(State.TITLED).inc()
            return
        self._tell(fapiao, found)
        if fapiao.state is State.ASKED and fapiao.tries >= ASKED_TRIES_MAX:
            await self._book.rest(fapiao)

    async def _freeze(self, fapiao: Fapiao) -> None:
        """The sum is taken when nothing is on its way back; an order without money left gets no fapiao."""
        money = await self._book.read_money(fapiao.order_no)
        if money is None or not money.settled:
            return
        if money.kept_fen <= 0:
            await self._move(fapiao, Event.VOIDED)
            return
        if not self._rules.enabled:
            log.warning("fapiao_waits", fapiao=fapiao.fapiao_id, reason="fapiao.enabled is false")
            return
        content = content_of(self._rules, fapiao.fapiao_id, amount_fen=money.kept_fen, quantity=money.quantity)
        await self._book.freeze(fapiao, amount_fen=money.kept_fen, content=orjson.dumps(content).decode())

    async def _issue(self, api: FapiaoApi, fapiao: Fapiao) -> None:
        """Send the application; from the second turn on it may be there, so it is asked about first."""
        if fapiao.tries > 1 and not await self._is_not_there(api, fapiao):
            return
        if fapiao.title_sealed is None or fapiao.content is None:
            await self._fail(fapiao, Event.ISSUE_FAILED, "TITLE_ERASED")
            return
        title = self._titles.open(fapiao.title_sealed, fapiao.order_no)
        if title is None:
            await self._fail(fapiao, Event.ISSUE_FAILED, "TITLE_UNREADABLE")
            return
        content = orjson.loads(fapiao.content)
        trouble = await api.issue(fapiao.apply_id, scene=fapiao.scene, title=title, contents=[content])
        if trouble is None:
            await self._move(fapiao, Event.ISSUE_ACCEPTED, next_look_s=self._rules.look_after_s)
        elif trouble.kind is TroubleKind.UNKNOWN:
            self._tell(fapiao, trouble)
        elif await self._is_not_there(api, fapiao):  # a refusal may be the answer to a repeat of what was taken
            await self._fail(fapiao, Event.ISSUE_FAILED, trouble.code)

    async def _is_not_there(self, api: FapiaoApi, fapiao: Fapiao) -> bool:
        """Whether WeChat certainly never got it; what WeChat has instead is mirrored."""
        found = await api.query(fapiao.apply_id, fapiao.fapiao_id)
        if isinstance(found, FapiaoReport):
            await self._mirror(fapiao, found)
            return False
        self._tell(fapiao, found)
        return found.kind is TroubleKind.NOT_THERE

    async def _reverse(self, api: FapiaoApi, fapiao: Fapiao) -> None:
        """Ask for the red letter; what an earlier try may have done is asked about first."""
        if fapiao.tries > 1 and not await self._can_be_reversed(api, fapiao):
            return
        trouble = await api.reverse(
            fapiao.apply_id,
            fapiao.fapiao_id,
            reason=self._rules.reverse_reason,
            code=fapiao.fapiao_code,
            number=fapiao.fapiao_number,
        )
        if trouble is None:
            await self._move(fapiao, Event.REVERSE_ACCEPTED, next_look_s=self._rules.look_after_s)
        elif trouble.kind is TroubleKind.UNKNOWN:
            self._tell(fapiao, trouble)
        elif await self._can_be_reversed(api, fapiao):
            await self._fail(fapiao, Event.REVERSE_FAILED, trouble.code or trouble.kind)

    async def _can_be_reversed(self, api: FapiaoApi, fapiao: Fapiao) -> bool:
        """Whether it still stands as issued: then no red letter is on its way. A failure found here is an older one."""
        found = await api.query(fapiao.apply_id, fapiao.fapiao_id)
        if isinstance(found, Trouble):
            self._tell(fapiao, found)
            return found.kind is TroubleKind.NOT_THERE
        if found.status in (Status.ISSUED, Status.REVERSE_FAILED):
            return True
        await self._mirror(fapiao, found)
        return False

    async def _look(self, api: FapiaoApi, fapiao: Fapiao) -> None:
        found = await api.query(fapiao.apply_id, fapiao.fapiao_id)
        if isinstance(found, Trouble):
            self._tell(fapiao, found)
        else:
            await self._mirror(fapiao, found)
        settled = isinstance(found, FapiaoReport) and found.card_status is CARD_AT_REST.get(fapiao.state)
        at_rest = fapiao.state in CARD_AT_REST and (settled or fapiao.tries >= CARD_TRIES_MAX)
        if at_rest or fapiao.state in FAILED:
            await self._book.rest(fapiao)

    async def _mirror(self, fapiao: Fapiao, report: FapiaoReport) -> None:
        event = EVENTS[report.status]
        if event in (Event.ISSUE_FAILED, Event.REVERSE_FAILED):
            await self._fail(fapiao, event, report.status, report=report)
            return
        then = None
        if event is Event.REVERSED and fapiao.state in OURS_TO_REPLACE:
            money = await self._book.read_money(fapiao.order_no)
            if money is not None and money.kept_fen > 0:
                then = NextRound(self._rules.reissue)
        await self._move(fapiao, event, report=report, next_look_s=self._rules.look_after_s, then=then)

    async def _move(
        self,
        fapiao: Fapiao,
        event: Event,
        *,
        report: FapiaoReport | None = None,
        next_look_s: float | None = None,
        then: NextRound | None = None,
    ) -> None:
        reached = await self._book.move(fapiao, event, report=report, next_look_s=next_look_s, then=then)
        if reached is not None:
            telemetry.FAPIAOS.labels(reached).inc()
            log.info("fapiao_moved", fapiao=fapiao.fapiao_id, order=fapiao.order_no, state=reached)

    async def _fail(self, fapiao: Fapiao, event: Event, reason: str, *, report: FapiaoReport | None = None) -> None:
        reached = await self._book.move(fapiao, event, report=report, reason=reason)
        if reached is not None:
            telemetry.FAPIAOS.labels(reached).inc()
            telemetry.ALARMS.labels("fapiao_failed").inc()
            log.error("fapiao_needs_a_person", fapiao=fapiao.fapiao_id, state=reached, reason=reason)

    def _tell(self, fapiao: Fapiao, trouble: Trouble) -> None:
        if trouble.kind is not TroubleKind.NOT_THERE:
            log.warning(
                "fapiao_waits", fapiao=fapiao.fapiao_id, kind=trouble.kind, code=trouble.code, detail=trouble.detail
            )
