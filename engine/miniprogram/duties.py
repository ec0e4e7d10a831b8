"""What is owed after money moved, as the ledger has it: leased, done, or due again. One method per SQL block.

The rooms that move money write a duty in the same transaction; here it is taken, and ended when WeChat has answered.
Raises PostgresAway; every statement may be repeated without harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from engine import telemetry
from engine.infra.postgres import connection
from engine.miniprogram.queries import QUERIES
from engine.miniprogram.templates import Facts
from engine.miniprogram.wire import TIMEOUT_S_MAX

if TYPE_CHECKING:
    import asyncpg

    from engine.infra.postgres import Pool

LEASE_S = 300.0  # longer than a message can be on its way: two tokens and two tries
FIRST_SESSION = ""

assert 6 * TIMEOUT_S_MAX < LEASE_S


class End(StrEnum):
    """As the enum `duty_state` of the database."""

    DUE = "due"
    DONE = "done"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class OwedMessage:
    """A message that is leased and paid for with one of the buyer's acceptances."""

    kind: str
    subject: str
    order_no: str
    buyer: bytes

    @property
    def session_id(self) -> str:
        """The session it is about; none for what is about the whole order. The subject names it after the order."""
        return self.subject.split(":")[1] if ":" in self.subject else FIRST_SESSION

    @property
    def looks_ahead(self) -> bool:
        """Whether it is about a session to come, for which only tickets that were not returned count."""
        return self.session_id != FIRST_SESSION


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFacts:
    """What is known of the order now. No sealed openid: the buyer was erased."""

    facts: Facts
    state: str
    started: bool
    openid_sealed: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedMessage:
    """What came of one. `give_back`: WeChat did nothing, the acceptance is still good; `forget`: it knows of none."""

    message: OwedMessage
    end: End
    outcome: str
    wait_s: float = 0.0
    give_back: bool = False
    forget: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedShipment:
    """A payment that WeChat must be told is delivered. `outcome` is what the last try came to."""

    subject: str
    order_no: str
    outcome: str | None
    too_old: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentFacts:
    """The order behind it. No transaction: the payment was not written here."""

    facts: Facts
    state: str
    buyer: bytes
    openid_sealed: bytes | None
    transaction_id: str | None


@dataclass(frozen=True, slots=True)
class Frozen:
    """Paid orders whose money WeChat holds back; `overdue` are older than was asked for."""

    orders: int
    oldest_s: float
    overdue: int


class Duties:
    """The table of duties, and the acceptances that messages use up."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def take_messages(
        self, kinds: Sequence[str], waits_s: Sequence[float], *, count_max: int, patience_s: float
    ) -> list[OwedMessage]:
        """Lease messages to buyers who accept one. The others wait for an acceptance, and no longer than patience."""
        rows = await self._fetch(QUERIES.take_messages, list(kinds), count_max, LEASE_S, patience_s, list(waits_s))
        for row in rows:
            if row["outcome"] != "sending":
                telemetry.DUTIES.labels(row["kind"], row["outcome"]).inc()
        return [
            OwedMessage(row["kind"], row["subject"], row["order_no"], row["buyer"])
            for row in rows
            if row["outcome"] == "sending"
        ]

    async def read_facts(self, messages: Sequence[OwedMessage]) -> Mapping[OwedMessage, MessageFacts]:
        """What these messages can tell; a message whose session has no tickets left is missing."""
        rows = await self._fetch(
            QUERIES.read_facts,
            [each.kind for each in messages],
            [each.subject for each in messages],
            [each.order_no for each in messages],
            [each.session_id for each in messages],
            [each.looks_ahead for each in messages],
        )
        found = {
            (row["kind"], row["subject"]): MessageFacts(
                facts=_facts(row, row["refund_fen"]),
                state=row["state"],
                started=row["started"],
                openid_sealed=row["openid_sealed"],
            )
            for row in rows
            if row["tiers"]
        }
        return {each: found[each.kind, each.subject] for each in messages if (each.kind, each.subject) in found}

    async def end_messages(self, ended: Sequence[EndedMessage]) -> None:
        """Write down what came of them."""
        await self._fetch(
            QUERIES.end_messages,
            [each.message.kind for each in ended],
            [each.message.subject for each in ended],
            [each.message.buyer for each in ended],
            [each.end.value for each in ended],
            [each.outcome for each in ended],
            [each.wait_s for each in ended],
            [each.give_back for each in ended],
            [each.forget for each in ended],
        )
        for each in ended:
            telemetry.DUTIES.labels(each.message.kind, each.outcome).inc()

    async def plan_reminders(self, *, before_h: int, count_max: int) -> int:
        """Owe a reminder for every paid order of a session that begins within this time; how many are new."""
        async with connection(self._pool) as conn:
            status = await conn.execute(QUERIES.plan_reminders, before_h, count_max)
        return int(status.split()[-1])

    async def plan_shipments(self, *, age_s: float, count_max: int) -> int:
        """Owe a report for every payment of this age that has none; how many are new."""
        async with connection(self._pool) as conn:
            status = await conn.execute(QUERIES.plan_shipments, age_s, count_max)
        return int(status.split()[-1])

    async def take_shipments(
        self, waits_s: Sequence[float], *, count_max: int, patience_s: float
    ) -> list[OwedShipment]:
        """Lease payments to tell WeChat about; the lease is the wait until the next try."""
        rows = await self._fetch(QUERIES.take_shipments, count_max, list(waits_s), patience_s)
        return [OwedShipment(**dict(row)) for row in rows]

    async def read_shipments(self, order_nos: Sequence[str]) -> Mapping[str, ShipmentFacts]:
        """The orders behind them."""
        rows = await self._fetch(QUERIES.read_shipments, list(order_nos))
        return {
            row["order_no"]: ShipmentFacts(
                facts=_facts(row, 0),
                state=row["state"],
                buyer=row["buyer"],
                openid_sealed=row["openid_sealed"],
                transaction_id=row["transaction_id"],
            )
            for row in rows
        }

    async def end_shipments(self, ended: Mapping[str, tuple[End, str]]) -> None:
        """What came of them, by subject; one that ends as due is tried again when its lease is over."""
        await self._fetch(
            QUERIES.end_shipments,
            list(ended),
            [end.value for end, _ in ended.values()],
            [outcome for _, outcome in ended.values()],
        )
        for _, outcome in ended.values():
            telemetry.DUTIES.labels("shipping", outcome).inc()

    async def correct_shipment(self, order_no: str) -> bool:
        """Tell WeChat once more, in the words of the settings now; False when it was not told, or corrected before."""
        return bool(await self._fetch(QUERIES.correct_shipment, order_no))

    async def count_frozen(self, *, overdue_h: int) -> Frozen:
        """How many paid orders wait for WeChat to hear of their delivery."""
        (row,) = await self._fetch(QUERIES.count_frozen, overdue_h)
        return Frozen(row["orders"], row["oldest_s"], row["overdue"])

    async def _fetch(self, sql: str, *args: object) -> list[asyncpg.Record]:
        async with connection(self._pool) as conn:
            return await conn.fetch(sql, *args)


def _facts(row: asyncpg.Record, refund_fen: int) -> Facts:
    return Facts(
        order_no=row["order_no"],
        event=row["event"],
        session=row["session"],
        venue=row["venue"],
        starts_ms=row["starts_ms"],
        time_zone=row["time_zone"],
        tickets=tuple(zip(row["tiers"], row["quantities"], strict=True)),
        amount_fen=row["amount_fen"],
        refund_fen=refund_fen,
    )
