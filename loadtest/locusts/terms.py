"""What one round is played by: decided once, where Locust's master is, and sent to every worker with its first order.

Moments are those of the engine's clock, which every worker reads for itself; so machines whose clocks differ still
play the same curve. Pure.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from loadtest.crowd.organizer import May
from loadtest.profiles.casting import MEMBERS_LISTED, Visitor

KEY = "floodgate_terms"
"""Under this name the terms travel among Locust's options."""
LATECOMERS = 10_000_000
"""A worker that came after the round began draws people from here on, ten million to each."""


@dataclass(frozen=True, slots=True)
class Terms:
    number: int
    """Of the round, in the life of this Locust."""
    profile: dict[str, Any]
    """The story as its model dumps it, before it is fitted to the sale."""
    pace: float | None
    fans_seed: int
    """Members are on a list, so they are drawn from the story's own seed and not from the round's."""
    public_url: str
    wechat_url: str
    sale: str
    admin_urls: tuple[str, ...]
    admin_key: str
    organizer: May
    curve_ms: int
    """The moment from which the story's curve counts."""
    lobby: float
    """Moments before it are multiplied with this: a shorter lobby than the story's is a denser one."""
    ranks: dict[str, int]
    """Worker to its place among all of them."""

    def packed(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def unpacked(cls, said: dict[str, Any]) -> Self:
        return cls(**{**said, "admin_urls": tuple(said["admin_urls"])})

    @property
    def ends_ms(self) -> int:
        """Then everybody who still asks is sent home."""
        return self.curve_ms + round(float(self.profile["run"]["after_opening_s"]) * 1000)

    def numbers(self, client_id: str, *, index: int) -> Iterator[int]:
        """The people whom a worker draws; no other worker has one of them."""
        rank = self.ranks.get(client_id)
        if rank is None:
            return iter(range((index + 1) * LATECOMERS, (index + 2) * LATECOMERS))
        return itertools.count(rank, len(self.ranks))

    def fans(self, client_id: str) -> Iterator[int]:
        """The listed members whom a worker draws; a worker that came late has none."""
        rank = self.ranks.get(client_id)
        return iter(()) if rank is None else iter(range(rank, MEMBERS_LISTED, len(self.ranks)))

    def part(self, visitors: Sequence[Visitor], client_id: str) -> Sequence[Visitor]:
        """A worker's share of an open curve; a worker that came late has none."""
        rank = self.ranks.get(client_id)
        return [] if rank is None else visitors[rank :: len(self.ranks)]


def beginning(*, now_ms: int, opens_ms: int, lobby_s: float) -> tuple[int, float]:
    """When the curve counts from, and what the lobby's moments are multiplied with.

    A sale that opens later gives the moment, and its lobby is as long as there is time. A sale that is open already
    sees the whole curve, gathering included, from now on.
    """
    left_s = (opens_ms - now_ms) / 1000
    if left_s <= 0:
        return now_ms + math.ceil(lobby_s * 1000), 1.0
    return opens_ms, min(1.0, left_s / lobby_s) if lobby_s > 0 else 1.0
