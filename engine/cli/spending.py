"""What so many requests a second take of whom: web workers, Redis, PostgreSQL and the line to the outside. Pure.

Everything is a rate times what one costs. What a number of workers costs by being there is in it: each of them looks at
the sale in Redis a few times a second, whoever asks it what.
"""

import math
from dataclasses import dataclass

from engine.cli.unit_costs import UnitCosts

# A worker beyond this share of its core answers late, so nobody plans for more; nor for more of Redis, which has one.
WORKER_LOAD = 0.6
# How often a worker reads the line and its stock; the document is at most so old.
LOOKS_PER_S = 4
TICKS_PER_S = 4
# The connections of one worker: of its pool and of its group commits, as set by default.
POSTGRES_CONNECTIONS = 11
# A part of the polls finds nothing new.
UNCHANGED = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What comes, per second. polls: those that reach the workers. paid: the share of orders that are paid."""

    polls: float = 0.0
    lobby_joins: float = 0.0
    live_joins: float = 0.0
    positions: float = 0.0
    claims: float = 0.0
    orders: float = 0.0
    paid: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What it takes, per second: cores, and bytes of the answers to polls. poll_cores: of the web_cores, for polls."""

    web_cores: float
    poll_cores: float
    redis_cores: float
    postgres_cores: float
    bytes: float


def poll_bytes(costs: UnitCosts) -> float:
    """The answer to a poll, at the mean."""
    return UNCHANGED * costs.poll_unchanged_bytes + (1 - UNCHANGED) * costs.poll_bytes


def workers_for(web_cores: float) -> int:
    """Web workers that are busy for so many cores in all, each planned below its limit."""
    return max(1, math.ceil(web_cores / WORKER_LOAD - 1e-9))


def spending(demand: Demand, costs: UnitCosts, *, workers: int) -> Spending:
    """The cores and bytes of this demand, with so many workers there."""
    checkouts = demand.orders * demand.paid
    orders = demand.orders - checkouts
    poll_us = demand.polls * costs.web_poll_us
    web_us = (
        demand.lobby_joins * costs.web_lobby_join_us
        + demand.live_joins * costs.web_join_us
        + demand.positions * costs.web_position_us
        + demand.claims * costs.web_claim_us
        + orders * costs.web_order_us
        + checkouts * costs.web_checkout_us
    )
    redis_us = (
        (demand.lobby_joins + demand.live_joins) * costs.redis_join_us
        + demand.claims * costs.redis_claim_us
        + orders * costs.redis_order_us
        + checkouts * costs.redis_checkout_us
        + workers * LOOKS_PER_S * costs.redis_look_us
        + TICKS_PER_S * costs.redis_tick_us
    )
    postgres_us = (
        demand.lobby_joins * costs.postgres_entry_us
        + orders * costs.postgres_order_us
        + checkouts * costs.postgres_checkout_us
    )
    return Spending(
        web_cores=(poll_us + web_us) / 1e6,
        poll_cores=poll_us / 1e6,
        redis_cores=redis_us / 1e6,
        postgres_cores=postgres_us / 1e6,
        bytes=demand.polls * poll_bytes(costs),
    )
