"""What a drop of a given size will ask of the machines: arithmetic over unit costs and the poll policy. Pure.

The drop has four stretches. While people gather they join and wait for the draw. In the last seconds before it
everybody waits for the same instant and asks as often as the policy allows: the highest peak of polls that there is.
Then everybody asks once for the position that the draw gave, which no CDN can answer. Then the line moves at its rate,
and polls thin out, until as many people were called as the tickets last for; the others ask once more and learn that it
is over.

It is an estimate of load, not a promise: crowds tap and reload, networks repeat. Everything it takes for granted is in
`Crowd`, and the plan says it.
"""

import math
from dataclasses import dataclass

from engine.cli.polling import PollPolicy
from engine.cli.spending import TICKS_PER_S, WORKER_LOAD, Demand, poll_bytes, spending, workers_for
from engine.cli.unit_costs import UnitCosts

# A CDN asks the origin once for each edge that is asked, and again when its copy is this old.
DOCUMENT_AGE_S = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What is taken for granted about a drop.

    waiting: people in the line. lobby: the share of them that comes before the draw. within_s: how long the lobby
    takes to fill, its people coming evenly. positions_within_s: how soon after the draw they ask for theirs.
    own_positions: the share of phones that compute it from their index and the draw's seed, and do not ask.
    rate_per_s: people called a second. tickets: units for sale. show: the share of those called who come; conversion:
    the share of those who order; units: units of an order; paid: the share of orders that are paid. edges: places of
    the CDN that ask for themselves.
    """

    waiting: int
    rate_per_s: float
    tickets: int
    lobby: float = 0.8
    within_s: float = 600.0
    positions_within_s: float = 3.0
    own_positions: float = 0.0
    show: float = 0.8
    conversion: float = 0.8
    units: float = 1.6
    paid: float = 0.85
    edges: int = 200

    @property
    def called(self) -> int:
        """People called until the tickets are gone, or everybody."""
        return min(self.waiting, math.ceil(self.tickets / (self.units * self.show * self.conversion)))

    @property
    def orders(self) -> int:
        return min(math.ceil(self.tickets / self.units), math.ceil(self.called * self.show * self.conversion))

    @property
    def lasts_s(self) -> float:
        """From the first call to the last."""
        return self.called / self.rate_per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One stretch of the drop, per second: requests, bytes, and what they take of whom.

    demand: the requests once more, as they are reckoned with. web_cores: cores that web workers are busy with;
    poll_cores: those of them that polls take, if no CDN stands before them. redis_share, postgres_share: of one core.
    """

    demand: Demand
    polls: float
    joins: float
    positions: float
    claims: float
    orders: float
    bytes: float
    poll_cores: float
    web_cores: float
    redis_share: float
    postgres_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole: what is stored, what comes per second and in all, and what answers it.

    workers_alone: web workers if every poll reaches them; workers_behind_cdn: if the CDN keeps all it can.
    cdn_share: the share of polls that a CDN has to answer for `workers` to suffice, 0 to 1; None when they cannot
    even carry what no CDN can take from them.
    """

    crowd: Crowd
    workers: int
    redis_bytes: float
    lobby_rows: int
    lobby_bytes: float
    admission_rows: int
    order_rows: int
    tick_rows: int
    joining: Load
    before_draw: Load
    after_draw: Load
    moving: Load
    polls: float
    bytes: float
    workers_alone: int
    workers_behind_cdn: int
    cdn_polls_left_per_s: float
    cdn_share: float | None

    @property
    def stretches(self) -> dict[str, Load]:
        return {
            "joining": self.joining,
            "before_draw": self.before_draw,
            "after_draw": self.after_draw,
            "moving": self.moving,
        }


def plan(crowd: Crowd, costs: UnitCosts, policy: PollPolicy, *, workers: int) -> Plan:
    """The plan of a drop, for so many web workers of one core each."""
    in_lobby = round(crowd.waiting * crowd.lobby)
    joins_per_s = in_lobby / crowd.within_s
    live_s = min(crowd.within_s, crowd.lasts_s) if crowd.lasts_s else crowd.within_s
    # Whoever waits for the draw has waits of every length before them, like a line that moves at the rate of the joins.
    lobby_polls = policy.polls(in_lobby, rate_per_s=joins_per_s, for_s=crowd.within_s) if in_lobby else 0.0
    line_polls_per_s = policy.polls_per_s(crowd.waiting, rate_per_s=crowd.rate_per_s)
    asking = in_lobby * (1 - crowd.own_positions)  # the others compute it from the index they know and the seed
    joining, before_draw, after_draw, moving = (
        _load(demand, costs, workers=workers)
        for demand in (
            Demand(polls=lobby_polls / crowd.within_s, lobby_joins=joins_per_s),
            Demand(polls=policy.polls_at_standstill(in_lobby, wait_s=0)),
            Demand(polls=line_polls_per_s, positions=asking / crowd.positions_within_s),
            Demand(
                polls=line_polls_per_s,
                live_joins=(crowd.waiting - in_lobby) / live_s,
                claims=crowd.rate_per_s * crowd.show,
                orders=crowd.rate_per_s * crowd.show * crowd.conversion,
                paid=crowd.paid,
            ),
        )
    )
    stretches = (joining, before_draw, after_draw, moving)
    left_per_s = min(crowd.edges / DOCUMENT_AGE_S, before_draw.polls)
    left_cores = left_per_s * costs.web_poll_us / 1e6
    line_polls = policy.polls(crowd.waiting, rate_per_s=crowd.rate_per_s, for_s=crowd.lasts_s)
    polls = lobby_polls + line_polls + crowd.waiting - crowd.called
    return Plan(
        crowd=crowd,
        workers=workers,
        redis_bytes=crowd.waiting * costs.redis_line_bytes,
        lobby_rows=in_lobby,
        lobby_bytes=in_lobby * costs.postgres_entry_bytes,
        admission_rows=math.ceil(crowd.called * crowd.show),
        order_rows=crowd.orders,
        tick_rows=math.ceil(crowd.lasts_s * TICKS_PER_S),
        joining=joining,
        before_draw=before_draw,
        after_draw=after_draw,
        moving=moving,
        polls=polls,
        bytes=polls * poll_bytes(costs),
        workers_alone=max(workers_for(load.web_cores) for load in stretches),
        workers_behind_cdn=max(
            # Where few wait, a CDN of many edges asks no more often than they would.
            workers_for(load.web_cores - load.poll_cores + min(left_cores, load.poll_cores))
            for load in stretches
        ),
        cdn_polls_left_per_s=left_per_s,
        cdn_share=_cdn_share(stretches, workers),
    )


def _load(demand: Demand, costs: UnitCosts, *, workers: int) -> Load:
    spent = spending(demand, costs, workers=workers)
    return Load(
        demand=demand,
        polls=demand.polls,
        joins=demand.lobby_joins + demand.live_joins,
        positions=demand.positions,
        claims=demand.claims,
        orders=demand.orders,
        bytes=spent.bytes,
        poll_cores=spent.poll_cores,
        web_cores=spent.web_cores,
        redis_share=spent.redis_cores,
        postgres_share=spent.postgres_cores,
    )


def _cdn_share(stretches: tuple[Load, ...], workers: int) -> float | None:
    """The least share of polls that may be kept from the workers in every stretch."""
    share = 0.0
    for load in stretches:
        room = workers * WORKER_LOAD - (load.web_cores - load.poll_cores)
        if room < 0:
            return None
        if load.poll_cores > room:
            share = max(share, 1 - room / load.poll_cores)
    return share
