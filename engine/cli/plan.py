"""`floodgate plan`: what a drop of a given size asks of Redis, PostgreSQL, web workers and a CDN."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.table import Table

from engine.cli.capacity import Site, first_full, needs
from engine.cli.planning import Crowd, Plan, plan
from engine.cli.polling import PollPolicy
from engine.cli.spending import LOOKS_PER_S, WORKER_LOAD
from engine.cli.terminal import Stop, out
from engine.cli.unit_costs import NotUnitCosts, UnitCosts, measured, shipped

PEOPLE_MAX = 100_000_000
STRETCHES = {
    "joining": "while people gather",
    "before_draw": "just before the draw",
    "after_draw": "just after it",
    "moving": "when the line moves",
}


def plan_drop(
    waiting: Annotated[int, typer.Option(min=1, max=PEOPLE_MAX, help="People in the line.")],
    rate: Annotated[float, typer.Option(min=0.1, max=100_000, help="People called a second.")] = 100,
    tickets: Annotated[int, typer.Option(min=1, max=PEOPLE_MAX, help="Units for sale.")] = 20_000,
    lobby: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of the people that comes before the draw.")] = (
        0.8
    ),
    within: Annotated[float, typer.Option(min=1, max=864_000, help="Seconds in which the lobby fills.")] = 600,
    positions_within: Annotated[
        float, typer.Option(min=1, max=3600, help="Seconds after the draw in which people ask for their position.")
    ] = 3,
    own_positions: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of phones that compute their position from the draw's seed.")
    ] = 0,
    show: Annotated[float, typer.Option(min=0.01, max=1.0, help="Share of those called who come.")] = 0.8,
    conversion: Annotated[float, typer.Option(min=0.01, max=1.0, help="Share of those admitted who order.")] = 0.8,
    units: Annotated[float, typer.Option(min=1.0, max=100.0, help="Units of an order.")] = 1.6,
    paid: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of orders that are paid.")] = 0.85,
    workers: Annotated[int, typer.Option(min=1, max=10_000, help="Web workers there are, one core each.")] = 8,
    edges: Annotated[int, typer.Option(min=1, max=100_000, help="Places of the CDN that ask for themselves.")] = 200,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Unit costs of your machine: the bench.json of `make bench`."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Estimate what a drop needs: memory, requests, bytes, workers, and the CDN's share."""
    from engine.line.front.document import POLL_POLICY  # noqa: PLC0415

    costs = costs_from(source)
    crowd = Crowd(
        waiting=waiting,
        rate_per_s=rate,
        tickets=tickets,
        lobby=lobby,
        within_s=within,
        positions_within_s=positions_within,
        own_positions=own_positions,
        show=show,
        conversion=conversion,
        units=units,
        paid=paid,
        edges=edges,
    )
    planned = plan(crowd, costs, PollPolicy.told(POLL_POLICY), workers=workers)
    if as_json:
        typer.echo(orjson.dumps(_document(planned, costs)))
        return
    out().print(_stored(planned))
    out().print(_stretches(planned))
    for sentence in [*_verdict(planned), _first(planned, costs), *_assumed(planned, costs)]:
        out().print(sentence, markup=False)


def costs_from(source: Path | None) -> UnitCosts:
    """Those of a report, or those shipped. Raises Stop."""
    if source is None:
        return shipped()
    try:
        return measured(source.read_bytes())
    except OSError as error:
        raise Stop(f"{source} cannot be read: {error.strerror or error}.") from None
    except NotUnitCosts as reason:
        raise Stop(f"{source} is not a report of `make bench`: {reason}.") from None


def _document(planned: Plan, costs: UnitCosts) -> dict[str, object]:
    return {**asdict(planned), "called": planned.crowd.called, "lasts_s": planned.crowd.lasts_s, "costs": asdict(costs)}


def _stored(planned: Plan) -> Table:
    crowd = planned.crowd
    table = Table(title=f"A drop with {crowd.waiting:,} people in the line", title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("figure", justify="right")
    table.add_column("note")
    rows = (
        (
            "Redis memory of the line",
            _bytes(planned.redis_bytes),
            f"{planned.redis_bytes / crowd.waiting:.1f} a person",
        ),
        ("lobby entries in PostgreSQL", f"{planned.lobby_rows:,} rows", _bytes(planned.lobby_bytes)),
        (
            "called until sold out",
            f"{crowd.called:,}",
            f"{_time(crowd.lasts_s)} at {crowd.rate_per_s:g} a second",
        ),
        ("admissions in PostgreSQL", f"{planned.admission_rows:,} rows", "one for each pass"),
        ("orders in PostgreSQL", f"{planned.order_rows:,} rows", f"{crowd.tickets:,} units"),
        ("ticks in PostgreSQL", f"at most {planned.tick_rows:,} rows", "how far the line was called"),
        ("polls in all", f"{planned.polls:,.0f}", _bytes(planned.bytes)),
    )
    for row in rows:
        table.add_row(*row)
    return table


def _stretches(planned: Plan) -> Table:
    table = Table(title="What comes, and what it takes", title_justify="left")
    table.add_column("per second")
    for name in planned.stretches:
        table.add_column(STRETCHES[name], justify="right")
    loads = list(planned.stretches.values())
    rows = {
        "polls": [f"{load.polls:,.0f}" for load in loads],
        "their bytes": [_bytes(load.bytes) for load in loads],
        "joins": [f"{load.joins:,.0f}" for load in loads],
        "own positions": [f"{load.positions:,.0f}" for load in loads],
        "claims": [f"{load.claims:,.0f}" for load in loads],
        "orders": [f"{load.orders:,.0f}" for load in loads],
        "cores of web workers, no CDN": [f"{load.web_cores:.1f}" for load in loads],
        "of them for polls": [f"{load.poll_cores:.1f}" for load in loads],
        "Redis, of its one core": [f"{load.redis_share:.1%}" for load in loads],
        "PostgreSQL, of a core": [f"{load.postgres_share:.1%}" for load in loads],
    }
    for title, cells in rows.items():
        table.add_row(title, *cells)
    return table


def _verdict(planned: Plan) -> list[str]:
    alone, behind, left_per_s = planned.workers_alone, planned.workers_behind_cdn, planned.cdn_polls_left_per_s
    needed = (
        f"Web workers of one core each: {alone} if every poll reaches them; {behind} behind a CDN with "
        f"{planned.crowd.edges} edges, which leaves them at most {left_per_s:,.0f} polls a second."
    )
    if planned.cdn_share is None:
        late = "with any CDN: personal answers alone need more, or would come late"
        return [needed, f"{planned.workers} workers do not suffice, {late}."]
    if planned.cdn_share:
        return [needed, f"With {planned.workers} workers a CDN has to answer {planned.cdn_share:.1%} of the polls."]
    return [needed, f"{planned.workers} workers suffice without a CDN."]


def _first(planned: Plan, costs: UnitCosts) -> str:
    """What is full first, of one PostgreSQL, one slot of Redis and as many workers as it takes."""
    site = Site()
    stretch, need = max(
        ((name, first_full(needs(load.demand, costs, site))) for name, load in planned.stretches.items()),
        key=lambda found: found[1].share,
    )
    return (
        f"Without a CDN the first bottleneck of a site with {site.web_cores} cores for workers, PostgreSQL on "
        f"{site.postgres_cores} and {site.uplink_gbit_s:g} Gbit/s is {need.name} {STRETCHES[stretch]}, "
        f"at {need.share:.0%}. Rates of your own, with a CDN or without: floodgate plan-rates."
    )


def _assumed(planned: Plan, costs: UnitCosts) -> list[str]:
    crowd = planned.crowd
    askers = f"; {crowd.own_positions:.0%} of the phones compute it themselves" if crowd.own_positions else ""
    people = (
        f"Assumed: {crowd.lobby:.0%} come before the draw, evenly within {_time(crowd.within_s)}, and ask for their "
        f"position within {_time(crowd.positions_within_s)} after it{askers}; {crowd.show:.0%} of those called come, "
        f"{crowd.conversion:.0%} of those order, {crowd.units:g} units each, {crowd.paid:.0%} of the orders "
        f"are paid; nobody asks more often than the "
        f"document's policy says."
    )
    machines = (
        f"A web worker is planned at {WORKER_LOAD:.0%} of a core and looks at the line {LOOKS_PER_S} times a second. "
        f"Orders count until they are paid; logins are not in here."
    )
    return ["", people, machines, f"Unit costs: {costs.machine}."]


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
