"""Runs the audit of a line over the ledger's log, streamed: a week of ticks fits into no memory."""

from typing import TYPE_CHECKING

from engine.console.line.audit import OFFENDERS_MAX, LineAudit, PassLine, TickLine
from engine.console.line.reading import QUERIES

if TYPE_CHECKING:
    from engine.infra.postgres import Connection

TICK = 0
PREFETCH_COUNT = 5_000
BUYER_HEX_DIGITS = 12  # enough to find a person, too little to be one


async def audit_line(conn: "Connection", sale_id: str) -> LineAudit | None:
    """The audit of a sale's line, or None when there is no such sale. One moment: all of it is read in one snapshot."""
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        last = await conn.fetchrow(QUERIES.read_last_heads, sale_id)
        if last is None:
            return None
        audit = LineAudit(last_epoch=last["epoch"], last_heads=tuple(last["heads"]))
        async for row in conn.cursor(QUERIES.read_audit_log, sale_id, prefetch=PREFETCH_COUNT):
            if row["kind"] == TICK:
                audit.tick(TickLine(row["epoch"], row["tick"], tuple(row["heads"]), row["released"]))
            else:
                buyer = row["buyer"].hex()[:BUYER_HEX_DIGITS]
                audit.passed(
                    PassLine(row["epoch"], row["tick"], row["lane"], row["position"], buyer, settled=row["settled"])
                )
        audit.end()
        for row in await conn.fetch(QUERIES.find_moved_buyers, sale_id, OFFENDERS_MAX):
            places = ", ".join(f"{position:,}" for position in row["positions"])
            buyer = row["buyer"].hex()[:BUYER_HEX_DIGITS]
            audit.accuse(
                f"buyer {buyer} had several places of lane {row['lane'] + 1} in epoch {row['epoch']}: {places}"
            )
        for row in await conn.fetch(QUERIES.find_shared_places, sale_id, OFFENDERS_MAX):
            audit.accuse(f"place {row['position']:,} of lane {row['lane'] + 1} was {row['buyers']} buyers'")
    return audit
