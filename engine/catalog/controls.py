"""What operators change while a sale runs: pause, pace, challenge, and units put up again.

Each is one statement and may be repeated. Nothing here touches Redis: a follower carries what was committed, and
whoever calls may ask it to do so at once.
"""

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.catalog import bounds
from engine.catalog.records import Challenge
from engine.infra.postgres import load_queries

if TYPE_CHECKING:
    from engine.infra.postgres import Connection

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))


class Keep(enum.Enum):
    """In place of a value: leave it as it is, for None is a value."""

    KEEP = enum.auto()


KEEP = Keep.KEEP


class Steered(enum.Enum):
    """What became of a change."""

    DONE = enum.auto()
    UNKNOWN_SALE = enum.auto()
    NO_PACE = enum.auto()  # neither a rate nor a concurrency would be left
    NOT_FINAL = enum.auto()  # the sale is not sold out for good, so there is nothing to put up again
    NOTHING_BACK = enum.auto()  # no unit came back: a new round would raise hopes and end at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Steering:
    """How a line shall go on. rate: people let through a second; concurrency: people at the till; None: no bound."""

    rate: int | Keep | None = KEEP
    concurrency: int | Keep | None = KEEP
    challenge: Challenge | Keep = KEEP

    @property
    def within_bounds(self) -> bool:
        """Whether every number makes sense."""
        return _between(self.rate, bounds.LINE_RATE_MAX) and _between(self.concurrency, bounds.LINE_CONCURRENCY_MAX)


def _between(number: int | Keep | None, most: int) -> bool:
    return not isinstance(number, int) or 1 <= number <= most


async def set_paused(conn: "Connection", sale_id: str, paused: bool) -> bool:
    """Pause or resume a sale; False when there is no such sale. Repeating it is harmless."""
    return await conn.fetchval(QUERIES.set_paused, sale_id, paused) is not None


async def steer(conn: "Connection", sale_id: str, steering: Steering) -> Steered:
    """Change pace and challenge of a sale's line. Workers follow within a second."""
    changed = await conn.fetchval(
        QUERIES.steer_line,
        sale_id,
        steering.rate is not KEEP,
        None if steering.rate is KEEP else steering.rate,
        steering.concurrency is not KEEP,
        None if steering.concurrency is KEEP else steering.concurrency,
        None if steering.challenge is KEEP else steering.challenge.value,
    )
    if changed is not None:
        return Steered.DONE
    known = await conn.fetchrow(QUERIES.find_sale, sale_id)
    return Steered.UNKNOWN_SALE if known is None else Steered.NO_PACE


async def reopen(conn: "Connection", sale_id: str) -> Steered:
    """Put the units that came back up again, in a new round of a sale that was sold out for good."""
    if await conn.fetchval(QUERIES.reopen_sale, sale_id) is not None:
        return Steered.DONE
    known = await conn.fetchrow(QUERIES.find_sale, sale_id)
    if known is None:
        return Steered.UNKNOWN_SALE
    return Steered.NOTHING_BACK if known["final"] else Steered.NOT_FINAL
