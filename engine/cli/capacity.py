"""What a site can carry of a demand, and what of it runs out first. Pure.

A site is what can be bought: cores for web workers, shards of Redis, one PostgreSQL, a line to the outside. One thing
cannot be bought: the units of one sale live in one slot of Redis, which is one core. Whatever has the greatest share of
itself in use is the first bottleneck: as demand grows evenly it is the first to be full.
"""

from dataclasses import dataclass, replace

from engine.cli.planning import DOCUMENT_AGE_S
from engine.cli.spending import (
    LOOKS_PER_S,
    POSTGRES_CONNECTIONS,
    TICKS_PER_S,
    WORKER_LOAD,
    Demand,
    spending,
    workers_for,
)
from engine.cli.unit_costs import UnitCosts


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What there is. postgres_connections: what the server is set to, and what a pooler before it would offer."""

    web_cores: int = 64
    redis_shards: int = 3
    postgres_cores: int = 16
    postgres_connections: int = 500
    uplink_gbit_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One resource: what is needed of it and what is there. Cores are planned below their limit."""

    name: str
    unit: str
    needed: float
    there: float

    @property
    def share(self) -> float:
        return self.needed / self.there


def needs(demand: Demand, costs: UnitCosts, site: Site, *, sales: int = 1, edges: int = 0) -> list[Need]:
    """What the demand, spread evenly over so many sales, needs of each resource.

    edges: places of a CDN before the line's document, each of which asks once for each document and second; 0: none.
    """
    if edges:
        demand = replace(demand, polls=min(demand.polls, edges * sales / DOCUMENT_AGE_S))
    # The looks are counted below, for every sale; workers and stores do not depend on them.
    spent = spending(demand, costs, workers=0)
    workers = workers_for(spent.web_cores)
    ticks = TICKS_PER_S * costs.redis_tick_us / 1e6
    looks = workers * LOOKS_PER_S * costs.redis_look_us / 1e6
    one_sale = (spent.redis_cores - ticks) / sales + ticks + looks
    return [
        Need(name="web workers", unit="cores", needed=spent.web_cores / WORKER_LOAD, there=site.web_cores),
        Need(name="Redis, the slot of one sale", unit="cores", needed=one_sale / WORKER_LOAD, there=1),
        Need(name="Redis, all shards", unit="cores", needed=one_sale * sales / WORKER_LOAD, there=site.redis_shards),
        Need(name="PostgreSQL", unit="cores", needed=spent.postgres_cores / WORKER_LOAD, there=site.postgres_cores),
        Need(
            name="connections to PostgreSQL",
            unit="",
            needed=workers * POSTGRES_CONNECTIONS,
            there=site.postgres_connections,
        ),
        Need(name="the line to the outside", unit="Gbit/s", needed=spent.bytes * 8 / 1e9, there=site.uplink_gbit_s),
    ]


def first_full(found: list[Need]) -> Need:
    """The first bottleneck."""
    return max(found, key=lambda need: need.share)
