"""The tables of docs/planning.md: real peaks, computed from the unit costs that are shipped, so that they cannot drift.

`python -m bench.planning_page` writes them anew, and so does `python -m bench --ship`; a test compares.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from bench.servers import ROOT
from engine.cli.capacity import Need, Site, first_full, needs
from engine.cli.plan_rates import amount
from engine.cli.polling import PollPolicy
from engine.cli.spending import WORKER_LOAD, Demand, poll_bytes
from engine.cli.unit_costs import UnitCosts, shipped
from engine.line.front.document import POLL_POLICY

PAGE = ROOT / "docs" / "planning.md"
EDGES = 200
_BLOCK = re.compile(r"(<!-- computed: (?P<name>[a-z0-9-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """One real peak: what came, and how many sales it was spread over."""

    demand: Demand
    sales: int

    def command(self, *, edges: int) -> str:
        """What computes the same on a terminal."""
        given = {
            "--polls": self.demand.polls,
            "--orders": self.demand.orders,
            "--paid": self.demand.paid,
            "--claims": self.demand.claims,
            "--sales": self.sales,
            "--edges": edges,
        }
        return "floodgate plan-rates " + " ".join(
            f"{name} {round(value, 4):.10g}" for name, value in given.items() if value
        )


def _at_the_floor(people: int) -> int:
    """Polls a second of so many people who all wait for the same instant, by the policy of the document."""
    return round(PollPolicy.told(POLL_POLICY).polls_at_standstill(people, wait_s=0))


# What each number stands on is told on the page.
PEAKS: Mapping[str, Peak] = {
    "eras": Peak(demand=Demand(polls=162_000, orders=31, paid=0.85), sales=52),
    "eras-line": Peak(demand=Demand(polls=_at_the_floor(3_500_000)), sales=52),
    "12306-2014": Peak(demand=Demand(polls=240_000, orders=351, paid=0.57), sales=5000),
    "12306-2018": Peak(demand=Demand(polls=1_740_000, orders=700, paid=0.85), sales=5000),
    "jay-chou": Peak(demand=Demand(polls=_at_the_floor(890_000), orders=2500, paid=0.85, claims=3125), sales=1),
}


def computed(name: str, costs: UnitCosts) -> str:
    """What stands in the block of this name."""
    return _costs(costs) if name == "costs" else _peak(PEAKS[name], costs)


def renewed(page: str, costs: UnitCosts) -> str:
    """The page with every block computed anew. Raises KeyError for a block that nobody computes."""
    return _BLOCK.sub(lambda found: found[1] + computed(found["name"], costs) + found[3], page)


def renew() -> None:
    """Write the page's blocks anew from what is shipped."""
    PAGE.write_text(renewed(PAGE.read_text(), shipped()))


def _costs(costs: UnitCosts) -> str:
    rows = (
        ("a poll of the line", costs.web_poll_us, 0.0, 0.0),
        ("a live join", costs.web_join_us, costs.redis_join_us, 0.0),
        ("a join into the lobby", costs.web_lobby_join_us, costs.redis_join_us, costs.postgres_entry_us),
        ("a pass", costs.web_claim_us, costs.redis_claim_us, 0.0),
        ("an order, until its 201", costs.web_order_us, costs.redis_order_us, costs.postgres_order_us),
        (
            "a paid checkout, its order included",
            costs.web_checkout_us,
            costs.redis_checkout_us,
            costs.postgres_checkout_us,
        ),
        ("a worker's look at a sale", 0.0, costs.redis_look_us, 0.0),
    )
    lines = ["| microseconds of one core | web worker | Redis | PostgreSQL |", "|---|---|---|---|"]
    lines += [f"| {what} | {' | '.join(f'{us:,.1f}' if us else '' for us in spent)} |" for what, *spent in rows]
    told = f"Measured on: {costs.machine}. A poll is answered with {poll_bytes(costs):.0f} bytes."
    return "\n".join([*lines, "", told]) + "\n"


def _peak(peak: Peak, costs: UnitCosts) -> str:
    alone = needs(peak.demand, costs, Site(), sales=peak.sales)
    behind = needs(peak.demand, costs, Site(), sales=peak.sales, edges=EDGES)
    lines = [
        f"| resource | there | needed | in use | behind a CDN of {EDGES} edges | in use |",
        "|---|---|---|---|---|---|",
    ]
    for one, other in zip(alone, behind, strict=True):
        there = amount(one.there, one.unit)
        cells = (one.name, there, amount(one.needed, one.unit), _share(one), amount(other.needed, other.unit))
        lines.append(f"| {' | '.join(cells)} | {_share(other)} |")
    poll_cores = peak.demand.polls * costs.web_poll_us / 1e6
    wire = peak.demand.polls * poll_bytes(costs) * 8 / 1e9
    arithmetic = (
        f"{peak.demand.polls:,.0f} polls x {costs.web_poll_us:.1f} µs = {poll_cores:.1f} cores, at {WORKER_LOAD:.0%} "
        f"of a core each {poll_cores / WORKER_LOAD:.1f}; x {poll_bytes(costs):.0f} bytes x 8 = {wire:.2f} Gbit/s."
    )
    first, first_behind = first_full(alone), first_full(behind)
    verdict = f"First bottleneck: without a CDN {_told(first)}; with it {_told(first_behind)}."
    commands = ["```sh", peak.command(edges=0), peak.command(edges=EDGES), "```"]
    return "\n".join([*commands, "", arithmetic, "", *lines, "", verdict]) + "\n"


def _share(need: Need) -> str:
    return f"{need.share:.0%}"


def _told(need: Need) -> str:
    if need.share > 1:
        return f"{need.name}, {need.share:.1f} times what is there"
    return f"{need.name}, full at {1 / need.share:,.1f} times this peak"


if __name__ == "__main__":
    renew()
    sys.exit(0)
