"""What the pacing remembers from tick to tick. It lies beside the tick in Redis, so whichever worker computes the next
one goes on where the last one stopped.

The bytes are read by other versions of the engine too while it is being replaced: what cannot be read is a fresh
start, never an error.
"""

from dataclasses import astuple, dataclass
from typing import Any

import msgpack

from engine.line.pacing.estimates import Counted, Estimates, Share
from engine.line.pacing.health import Limit
from engine.line.pacing.passes import Mark, PassHistory

VERSION = 1
TRAIL_COUNT_MAX = 6  # ticks that moved, a second and a half of them: whoever ticks next can write them down


@dataclass(frozen=True, slots=True)
class TickRow:
    """One tick for the log: the heads after it, what it saw, and how many people it called."""

    tick: int
    at_ms: int
    heads: tuple[int, ...]
    free: int
    held: int
    admitted: int
    released: int


UNTAUGHT, NOTHING_COUNTED, UNTRIED, NO_PASSES = Estimates(), Counted(), Limit(), PassHistory()


@dataclass(frozen=True, slots=True)
class Memory:
    """allowance: people who may be called by the rate and were not yet; None before the first tick. deficits and
    rates: by lane, people owed and people called a second. settled_ms: the newest checkpoint that is part of the show
    rate. passes: what became of them lately. trail: the newest ticks that moved."""

    estimates: Estimates = UNTAUGHT
    counted: Counted = NOTHING_COUNTED
    limit: Limit = UNTRIED
    allowance: float | None = None
    deficits: tuple[float, ...] = ()
    rates: tuple[float, ...] = ()
    settled_ms: int = -1
    passes: PassHistory = NO_PASSES
    trail: tuple[TickRow, ...] = ()

    def pack(self) -> bytes:
        """A few hundred bytes."""
        packed: bytes = msgpack.packb([VERSION, *astuple(self)])
        return packed

    @classmethod
    def unpack(cls, packed: bytes) -> "Memory":
        """What was packed; a fresh memory for nothing, or for what another version packed."""
        if not packed:
            return cls()
        try:
            version, *parts = msgpack.unpackb(packed, use_list=False)
            return cls._of(*parts) if version == VERSION else cls()
        except (ValueError, TypeError, msgpack.UnpackException):
            return cls()

    @classmethod
    def _of(
        cls,
        estimates: Any,
        counted: Any,
        limit: Any,
        allowance: Any,
        deficits: Any,
        rates: Any,
        settled_ms: Any,
        passes: Any,
        trail: Any,
    ) -> "Memory":
        show, conversion, lapse, units = estimates
        marks, lapsed_before = passes
        return cls(
            Estimates(Share(*show), Share(*conversion), Share(*lapse), units),
            Counted(*counted),
            Limit(*limit),
            allowance,
            deficits,
            rates,
            settled_ms,
            PassHistory(tuple(Mark(*mark) for mark in marks), lapsed_before),
            tuple(TickRow(*row) for row in trail),
        )
