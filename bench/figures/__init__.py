"""The figures of the bench, one function each: who runs, what is sent, what it is measured against.

Every figure is measured in several short rounds, each next to a round of its yardstick, so that whatever
else the machine does falls on both. "Per core" figures bind one server to one core and the generator to
another; figures of the whole stack bind nothing and let all processes share all cores.

Every round is checked before it counts: an answer that was not expected, or an order in the ledger
without a 201 or the other way round, ends the run.

The figures of the line and those of selling have a stack each, so that neither waits for what the other left behind.

reading     polls and refusals               joining     joins, live and into the lobby
lining      memory, ticks and positions      opening     the doors; Redis lost
claiming    passes; nothing is judged        ordering    durable orders; Redis alone
paying      checkouts and notifications      peering     other designs
saturating  what is flooded, by `flooding`   scaling     one worker, two, and more
common      pace, stack, yardstick, rounds
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.figures.claiming import claims
from bench.figures.common import FULL, QUICK, Bench, RoundSpoilt, server_core
from bench.figures.joining import joins
from bench.figures.lining import line
from bench.figures.opening import doors, recovery
from bench.figures.ordering import orders, redis_time
from bench.figures.paying import callbacks, checkouts
from bench.figures.peering import peers
from bench.figures.reading import polls, refusals
from bench.figures.saturating import (
    saturated_checkouts,
    saturated_crowded_orders,
    saturated_joins,
    saturated_orders,
    saturated_polls,
    saturated_refusals,
)
from bench.figures.scaling import scale
from bench.report import Figure
from bench.sales import FLOODED, LINING, SELLING, SaleSpec

__all__ = ["FIGURES", "FULL", "GROUPS", "HOUSES", "QUICK", "Bench", "House", "RoundSpoilt", "server_core"]


@dataclass(frozen=True, slots=True)
class House:
    """Figures that share one stack, and the sales it is brought up with."""

    name: str
    sales: Sequence[SaleSpec]
    figures: Mapping[str, Callable[[Bench], list[Figure]]]


HOUSES = (
    House(
        "line",
        LINING,
        {"polls": polls, "line": line, "joins": joins, "claims": claims, "recovery": recovery, "doors": doors},
    ),
    House(
        "selling",
        SELLING,
        {
            "refusals": refusals,
            "orders": orders,
            "redis": redis_time,
            "checkouts": checkouts,
            "callbacks": callbacks,
            "peers": peers,
        },
    ),
    House(
        "flooded",
        FLOODED,
        {
            "scale": scale,
            "saturation-polls": saturated_polls,
            "saturation-joins": saturated_joins,
            "saturation-refusals": saturated_refusals,
            "saturation-orders": saturated_orders,
            "saturation-crowded": saturated_crowded_orders,
            "saturation-checkouts": saturated_checkouts,
        },
    ),
)
FIGURES = [name for house in HOUSES for name in house.figures]
# One word for several figures.
GROUPS = {"saturation": [name for name in FIGURES if name.startswith("saturation-")]}
