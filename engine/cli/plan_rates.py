"""`floodgate plan-rates`: what so many requests a second ask of a site, and what of it runs out first."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.table import Table

from engine.cli.capacity import Need, Site, first_full, needs
from engine.cli.plan import costs_from
from engine.cli.spending import WORKER_LOAD, Demand, poll_bytes, workers_for
from engine.cli.terminal import out
from engine.cli.unit_costs import UnitCosts

RATE_MAX = 100_000_000
CROWD, SITE = "What comes", "What is there"
SITE_AS_IT_IS = Site()


def plan_rates(
    polls: Annotated[float, typer.Option(min=0, max=RATE_MAX, help="Polls a second.", rich_help_panel=CROWD)] = 0,
    orders: Annotated[float, typer.Option(min=0, max=RATE_MAX, help="Orders a second.", rich_help_panel=CROWD)] = 0,
    paid: Annotated[float, typer.Option(min=0, max=1, help="Share that is paid.", rich_help_panel=CROWD)] = 0.85,
    joins: Annotated[float, typer.Option(min=0, max=RATE_MAX, help="Live joins a second.", rich_help_panel=CROWD)] = 0,
    claims: Annotated[float, typer.Option(min=0, max=RATE_MAX, help="Passes a second.", rich_help_panel=CROWD)] = 0,
    sales: Annotated[int, typer.Option(min=1, max=1_000_000, help="Sales at once.", rich_help_panel=CROWD)] = 1,
    edges: Annotated[
        int, typer.Option(min=0, max=100_000, help="Places of a CDN that ask for themselves.", rich_help_panel=CROWD)
    ] = 0,
    web_cores: Annotated[int, typer.Option(min=1, rich_help_panel=SITE)] = SITE_AS_IT_IS.web_cores,
    redis_shards: Annotated[int, typer.Option(min=1, rich_help_panel=SITE)] = SITE_AS_IT_IS.redis_shards,
    postgres_cores: Annotated[int, typer.Option(min=1, rich_help_panel=SITE)] = SITE_AS_IT_IS.postgres_cores,
    postgres_connections: Annotated[int, typer.Option(min=1, rich_help_panel=SITE)] = (
        SITE_AS_IT_IS.postgres_connections
    ),
    uplink_gbit: Annotated[float, typer.Option(min=0.001, rich_help_panel=SITE)] = SITE_AS_IT_IS.uplink_gbit_s,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Unit costs of your machine: the bench.json of `make bench`."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Estimate what rates of requests need of each resource, and name the one that is full first."""
    costs = costs_from(source)
    site = Site(
        web_cores=web_cores,
        redis_shards=redis_shards,
        postgres_cores=postgres_cores,
        postgres_connections=postgres_connections,
        uplink_gbit_s=uplink_gbit,
    )
    demand = Demand(polls=polls, live_joins=joins, claims=claims, orders=orders, paid=paid)
    found = needs(demand, costs, site, sales=sales, edges=edges)
    first = first_full(found)
    if as_json:
        rows = [{**asdict(need), "share": need.share} for need in found]
        typer.echo(orjson.dumps({"needs": rows, "first": first.name, "costs": asdict(costs)}))
        return
    out().print(_table(found))
    out().print(_verdict(first, found), markup=False)
    out().print(_told(costs), markup=False)


def _table(found: list[Need]) -> Table:
    table = Table(title="What it takes", title_justify="left")
    for name in ("resource", "needed", "there", "in use"):
        table.add_column(name, justify="left" if name == "resource" else "right")
    for need in found:
        table.add_row(need.name, amount(need.needed, need.unit), amount(need.there, need.unit), f"{need.share:.0%}")
    return table


def amount(number: float, unit: str) -> str:
    """A number of cores, connections or gigabits, as people read it."""
    digits = 0 if not unit or number >= 100 else 2 if number < 1 else 1
    return f"{number:,.{digits}f} {unit}".rstrip()


def _verdict(first: Need, found: list[Need]) -> str:
    workers = workers_for(found[0].needed * WORKER_LOAD)
    machines = f"That is {workers} web worker{'s' if workers > 1 else ''}."
    if first.share > 1:
        return f"{machines} The first bottleneck is {first.name}: {first.share:.1f} times what is there."
    return f"{machines} The first bottleneck is {first.name}: it is full at {1 / first.share:.1f} times this demand."


def _told(costs: UnitCosts) -> str:
    return (
        f"Cores are planned at {WORKER_LOAD:.0%}. A poll is answered with {poll_bytes(costs):.0f} bytes and costs "
        f"{costs.web_poll_us:.0f} us of a worker, an order {costs.web_order_us:.0f} us, {costs.redis_order_us:.0f} of "
        f"Redis and {costs.postgres_order_us:.0f} of PostgreSQL, a paid one {costs.web_checkout_us:,.0f}, "
        f"{costs.redis_checkout_us:.0f} and {costs.postgres_checkout_us:,.0f}. Unit costs: {costs.machine}."
    )
