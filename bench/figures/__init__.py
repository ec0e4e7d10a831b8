"""The figures of the bench, one function each: who runs, what is sent, what it is measured against.

Every figure is measured in several short rounds, each next to a round of its yardstick, so that whatever
else the machine does falls on both. "Per core" figures bind one server to one core and the generator to
another; figures of the whole stack bind nothing and let all processes share all cores.

Every round is checked before it counts: an answer that was not expected, or an order in the ledger
without a 201 or the other way round, ends the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench.figures.common import FULL, QUICK, Bench, RoundSpoilt, server_core
from bench.figures.ordering import orders, redis_time
from bench.figures.paying import callbacks, checkouts
from bench.figures.reading import polls, refusals
from bench.report import Figure

__all__ = ["FIGURES", "FULL", "QUICK", "Bench", "RoundSpoilt", "server_core"]

FIGURES: Mapping[str, Callable[[Bench], list[Figure]]] = {
    "refusals": refusals,
    "polls": polls,
    "orders": orders,
    "redis": redis_time,
    "checkouts": checkouts,
    "callbacks": callbacks,
}
