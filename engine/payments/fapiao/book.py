"""The ledger of fapiao: one method per SQL block, of the same name. It moves them only along the state table.

Raises PostgresAway when PostgreSQL does not answer; the outcome of the statement is then unknown, and every statement
here may be repeated without harm.
"""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.infra.postgres import connection, load_queries, transaction
from engine.payments.fapiao.records import Fapiao, Money, NextRound, Scene, fapiao_id_of
from engine.payments.fapiao.states import MOVES, Event, State, sources
from engine.payments.wechat.fapiao_answers import FapiaoReport

if TYPE_CHECKING:
    import asyncpg

    from engine.infra.postgres import Pool

QUERIES = Path(__file__).with_name("queries.sql")

# What WeChat may have news about.
IN_MOTION = (State.ISSUING, State.ISSUE_ACCEPTED, State.ISSUED, State.ISSUE_FAILED)
IN_REVERSE = (State.REVERSING, State.REVERSE_ACCEPTED, State.REVERSE_FAILED, State.REVERSED)
AT_REST = (State.ISSUED, State.REVERSED, State.REPLACED, State.VOID)

# Where the buyer says the title anew.
BEGINS_IN = {NextRound.ASK: State.ASKED.value, NextRound.ANEW: State.APPLIED.value}

_FIELDS = [field.name for field in fields(Fapiao)]


class FapiaoBook:
    """All statements on fapiao."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._sql = load_queries(QUERIES)

    async def read_money(self, order_no: str, *, buyer: bytes | None = None) -> Money | None:
        """What an order's fapiao can be about; None without a payment, or for another buyer's order."""
        rows = await self._fetch(self._sql.read_money, order_no)
        if not rows or (buyer is not None and rows[0]["buyer"] != buyer):
            return None
        row = dict(rows[0])
        del row["buyer"]
        return Money(**row)

    async def ask(self, money: Money, *, apply_id: str, scene: Scene) -> None:
        """The order's first fapiao: written before anybody can fill in a title. Does nothing when there is one."""
        await self._fetch(
            self._sql.ask,
            fapiao_id_of(money.order_no, 1),
            money.order_no,
            money.sale_id,
            money.mchid,
            money.transaction_id,
            apply_id,
            scene.value,
        )

    async def ask_again(self, fapiao: Fapiao, *, first_look_s: float) -> None:
        """A link is handed out; whether its title is there is looked at from then on."""
        await self._fetch(self._sql.ask_again, fapiao.fapiao_id, first_look_s)

    async def list_fapiaos(self, order_no: str) -> list[Fapiao]:
        """An order's fapiao, the newest first."""
        return [_fapiao(row) for row in await self._fetch(self._sql.list_fapiaos, order_no)]

    async def list_by_state(self, states: Sequence[State], *, count_max: int) -> list[Fapiao]:
        """The fapiao in these states that moved last, first."""
        return [_fapiao(row) for row in await self._fetch(self._sql.list_by_state, _names(states), count_max)]

    async def read_fapiao(self, fapiao_id: str) -> Fapiao | None:
        rows = await self._fetch(self._sql.read_fapiao, fapiao_id)
        return _fapiao(rows[0]) if rows else None

    async def apply(self, apply_id: str, mchid: str) -> bool:
        """The buyer's title is there. False when neither the application nor a payment of that number is known."""
        async with transaction(self._pool) as conn:
            if await conn.fetch(self._sql.apply, apply_id, mchid, sources(Event.APPLIED, State.APPLIED)):
                return True
            if await conn.fetchval(self._sql.knows_application, apply_id, mchid):
                return True
            paid = await conn.fetchrow(self._sql.find_payment, apply_id, mchid)
            if paid is None:
                return False
            number = fapiao_id_of(paid["order_no"], 1)
            await conn.fetch(self._sql.begin_from_receipt, number, paid["order_no"], paid["sale_id"], mchid, apply_id)
            return True

    async def read_newest_of_application(self, apply_id: str, mchid: str) -> Fapiao | None:
        """The last fapiao of an application."""
        rows = await self._fetch(self._sql.read_newest_of_application, apply_id, mchid)
        return _fapiao(rows[0]) if rows else None

    async def wake(self, apply_id: str, mchid: str) -> bool:
        """Whether WeChat can have news about anything of this application; it is asked about now."""
        return bool(await self._fetch(self._sql.wake, apply_id, mchid, _names([*IN_MOTION, *IN_REVERSE])))

    async def take_due(self, waits_s: Sequence[float], *, count_max: int) -> list[Fapiao]:
        """Lease the fapiao whose turn it is."""
        return [_fapiao(row) for row in await self._fetch(self._sql.take_due, list(waits_s), count_max)]

    async def rest(self, fapiao: Fapiao) -> None:
        """Ask no more until something is told."""
        await self._fetch(self._sql.rest, fapiao.fapiao_id, fapiao.state.value)

    async def keep_title(self, fapiao: Fapiao, sealed: bytes) -> bool:
        """The title is there, encrypted. False when it moved meanwhile, or its owner had it erased."""
        moved = await self._fetch(self._sql.keep_title, fapiao.fapiao_id, sealed, sources(Event.TITLED, State.TITLED))
        return bool(moved)

    async def freeze(self, fapiao: Fapiao, *, amount_fen: int, content: str) -> bool:
        """The intent to issue, with everything that a repeat must say again."""
        from_states = sources(Event.FROZEN, State.ISSUING)
        return bool(await self._fetch(self._sql.freeze, fapiao.fapiao_id, amount_fen, content, from_states))

    async def move(
        self,
        fapiao: Fapiao,
        event: Event,
        *,
        report: FapiaoReport | None = None,
        reason: str | None = None,
        next_look_s: float | None = None,
        then: NextRound | None = None,
    ) -> State | None:
        """Move it along the table: the state it reached, or None when this event moves nothing from where it is.

        then: the round that begins in the same transaction.
        """
        to = MOVES.get((fapiao.state, event))
        if to is None:
            if report is not None:
                await self._note(report)
            return None
        async with transaction(self._pool) as conn:
            moved = await conn.fetch(
                self._sql.move,
                fapiao.fapiao_id,
                to.value,
                reason,
                report.card_status if report else None,
                report.code if report else None,
                report.number if report else None,
                next_look_s,
                [fapiao.state.value],
            )
            if not moved:
                return None
            if then is not None:
                number = fapiao_id_of(fapiao.order_no, fapiao.round + 1)
                same = then in (NextRound.SAME, NextRound.ANEW)
                await conn.execute(
                    self._sql.begin_next,
                    fapiao.fapiao_id,
                    number,
                    fapiao.apply_id if same else number,
                    (fapiao.scene if same else Scene.WITHOUT_WECHATPAY).value,
                    BEGINS_IN.get(then),
                )
        return to

    async def _note(self, report: FapiaoReport) -> None:
        card = report.card_status.value if report.card_status else None
        await self._fetch(self._sql.note_card, report.fapiao_id, card, report.code, report.number)

    async def begin_reversing(self, *, count_max: int) -> list[str]:
        """The issued fapiao that no longer say what was kept; they are to be reversed."""
        from_states = sources(Event.MONEY_CHANGED, State.REVERSING)
        rows = await self._fetch(self._sql.begin_reversing, from_states, count_max)
        return [row["fapiao_id"] for row in rows]

    async def put_titles_away(self, *, days: int, count_max: int) -> int:
        """Forget the titles of fapiao that came to rest so many days ago; how many."""
        return len(await self._fetch(self._sql.put_titles_away, _names(AT_REST), days, count_max))

    async def erase_titles(self, buyer: bytes) -> int:
        """Forget every title of this buyer for good; how many fapiao that concerns."""
        return len(await self._fetch(self._sql.erase_titles, buyer))

    async def count_failed(self) -> int:
        rows = await self._fetch(self._sql.count_failed, _names([State.ISSUE_FAILED, State.REVERSE_FAILED]))
        return int(rows[0]["count"])

    async def _fetch(self, sql: str, *args: Any) -> "list[asyncpg.Record]":
        async with connection(self._pool) as conn:
            return await conn.fetch(sql, *args)


def _names(states: Sequence[State]) -> list[str]:
    return [state.value for state in states]


def _fapiao(row: "asyncpg.Record") -> Fapiao:
    found = {name: row[name] for name in _FIELDS if name != "changed_ms"}
    found["state"] = State(found["state"])
    found["scene"] = Scene(found["scene"])
    return Fapiao(**found, changed_ms=round(row["changed_at"].timestamp() * 1000))
