"""A small shop in the database: a concert with two evenings, buyers with sealed openids, orders that are paid."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.web.buyers import Privacy

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

CATALOG = """
insert into events values ('spring', 'Spring');
insert into sessions values ('fri', 'spring', 'Friday', 'Hall', '2027-06-11 11:30+00'),
                            ('sat', 'spring', 'Saturday', 'Hall', '2027-06-12 11:30+00');
insert into skus (sku_id, session_id, title, price_fen, capacity, per_order_max)
values ('fri-floor', 'fri', 'Floor', 10000, 100, 4), ('sat-floor', 'sat', 'Floor', 10000, 100, 4),
       ('sat-stand', 'sat', 'Stand', 5000, 100, 4);
insert into sales (sale_id, title, lane, opens_at, closes_at, time_zone, hold_s, per_buyer_max, line_rate)
values ('spring', 'Spring', 'public', now() - interval '1 hour', now() + interval '1 hour', 'Asia/Shanghai', 60, 4, 9);
insert into sale_skus values ('spring', 'fri-floor', 1), ('spring', 'sat-floor', 2), ('spring', 'sat-stand', 3);
"""


@dataclass(slots=True)
class Shop:
    """What happened before the messenger and the shipper look."""

    pool: Pool
    privacy: Privacy

    async def buyer(self, openid: str) -> bytes:
        buyer = self.privacy.buyer_of(openid)
        sealed = self.privacy.seal_openid(openid, secrets.token_bytes(12))
        await self.pool.execute("insert into buyers values ($1, $2) on conflict do nothing", buyer, sealed)
        return buyer

    async def order(
        self, openid: str = "oBuyer", *, state: str = "paid", amount_fen: int = 25_000, **units: int
    ) -> str:
        """A paid order of these units (`sat_floor=2`), its payment, and no duty yet."""
        order_no, buyer = secrets.token_hex(16), await self.buyer(openid)
        await self.pool.execute(
            "insert into orders (order_no, sale_id, buyer, request_id, body_digest, state, amount_fen, deadline)"
            " values ($1, 'spring', $2, $3, '', $4::order_state, $5, now())",
            order_no,
            buyer,
            secrets.token_bytes(16),
            state,
            amount_fen,
        )
        for sku, quantity in (units or {"sat_floor": 2, "sat_stand": 1}).items():
            await self.pool.execute(
                "insert into order_items values ($1, 'spring', $2, $3, 5000)", order_no, sku.replace("_", "-"), quantity
            )
        await self.pool.execute(
            "insert into payments values ($1, $2, 'spring', '1900000001', $3, now(), 'notify')",
            f"42000{order_no[:20]}",
            order_no,
            amount_fen,
        )
        return order_no

    async def owe(self, kind: str, order_no: str, subject: str | None = None) -> None:
        """As the rooms that move money do it."""
        await self.pool.execute(
            "insert into duties (kind, subject, order_no) values ($1, $2, $3)", kind, subject or order_no, order_no
        )

    async def accept(self, kind: str, openid: str = "oBuyer", count: int = 1) -> None:
        await self.pool.execute("insert into subscriptions values ($1, $2, $3)", await self.buyer(openid), kind, count)

    async def accepted(self, kind: str, openid: str = "oBuyer") -> int:
        return int(
            await self.pool.fetchval(
                "select coalesce(max(count), 0) from subscriptions where buyer = $1 and kind = $2",
                self.privacy.buyer_of(openid),
                kind,
            )
        )

    async def duties(self, kind: str) -> list[tuple[str, str | None]]:
        """(state, outcome) of every duty of this kind, the oldest first."""
        rows = await self.pool.fetch(
            "select state::text as state, outcome from duties where kind = $1 order by created_at, subject", kind
        )
        return [(row["state"], row["outcome"]) for row in rows]

    async def let_time_pass(self) -> None:
        """Every wait and every lease is over."""
        await self.sql("update duties set due_at = now()")

    async def sql(self, statement: str, *args: Any) -> None:
        await self.pool.execute(statement, *args)


async def open_shop(pool: Pool) -> Shop:
    await pool.execute(CATALOG)
    return Shop(pool, Privacy(b"digest-key-for-tests", bytes(range(32))))
