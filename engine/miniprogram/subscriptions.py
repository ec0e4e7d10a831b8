"""What buyers agreed to be told: each acceptance in wx.requestSubscribeMessage is good for one message.

A report of acceptances counts once, however often the phone repeats it: its Idempotency-Key is written down in the
same transaction. Raises PostgresAway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import orjson

from engine.config import MessageKind, MessageTemplate
from engine.infra.postgres import connection, transaction
from engine.miniprogram.kinds import duty_of
from engine.miniprogram.queries import QUERIES

if TYPE_CHECKING:
    from engine.infra.postgres import Pool

ACCEPT = "accept"
COUNT_MAX = 100  # acceptances of one buyer for one kind; what is more is no use to anybody
KEPT_S = 7 * 86_400.0  # no phone repeats a report for longer


@dataclass(frozen=True, slots=True)
class Report:
    """What wx.requestSubscribeMessage answered, reduced to what was accepted."""

    accepted: tuple[MessageKind, ...]
    digest: bytes


def read_report(body: object, templates: Mapping[MessageKind, MessageTemplate]) -> Report | None:
    """{"kinds": [...], "results": {template id: "accept" | ...}}, or None where it is something else.

    `kinds` are what was asked for, each with a template here and a result. Whatever is not "accept" is a no.
    """
    if not isinstance(body, dict) or body.keys() != {"kinds", "results"}:
        return None
    kinds, results = body["kinds"], body["results"]
    if not isinstance(kinds, list) or not isinstance(results, dict):
        return None
    known = {kind.value: kind for kind in templates}
    if not kinds or not all(isinstance(kind, str) and kind in known for kind in kinds) or len(set(kinds)) != len(kinds):
        return None
    asked = [known[kind] for kind in kinds]
    if not all(isinstance(results.get(templates[kind].template_id), str) for kind in asked):
        return None
    accepted = tuple(kind for kind in asked if results[templates[kind].template_id] == ACCEPT)
    said = orjson.dumps([sorted(kinds), sorted(accepted)])
    return Report(accepted, blake2b(said, digest_size=16).digest())


def request_id_of(buyer: bytes, key: str) -> bytes:
    """The id of a report: the key belongs to its buyer."""
    return blake2b(buyer + key.encode(), digest_size=16, person=b"subscribe").digest()


class Subscriptions:
    """The table of acceptances."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read(self, buyer: bytes) -> dict[str, int]:
        """How many messages of each kind the buyer accepts."""
        async with connection(self._pool) as conn:
            return {row["kind"]: row["count"] for row in await conn.fetch(QUERIES.read_subscriptions, buyer)}

    async def add(self, buyer: bytes, key: str, report: Report) -> bool:
        """Count what was accepted, once for each key; False when the key was used for another report."""
        request_id = request_id_of(buyer, key)
        async with transaction(self._pool) as conn:
            if await conn.fetchval(QUERIES.keep_subscription_request, request_id, report.digest) is None:
                return bool(await conn.fetchval(QUERIES.read_subscription_request, request_id) == report.digest)
            if report.accepted:
                await conn.execute(QUERIES.add_subscriptions, buyer, _kinds(report.accepted), COUNT_MAX)
                await conn.execute(QUERIES.wake_messages, buyer, [duty_of(kind) for kind in report.accepted])
        return True

    async def forget(self) -> bool:
        """Drop keys that nobody repeats any more. A job: there is never more to do at once."""
        async with connection(self._pool) as conn:
            await conn.execute(QUERIES.forget_subscription_requests, KEPT_S)
        return False


def _kinds(accepted: Sequence[MessageKind]) -> list[str]:
    return [kind.value for kind in accepted]
