"""The lists behind lanes: who is a member, which codes there are. Adding is all there is; repeating it is harmless."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from engine.line.eligibility.eligibility import QUERIES

if TYPE_CHECKING:
    from engine.infra.postgres import Connection

PAGE_COUNT = 10_000


@dataclass(frozen=True, slots=True)
class KeyCounts:
    """How many people a lane knows, how many codes it has, and how many of them are in somebody's hands."""

    members: int = 0
    codes: int = 0
    codes_used: int = 0


async def add_members(conn: "Connection", sale_id: str, lane: int, buyers: Iterable[bytes]) -> int:
    """Let these buyers join a lane; how many of them are new."""
    added, rest = 0, iter(buyers)
    async with conn.transaction():
        while page := list(islice(rest, PAGE_COUNT)):
            added += _count(await conn.execute(QUERIES.put_members, sale_id, lane, page))
    return added


async def add_codes(conn: "Connection", sale_id: str, lane: int, digests: Sequence[bytes]) -> int:
    """Keep these codes for a lane; how many of them are new."""
    added = 0
    async with conn.transaction():
        for at in range(0, len(digests), PAGE_COUNT):
            added += _count(await conn.execute(QUERIES.put_codes, sale_id, lane, digests[at : at + PAGE_COUNT]))
    return added


async def count_keys(conn: "Connection", sale_id: str) -> dict[int, KeyCounts]:
    """The counts of every lane that has any, by ordinal."""
    rows = await conn.fetch(QUERIES.count_keys, sale_id)
    return {row["lane"]: KeyCounts(row["members"], row["codes"], row["used"]) for row in rows}


def _count(status: str) -> int:
    return int(status.rsplit(" ", 1)[1])  # "INSERT 0 7"
