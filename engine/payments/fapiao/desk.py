"""Where a fapiao begins: a buyer asks for one, or WeChat says that a buyer did; and where a failed one goes on.

Nothing here waits for the tax office: what is decided is written down, and the invoicer carries it out.
"""

import enum
from collections.abc import Callable

import structlog

from engine.config.fapiao import Fapiao as Rules
from engine.infra.outage import Outage, ProviderAway
from engine.infra.reading import Unreadable
from engine.payments.fapiao.book import FapiaoBook
from engine.payments.fapiao.content import FAPIAOS_PER_APPLICATION_MAX
from engine.payments.fapiao.records import Fapiao, Money, NextRound, Scene, fapiao_id_of
from engine.payments.fapiao.states import FAILED, Event, State
from engine.payments.port import OtherNotice
from engine.payments.wechat.contents import moment_or_none
from engine.payments.wechat.fapiao import FapiaoApi
from engine.payments.wechat.fapiao_answers import TitleLink, TroubleKind
from engine.web.buyers import Privacy

log = structlog.get_logger(__name__)

EVENT_PREFIX = "FAPIAO."
USER_APPLIED = "FAPIAO.USER_APPLIED"
# Nobody fills in a form faster, and WeChat tells us when it is done: this only finds what was not told.
FIRST_TITLE_LOOK_S = 60.0
# What fails so often is not cured by another title.
ROUNDS_MAX = 20


class NoFapiao(enum.StrEnum):
    """Why there is no link, or nothing to repeat."""

    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    NO_FAPIAO = "NO_FAPIAO"  # switched off, not paid, a refund under way, nothing kept, or WeChat says no
    FAPIAO_EXISTS = "FAPIAO_EXISTS"
    UNKNOWN_FAPIAO = "UNKNOWN_FAPIAO"
    FAPIAO_NOT_FAILED = "FAPIAO_NOT_FAILED"


class FapiaoDesk:
    """Takes wishes and notices. `api_of` gives the account of a merchant number, None for an unknown one."""

    def __init__(
        self, book: FapiaoBook, privacy: Privacy, api_of: Callable[[str], FapiaoApi | None], rules: Rules
    ) -> None:
        self._book = book
        self._privacy = privacy
        self._api_of = api_of
        self._rules = rules

    async def ask(self, order_no: str, buyer: bytes) -> TitleLink | NoFapiao:
        """Where this buyer fills in the title for this order. Raises Outage."""
        money = await self._book.read_money(order_no, buyer=buyer)
        if money is None:
            return NoFapiao.NO_FAPIAO
        api = self._api_of(money.mchid)
        if not self._rules.enabled or api is None or not money.paid or money.kept_fen <= 0:
            return NoFapiao.NO_FAPIAO
        if money.openid_sealed is None:
            return NoFapiao.NO_FAPIAO  # its buyer had the openid erased: WeChat could show the form to nobody
        scene = Scene(self._rules.scene)
        apply_id = money.transaction_id if scene is Scene.WITH_WECHATPAY else fapiao_id_of(order_no, 1)
        await self._book.ask(money, apply_id=apply_id, scene=scene)
        newest = (await self._book.list_fapiaos(order_no))[0]
        if newest.state is State.ISSUE_FAILED and newest.round < ROUNDS_MAX:
            # Perhaps it was the title: the buyer says it again, under a number that WeChat has not seen.
            await self._book.move(newest, Event.RETRIED, then=NextRound.ASK)
            newest = (await self._book.list_fapiaos(order_no))[0]
        if newest.state is not State.ASKED:
            return NoFapiao.FAPIAO_EXISTS
        await self._book.ask_again(newest, first_look_s=FIRST_TITLE_LOOK_S)
        return await self._link(api, newest, money, self._privacy.open_openid(money.openid_sealed, buyer))

    async def _link(self, api: FapiaoApi, fapiao: Fapiao, money: Money, openid: str) -> TitleLink | NoFapiao:
        link = await api.title_link(fapiao.apply_id, openid=openid, total_fen=money.kept_fen)
        if isinstance(link, TitleLink):
            return link
        log.warning("no_title_link", order=fapiao.order_no, kind=link.kind, code=link.code, detail=link.detail)
        if link.kind is TroubleKind.UNKNOWN:
            raise ProviderAway(f"WeChat Pay gave no link: {link.detail}")
        return NoFapiao.NO_FAPIAO

    async def read(self, order_no: str) -> list[Fapiao]:
        """An order's fapiao, the newest first. Raises PostgresAway."""
        return await self._book.list_fapiaos(order_no)

    async def erase_titles(self, buyer: bytes) -> None:
        """Forget for good who this buyer's fapiao were made out to. Raises PostgresAway."""
        log.info("fapiao_titles_erased", fapiaos=await self._book.erase_titles(buyer))

    async def noticed(self, notice: OtherNotice) -> None:
        """A notification of the family FAPIAO. Raises Outage: then it must come again.

        It only says that asking is worth while: the invoicer asks, so that order and repeats do not matter.
        """
        apply_id = notice.content.get("fapiao_apply_id")
        if not notice.event_type.startswith(EVENT_PREFIX) or type(apply_id) is not str or not apply_id:
            log.warning("fapiao_notice_unreadable", event_type=notice.event_type)
            return
        if notice.event_type != USER_APPLIED:
            known = await self._book.wake(apply_id, notice.mchid)
        else:
            known = await self._book.apply(apply_id, notice.mchid)
            if not known:
                # A title can be there before we heard of the payment.
                raise Outage("a fapiao for a payment that is not known yet")
            await self._begin_anew(apply_id, notice)
        log.info("fapiao_notice", event_type=notice.event_type, known=known)

    async def _begin_anew(self, apply_id: str, notice: OtherNotice) -> None:
        """A title that was filled in after a failure is another try; a repeat of an older notice is none."""
        newest = await self._book.read_newest_of_application(apply_id, notice.mchid)
        if newest is None or newest.state is not State.ISSUE_FAILED or newest.round >= ROUNDS_MAX:
            return
        try:
            applied_at = moment_or_none(notice.content, "apply_time")
        except Unreadable:
            return
        if applied_at is not None and applied_at.timestamp() * 1000 > newest.changed_ms:
            await self._book.move(newest, Event.RETRIED, then=NextRound.ANEW)

    async def retry(self, fapiao_id: str) -> Fapiao | NoFapiao:
        """A failed fapiao goes on: the same red letter again, or the next number. Raises PostgresAway."""
        fapiao = await self._book.read_fapiao(fapiao_id)
        if fapiao is None:
            return NoFapiao.UNKNOWN_FAPIAO
        if fapiao.state not in FAILED or fapiao.title_erased:
            return NoFapiao.FAPIAO_NOT_FAILED
        then = None
        if fapiao.state is State.ISSUE_FAILED:
            listed = await self._book.list_fapiaos(fapiao.order_no)
            others = [one for one in listed if one.apply_id == fapiao.apply_id]
            # An application that is full takes no more, nor did one with a red letter, or we would not be here.
            spent = len(others) >= FAPIAOS_PER_APPLICATION_MAX or any(one.state is State.REVERSED for one in others)
            then = NextRound.ASK if spent else NextRound.SAME
        moved = await self._book.move(fapiao, Event.RETRIED, next_look_s=None if then else 0.0, then=then)
        if moved is None:
            return NoFapiao.FAPIAO_NOT_FAILED
        number = fapiao_id_of(fapiao.order_no, fapiao.round + 1) if then else fapiao_id
        return await self._book.read_fapiao(number) or NoFapiao.UNKNOWN_FAPIAO

    async def list_by_state(self, states: tuple[State, ...], *, count_max: int) -> list[Fapiao]:
        """The fapiao in these states, the last to move first. Raises PostgresAway."""
        return await self._book.list_by_state(states, count_max=count_max)
