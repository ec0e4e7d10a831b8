"""`floodgate sale`: put sales into the catalog, pause and resume them, put units up again."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from rich.table import Table
from rich.text import Text

from engine.cli.stores import carry_at_once, in_ledger, unknown_sale
from engine.cli.terminal import DOUBTFUL, GOOD, Stop, out
from engine.config import Config, MessageKind

if TYPE_CHECKING:
    from engine.catalog.records import Sale

sale_app = typer.Typer(help="Put sales into the catalog, pause and resume them.", no_args_is_help=True)


@sale_app.command("apply")
def sale_apply(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A sale file in TOML.")],
    opens_in: Annotated[
        float | None,
        typer.Option(
            "--opens-in", metavar="SECONDS", help="Move all times, lobbies' too, so that the first sale opens then."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change; change nothing.")] = False,
) -> None:
    """Bring the catalog to what FILE says. Applying it again changes nothing."""
    from engine.catalog.sale_file import opening_at, read_sale_file  # noqa: PLC0415
    from engine.catalog.store import apply  # noqa: PLC0415

    sale_file = read_sale_file(file)
    if opens_in is not None:
        sale_file = opening_at(sale_file, round((time.time() + opens_in) * 1000))
    config = ctx.obj.config()
    _refuse_strange_accounts(config, sale_file.sales)
    told = MessageKind.CHANGED in config.miniprogram.templates
    changes = in_ledger(config, lambda conn: apply(conn, sale_file, dry_run=dry_run, tell_changed=told))
    for change in changes:
        out().print(Text(str(change)))
    count = "1 change" if len(changes) == 1 else f"{len(changes)} changes"
    if not changes:
        out().print(Text(f"{file}: nothing to change."), style=GOOD)
    elif dry_run:
        out().print(Text(f"{file}: {count}, nothing done."), style=DOUBTFUL)
    else:
        out().print(Text(f"{file}: {count} made."), style=GOOD)


def _refuse_strange_accounts(config: Config, sales: Iterable["Sale"]) -> None:
    """No order of a sale whose account is not in the settings could ever be paid."""
    known = {config.wechat.mchid, *(merchant.mchid for merchant in config.wechat.merchants)}
    for sale in sales:
        if sale.mchid is not None and sale.mchid not in known:
            raise Stop(
                f"The sale {sale.sale_id} names the merchant account {sale.mchid}, which the settings do not have. "
                f"Known are {', '.join(sorted(known))}; add it under [[wechat.merchants]]."
            )


@sale_app.command("pause")
def sale_pause(ctx: typer.Context, sale: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Stop selling for now. The line keeps its places; orders can still be paid."""
    _set_paused(ctx.obj.config(), sale, True)


@sale_app.command("resume")
def sale_resume(ctx: typer.Context, sale: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Go on selling."""
    _set_paused(ctx.obj.config(), sale, False)


@sale_app.command("reopen")
def sale_reopen(ctx: typer.Context, sale: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Sell the units that came back after the sale was sold out for good: a new round for the people of its line."""
    from engine.catalog.controls import Steered, reopen  # noqa: PLC0415

    config = ctx.obj.config()
    steered = in_ledger(config, lambda conn: reopen(conn, sale))
    if steered is Steered.UNKNOWN_SALE:
        raise Stop(unknown_sale(sale))
    if steered is Steered.NOT_FINAL:
        raise Stop(f"The sale {sale} is not sold out for good; what comes back is sold without that.")
    if steered is Steered.NOTHING_BACK:
        raise Stop(f"No unit of the sale {sale} came back, so there is nothing to sell in a new round.")
    out().print(Text(f"The sale {sale} sells in a new round what came back."), style=GOOD)
    carry_at_once(config, sale)


def _set_paused(config: Config, sale_id: str, paused: bool) -> None:
    from engine.catalog.controls import set_paused  # noqa: PLC0415

    if not in_ledger(config, lambda conn: set_paused(conn, sale_id, paused)):
        raise Stop(unknown_sale(sale_id))
    out().print(Text(f"The sale {sale_id} is {'paused' if paused else 'resumed'}."), style=GOOD)
    carry_at_once(config, sale_id)


@sale_app.command("qr")
def sale_qr(
    ctx: typer.Context,
    sale: Annotated[str, typer.Argument(metavar="ID")],
    file: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write the image.")],
) -> None:
    """Write the QR code that opens a sale in the mini program. WeChat makes it once; it lasts for ever."""
    from engine.cli.codes import write_code  # noqa: PLC0415

    size = write_code(ctx.obj.config(), sale, file)
    out().print(Text(f"{file}: {size:,} bytes. Scanned, it opens the sale's page with scene={sale}."), style=GOOD)


@sale_app.command("list")
def sale_list(ctx: typer.Context) -> None:
    """List all sales, the first to open first."""
    from engine.catalog.store import load_sales  # noqa: PLC0415

    sales = in_ledger(ctx.obj.config(), load_sales)
    if not sales:
        out().print("No sale yet. Put one in with: floodgate sale apply FILE")
        return
    now_ms = round(time.time() * 1000)
    table = Table("sale", "title", "lane", "phase", "opens", "closes", "SKUs", "units", box=None, pad_edge=False)
    for sale in sales:
        table.add_row(
            sale.sale_id,
            Text(sale.title),
            ", ".join(lane.lane_id for lane in sale.lanes),
            _phase(sale, now_ms),
            _local(sale.opens_ms, sale.time_zone),
            _local(sale.closes_ms, sale.time_zone),
            str(len(sale.skus)),
            str(sum(sku.capacity for sku in sale.skus)),
        )
    out().print(table)


def _phase(sale: "Sale", now_ms: int) -> str:
    """By the clock and the ledger. Whether a draw waits for its beacon is told by `floodgate line show`."""
    from engine.line.phases import Phase, phase_of  # noqa: PLC0415

    phase = phase_of(sale, now_ms=now_ms, drawn=now_ms >= sale.draws_ms)
    if phase is Phase.ENDED:
        return phase
    return "paused" if sale.paused else "sold out" if sale.sold_out_for_good else phase


def _local(instant_ms: int, time_zone: str) -> str:
    when = datetime.fromtimestamp(instant_ms / 1000, UTC).astimezone(ZoneInfo(time_zone))
    return f"{when:%Y-%m-%d %H:%M:%S} {when.isoformat()[-6:]}"
