"""The statements on cancelled sessions, one method per SQL block, of the same name.

Raises PostgresAway when PostgreSQL does not answer; every statement here may be repeated without harm.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.infra.postgres import load_queries
from engine.orders.states import State
from engine.payments.cancelling.progress import Counts, Progress

if TYPE_CHECKING:
    from engine.infra.postgres import Connection

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))
LATELY_S = 60.0  # the pace is that of the last minute


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelledSession:
    """A session that does not take place. `age_s`: since it was cancelled."""

    session_id: str
    reason: str
    age_s: float
    sku_ids: tuple[str, ...]
    sale_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order of a cancelled session that nobody has paid yet, as far as we know."""

    order_no: str
    sale_id: str
    state: State


class Cancelled(enum.Enum):
    """What became of the wish to cancel a session."""

    CANCELLED = "cancelled"
    ALREADY = "already"
    UNKNOWN_SESSION = "unknown_session"


async def cancel(conn: "Connection", session_id: str, reason: str) -> Cancelled:
    """Mark the session as cancelled. The first time and reason stay; there is no way back."""
    first = await conn.fetchval(QUERIES.cancel, session_id, reason)
    if first is None:
        return Cancelled.UNKNOWN_SESSION
    return Cancelled.CANCELLED if first else Cancelled.ALREADY


async def find_cancelled(conn: "Connection") -> list[CancelledSession]:
    """Every cancelled session, the longest cancelled first."""
    return [
        CancelledSession(
            session_id=row["session_id"],
            reason=row["reason"],
            age_s=row["age_s"],
            sku_ids=tuple(row["sku_ids"]),
            sale_ids=tuple(row["sale_ids"]),
        )
        for row in await conn.fetch(QUERIES.find_cancelled)
    ]


async def find_open(conn: "Connection", session: CancelledSession, *, count_max: int) -> list[OpenOrder]:
    """Orders with tickets of the session that are held or under payment."""
    rows = await conn.fetch(QUERIES.find_open, list(session.sale_ids), list(session.sku_ids), count_max)
    return [OpenOrder(row["order_no"], row["sale_id"], State(row["state"])) for row in rows]


async def find_paid(
    conn: "Connection", sale_id: str, sku_ids: Sequence[str], *, after: bytes, count_max: int
) -> tuple[list[str], bytes]:
    """A page of paid orders that still have tickets of these SKUs, and where the next page begins."""
    rows = await conn.fetch(QUERIES.find_paid, sale_id, after, list(sku_ids), count_max)
    return [row["order_no"] for row in rows], rows[-1]["request_id"] if rows else after


async def read_progress(conn: "Connection", session_id: str) -> Progress | None:
    """How far the session's refunds have come; None when there is no such session."""
    session = await conn.fetchrow(QUERIES.read_session, session_id)
    if session is None:
        return None
    counts = await conn.fetchrow(QUERIES.count_progress, session["sku_ids"], LATELY_S)
    assert counts is not None
    return Progress(
        session_id=session_id,
        title=session["title"],
        cancelled_ms=session["cancelled_ms"],
        reason=session["reason"],
        counts=Counts(**dict(counts)),
    )
