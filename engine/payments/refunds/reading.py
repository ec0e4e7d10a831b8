"""Reading refunds: what was decided for an order, and what its tickets would give back now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from engine.infra.postgres import connection, load_queries
from engine.orders.records import Order
from engine.payments.refunds.book import QUERIES, standing_of
from engine.payments.refunds.deciding import Standing
from engine.payments.refunds.policy import Offer, Offered, Tier, offer
from engine.stock.claim import Item

if TYPE_CHECKING:
    import asyncpg

    from engine.infra.postgres import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRow:
    """A refund as it is written down."""

    out_refund_no: str
    order_no: str
    stage: str
    cause: str
    amount_fen: int
    reason: str
    refund_id: str | None
    mchid: str
    last_code: str | None
    created_at: datetime
    sent_at: datetime | None
    success_at: datetime | None
    items: tuple[Item, ...]

    def document(self) -> dict[str, Any]:
        """As its buyer sees it."""
        return {
            "refund": self.out_refund_no,
            "state": self.stage,
            "cause": self.cause,
            "amount_fen": self.amount_fen,
            "items": [{"sku": item.sku_id, "quantity": item.quantity} for item in self.items],
            "created_ms": _ms(self.created_at),
            "success_ms": _ms(self.success_at),
        }

    def organizers_document(self) -> dict[str, Any]:
        """As an organizer sees it."""
        return {
            **self.document(),
            "order_no": self.order_no,
            "reason": self.reason,
            "mchid": self.mchid,
            "refund_id": self.refund_id,
            "code": self.last_code,
            "sent_ms": _ms(self.sent_at),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the sale of an order promises about refunds; `sessions`: when each starts, and whether it is cancelled."""

    tiers: tuple[Tier, ...]
    zone: ZoneInfo
    units_back: bool
    sessions: Mapping[str, tuple[datetime, bool]]

    def offer(self, standing: Standing, items: Sequence[Item] = ()) -> Offer:
        """What these tickets would give at the standing's moment; without any, every ticket that gives something."""
        tickets = {ticket.sku_id: ticket for ticket in standing.tickets}
        asked = [item for item in items if item.sku_id in tickets]
        if not items:
            asked = [Item(ticket.sku_id, ticket.left) for ticket in standing.tickets if ticket.left > 0]
        offered = []
        for item in asked:
            ticket = tickets[item.sku_id]
            starts_at, cancelled = self.sessions[ticket.session_id]
            offered.append(
                Offered(
                    sku_id=item.sku_id,
                    quantity=item.quantity,
                    price_fen=ticket.price_fen,
                    starts_at=starts_at,
                    cancelled=cancelled,
                )
            )
        found = offer(offered, self.tiers, self.zone, standing.now)
        return found if items else Offer(tuple(line for line in found.lines if line.percent > 0))


class RefundReader:
    """Reads refunds, and decides nothing. Raises PostgresAway."""

    def __init__(self, pool: "Pool") -> None:
        self._pool = pool
        self._sql = load_queries(QUERIES)

    async def of_order(self, order_no: str) -> list[RefundRow]:
        """The refunds of an order, the oldest first."""
        async with connection(self._pool) as conn:
            return [_row(row) for row in await conn.fetch(self._sql.list_refunds, [order_no])]

    async def read(self, out_refund_no: str) -> RefundRow | None:
        """One refund."""
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(self._sql.show_refund, out_refund_no)
        return None if row is None else _row(row)

    async def standing(self, order_no: str) -> Standing | None:
        """The order as it stands now; by the time of a decision it may have moved."""
        async with connection(self._pool) as conn:
            row = await conn.fetchrow(self._sql.read_standings, [order_no])
        return None if row is None else standing_of(row)

    async def terms(self, order: Order) -> Terms:
        """What was promised to the buyer of this order, as the catalog says it now."""
        async with connection(self._pool) as conn:
            sale = await conn.fetchrow(self._sql.read_terms, order.sale_id)
            sessions = await conn.fetch(self._sql.read_sessions, [item.sku_id for item in order.items])
        assert sale is not None, "an order has a sale"
        tiers = zip(sale["days_before"] or (), sale["percents"] or (), strict=True)
        return Terms(
            tiers=tuple(Tier(days_before=days, percent=percent) for days, percent in tiers),
            zone=ZoneInfo(sale["time_zone"]),
            units_back=sale["refund_units_back"],
            sessions={row["session_id"]: (row["starts_at"], row["cancelled"]) for row in sessions},
        )


def _ms(when: datetime | None) -> int | None:
    return None if when is None else round(when.timestamp() * 1000)


def _row(row: "asyncpg.Record") -> RefundRow:
    fields = dict(row)
    items = zip(fields.pop("sku_ids") or (), fields.pop("quantities") or (), strict=True)
    return RefundRow(**fields, items=tuple(Item(*item) for item in items))
