"""`floodgate line`: a sale's waiting room: its numbers, its pace, its lists, its audit."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.table import Table
from rich.text import Text

from engine.cli.stores import in_ledger, read_line, unknown_sale
from engine.cli.terminal import BAD, DOUBTFUL, GOOD, Stop, finish, out
from engine.config import Config

if TYPE_CHECKING:
    from engine.catalog.controls import Steering
    from engine.catalog.records import Lane
    from engine.console.line.numbers import LineNumbers
    from engine.infra.postgres import Connection

line_app = typer.Typer(help="See and steer the waiting room of a sale.", no_args_is_help=True)

CODES_MAX = 1_000_000

SaleId = Annotated[str, typer.Argument(metavar="SALE", help="The id of a sale.")]
LaneId = Annotated[str, typer.Argument(metavar="LANE", help="The id of a lane in its sale file.")]


@line_app.command("show")
def line_show(
    ctx: typer.Context,
    sale: SaleId,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a line now: lanes and their lengths, who was called, came and ordered, and how long it will take."""
    numbers = read_line(ctx.obj.config(), sale)
    if numbers is None:
        raise Stop(unknown_sale(sale))
    if as_json:
        typer.echo(orjson.dumps(numbers.document()))
        return
    _show(numbers)


def _show(numbers: "LineNumbers") -> None:
    from engine.catalog.records import Entry  # noqa: PLC0415

    state = "sold out for good" if numbers.final else "paused" if numbers.paused else numbers.phase
    out().print(Text(f"{numbers.sale}: {state}, {_pace(numbers)}, challenge {numbers.challenge}"))
    if numbers.restoring:
        out().print(Text("Redis does not tell: these are the ledger's numbers.", style=DOUBTFUL))
    table = Table(
        *("lane", "entry", "weight", "lobby", "places", "waiting", "called", "came", "ordered", "units", "quota"),
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column in table.columns:
        column.overflow = "fold"  # a number that is cut would be another number
    for lane in numbers.lanes:
        table.add_row(
            lane.lane,
            lane.entry,
            str(lane.weight),
            *(_number(each) for each in (lane.lobby, lane.length, lane.waiting, lane.called, lane.shown, lane.taken)),
            _number(lane.units),
            "none" if lane.quota_units is None else f"{lane.quota_units:,}",
        )
    out().print(table)
    for lane in numbers.lanes:
        if lane.entry == Entry.MEMBERS:
            out().print(Text(f"{lane.lane}: {lane.members:,} members"))
        elif lane.entry == Entry.CODES:
            out().print(Text(f"{lane.lane}: {lane.codes:,} codes, {lane.codes_used:,} of them used"))
    out().print(
        Text(
            f"passes out {_number(numbers.admitted)}, waiting for room {_number(numbers.claimers)}, "
            f"open orders {_number(numbers.orders_open)}"
        )
    )
    out().print(
        Text(
            f"called {numbers.called_per_s:,g} a second, show rate {_percent(numbers.show_rate)}, "
            f"conversion {_percent(numbers.conversion)}, end of the line {_time_left(numbers.end_s)}"
        )
    )


def _pace(numbers: "LineNumbers") -> str:
    rate = "any rate" if numbers.line_rate is None else f"{numbers.line_rate:,} people a second"
    most = "any number" if numbers.line_concurrency is None else f"{numbers.line_concurrency:,}"
    return f"{rate}, {most} at the till"


def _number(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share * 100:.0f} %"


def _time_left(seconds: float | None) -> str:
    if seconds is None:
        return "not in sight"
    return f"in {seconds:.0f} s" if seconds < 120 else f"in {seconds / 60:.0f} min"


@line_app.command("rate")
def line_rate(
    ctx: typer.Context,
    sale: SaleId,
    people: Annotated[str, typer.Argument(metavar="N|none", help="People let through a second, at most.")],
) -> None:
    """Let through so many people a second, from now on. The sale file says otherwise when it is applied again."""
    from engine.catalog.controls import Steering  # noqa: PLC0415

    _steer(ctx.obj.config(), sale, Steering(rate=_count_or_none(people)))
    out().print(Text(f"The line of {sale} lets through {_told(people)} people a second."), style=GOOD)


@line_app.command("concurrency")
def line_concurrency(
    ctx: typer.Context,
    sale: SaleId,
    people: Annotated[str, typer.Argument(metavar="N|none", help="People at the till at once, at most.")],
) -> None:
    """Let through as many people as keep so many of them at the till: with a pass, or with an open order."""
    from engine.catalog.controls import Steering  # noqa: PLC0415

    _steer(ctx.obj.config(), sale, Steering(concurrency=_count_or_none(people)))
    out().print(Text(f"The line of {sale} keeps {_told(people)} people at the till."), style=GOOD)


@line_app.command("challenge")
def line_challenge(
    ctx: typer.Context,
    sale: SaleId,
    when: Annotated[str, typer.Argument(metavar="off|suspicious|always", help="Who has to prove some work.")],
) -> None:
    """Switch the proof of work for joining: for nobody, for crowded addresses, for everybody."""
    from engine.catalog.controls import Steering  # noqa: PLC0415
    from engine.catalog.records import Challenge  # noqa: PLC0415

    if when not in list(Challenge):
        raise Stop(f"{when!r} is no challenge. Write one of: {', '.join(Challenge)}")
    _steer(ctx.obj.config(), sale, Steering(challenge=Challenge(when)))
    out().print(Text(f"The challenge of {sale} is {when}."), style=GOOD)


def _count_or_none(text: str) -> int | None:
    if text == "none":
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise Stop(f"{text!r} is no number of people. Write a whole number, or none.")
    return int(text)


def _told(text: str) -> str:
    return "any number of" if text == "none" else f"at most {int(text):,}"


def _steer(config: Config, sale_id: str, steering: "Steering") -> None:
    from engine.catalog import bounds  # noqa: PLC0415
    from engine.catalog.controls import Steered, steer  # noqa: PLC0415

    if not steering.within_bounds:
        most = max(bounds.LINE_RATE_MAX, bounds.LINE_CONCURRENCY_MAX)
        raise Stop(f"A number of people is 1 to {most:,}. To stop the line, run: floodgate sale pause {sale_id}")
    steered = in_ledger(config, lambda conn: steer(conn, sale_id, steering))
    if steered is Steered.UNKNOWN_SALE:
        raise Stop(unknown_sale(sale_id))
    if steered is Steered.NO_PACE:
        raise Stop("A line needs a rate or a concurrency. Set the other one first.")


@line_app.command("members")
def line_members(
    ctx: typer.Context,
    sale: SaleId,
    lane: LaneId,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Openids, one a line; - reads standard input.")],
) -> None:
    """Let people join a lane of members. Their openids are kept as digests only. Adding somebody again is harmless."""
    from engine.catalog.records import Entry  # noqa: PLC0415
    from engine.cli.lists import read_openids  # noqa: PLC0415
    from engine.line.eligibility.lists import add_members  # noqa: PLC0415
    from engine.web.buyers import Privacy  # noqa: PLC0415

    config = ctx.obj.config()
    openids = read_openids(file)
    privacy = Privacy(
        config.privacy.digest_key.get_secret_value().encode(),
        bytes.fromhex(config.privacy.openid_key.get_secret_value()),
    )

    async def add(conn: "Connection") -> int:
        found = await _lane(conn, sale, lane, Entry.MEMBERS)
        return await add_members(conn, sale, found.ordinal, map(privacy.buyer_of, openids))

    added = in_ledger(config, add)
    out().print(Text(f"{added:,} new members of {lane}; {len(openids) - added:,} were there already."), style=GOOD)


@line_app.command("codes")
def line_codes(
    ctx: typer.Context,
    sale: SaleId,
    lane: LaneId,
    count: Annotated[int, typer.Option("--count", min=1, max=CODES_MAX, help="How many codes to make.")],
) -> None:
    """Make presale codes and print them, once: only their digests are kept. Each lets in one buyer."""
    from engine.catalog.records import Entry  # noqa: PLC0415
    from engine.cli.lists import fresh_codes  # noqa: PLC0415
    from engine.line.eligibility.codes import code_digest  # noqa: PLC0415
    from engine.line.eligibility.lists import add_codes  # noqa: PLC0415

    codes = fresh_codes(count, secrets.token_bytes)

    async def add(conn: "Connection") -> int:
        found = await _lane(conn, sale, lane, Entry.CODES)
        digests = [digest for code in codes if (digest := code_digest(sale, code)) is not None]
        return await add_codes(conn, sale, found.ordinal, digests)

    in_ledger(ctx.obj.config(), add)
    typer.echo("\n".join(codes))


async def _lane(conn: "Connection", sale_id: str, lane_id: str, entry: str) -> "Lane":
    from engine.catalog.store import load_sales  # noqa: PLC0415
    from engine.line.eligibility.deciding import lane_named  # noqa: PLC0415

    sale = next((sale for sale in await load_sales(conn) if sale.sale_id == sale_id), None)
    if sale is None:
        raise Stop(unknown_sale(sale_id))
    lane = lane_named(sale, lane_id)
    if lane is None:
        known = ", ".join(lane.lane_id for lane in sale.lanes)
        raise Stop(f"The sale {sale_id} has no lane {lane_id!r}. Known are {known}.")
    if lane.entry != entry:
        raise Stop(f'The lane {lane_id} is for {lane.entry}. Write entry = "{entry}" in the sale file and apply it.')
    return lane


@line_app.command("audit")
def line_audit(ctx: typer.Context, sale: SaleId) -> None:
    """Prove from the log of ticks and passes that nobody jumped the line; exit code 1 and the cases if somebody did."""
    from engine.console.line.auditing import audit_line  # noqa: PLC0415

    audit = in_ledger(ctx.obj.config(), lambda conn: audit_line(conn, sale))
    if audit is None:
        raise Stop(unknown_sale(sale))
    out().print(Text(f"{audit.ticks:,} ticks, {audit.passes:,} passes."))
    if audit.holes:
        out().print(
            Text(f"Holes in the log of ticks: {audit.holes:,}; passes there are judged by the next tick after it."),
            style=DOUBTFUL,
        )
    if audit.unjudged:
        out().print(
            Text(f"{audit.unjudged:,} passes are not judged: their ticks are not written down, or not yet."),
            style=DOUBTFUL,
        )
    for offender in audit.offenders:
        out().print(Text(offender), style=BAD)
    if audit.wrong > len(audit.offenders):
        out().print(Text(f"and {audit.wrong - len(audit.offenders):,} more."), style=BAD)
    if not audit.wrong:
        out().print("Nobody jumped the line.", style=GOOD)
    finish(passed=not audit.wrong)
