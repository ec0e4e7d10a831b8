"""`floodgate refund`: decide a refund, look at the refunds of an order, lead a failed one out.

A decision is written down and certain when the command ends; the jobs send it. Exit code 0: decided. 1: refused, and
the sentence says why. 2: a mistake in what was typed.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import orjson
import typer
from rich.table import Table
from rich.text import Text

from engine.cli.terminal import BAD, DOUBTFUL, GOOD, Stop, finish, out
from engine.config import Config
from engine.payments.cancelling.progress import yuan

if TYPE_CHECKING:
    from engine.infra.postgres import Pool
    from engine.payments.refunds.reading import RefundRow
    from engine.payments.refunds.wishes import Decided, RefundCode, RefundRefusal

refund_app = typer.Typer(help="Give money back, and see to refunds that failed.", no_args_is_help=True)

T = TypeVar("T")

OrderNo = Annotated[str, typer.Argument(metavar="ORDER", help="The number of an order.")]
RefundNo = Annotated[str, typer.Argument(metavar="REFUND", help="The number of a refund, beginning with R.")]


@refund_app.command("order")
def refund_order(
    ctx: typer.Context,
    order: OrderNo,
    reason: Annotated[str, typer.Option("--reason", help="Why; the buyer reads it at WeChat. 80 characters.")],
    whole: Annotated[bool, typer.Option("--whole", help="Everything that is left of money and tickets.")] = False,
    item: Annotated[
        list[str] | None, typer.Option("--item", metavar="SKU=COUNT", help="Tickets to take back; may be repeated.")
    ] = None,
    fen: Annotated[
        int | None, typer.Option("--fen", min=1, help="A sum: for the tickets, or while the buyer keeps them.")
    ] = None,
    units_back: Annotated[
        bool | None, typer.Option("--units-back/--units-gone", help="Sell the tickets again; else the sale's own rule.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Your own name for this refund: repeating it decides nothing more.")
    ] = None,
) -> None:
    """Refund an order: everything, some tickets, or a sum."""
    from engine.orders.request import is_idempotency_key  # noqa: PLC0415
    from engine.payments.refunds.requests import is_reason  # noqa: PLC0415

    items = _items(item or [])
    if whole == (bool(items) or fen is not None):
        raise Stop("Say what goes back: --whole, or --item and --fen, or one of these two.")
    if not is_reason(reason):
        raise Stop("The reason must be 1 to 80 characters in one line.")
    if key is not None and not is_idempotency_key(key):
        raise Stop("A key is 8 to 64 visible ASCII characters.")
    decided = _run(ctx.obj.config(), lambda pool: _decide(pool, order, reason, whole, items, fen, units_back, key))
    _tell(decided)


@refund_app.command("list")
def refund_list(
    ctx: typer.Context,
    order: OrderNo,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the refunds of an order, the oldest first."""
    rows = _run(ctx.obj.config(), lambda pool: _list(pool, order))
    if as_json:
        typer.echo(orjson.dumps([row.organizers_document() for row in rows]))
        return
    if not rows:
        out().print("No refund of this order.")
        return
    table = Table("refund", "state", "cause", "sum", "tickets", "decided (UTC)", "code", box=None, pad_edge=False)
    styles = {"success": GOOD, "abnormal": BAD, "closed": BAD}
    for row in rows:
        table.add_row(
            row.out_refund_no,
            Text(row.stage, style=styles.get(row.stage, DOUBTFUL)),
            row.cause,
            yuan(row.amount_fen),
            ", ".join(f"{item.sku_id}={item.quantity}" for item in row.items) or "none",
            f"{row.created_at:%Y-%m-%d %H:%M:%S}",
            row.last_code or "",
        )
    out().print(table)


@refund_app.command("retry")
def refund_retry(ctx: typer.Context, refund: RefundNo) -> None:
    """Try a closed refund once more, under a new number. WeChat is asked first whether the old one moved anything."""
    config = ctx.obj.config()
    _tell(_run(config, lambda pool: _retry(config, pool, refund)))


@refund_app.command("settled")
def refund_settled(ctx: typer.Context, refund: RefundNo) -> None:
    """Say that a failed refund was paid back by hand: from now on it counts as made."""
    config = ctx.obj.config()
    refused = _run(config, lambda pool: _settled(config, pool, refund))
    if refused is not None:
        _refuse(refused)
    out().print(Text(f"{refund} counts as made."), style=GOOD)


async def _decide(
    pool: "Pool",
    order_no: str,
    reason: str,
    whole: bool,
    items: dict[str, int],
    fen: int | None,
    units_back: bool | None,
    key: str | None,
) -> "Decided | RefundRefusal":
    from engine.orders.book import OrderBook  # noqa: PLC0415
    from engine.payments.refunds.book import RefundBook  # noqa: PLC0415
    from engine.payments.refunds.reading import RefundReader  # noqa: PLC0415
    from engine.payments.refunds.requests import ORGANIZER, key_of  # noqa: PLC0415
    from engine.payments.refunds.wishes import Cause, RefundCode, RefundRefusal, RefundWish  # noqa: PLC0415
    from engine.stock.claim import Item  # noqa: PLC0415

    order = await OrderBook(pool, pool).read(order_no)
    if order is None:
        return RefundRefusal(RefundCode.UNKNOWN_ORDER)
    asked = tuple(Item(sku_id, quantity) for sku_id, quantity in items.items())
    request = key_of(ORGANIZER, key or secrets.token_hex(16), order_no, asked, fen, units_back=units_back)
    if units_back is None:
        units_back = (await RefundReader(pool).terms(order)).units_back
    wish = RefundWish(
        order_no=order_no,
        cause=Cause.ORGANIZER,
        reason=reason,
        units_back=units_back,
        whole=whole,
        items=asked,
        amount_fen=fen,
        key=request,
    )
    return await RefundBook(pool).decide(wish)


async def _list(pool: "Pool", order_no: str) -> "list[RefundRow]":
    from engine.payments.refunds.reading import RefundReader  # noqa: PLC0415

    return await RefundReader(pool).of_order(order_no)


async def _retry(config: Config, pool: "Pool", out_refund_no: str) -> "Decided | RefundRefusal":
    from engine.app.refunding import retry_refund  # noqa: PLC0415

    return await retry_refund(config, pool, out_refund_no)


async def _settled(config: Config, pool: "Pool", out_refund_no: str) -> "RefundCode | None":
    from engine.miniprogram.kinds import refund_duty_kinds  # noqa: PLC0415
    from engine.payments.refunds.queue import RefundQueue, refusal_by_hand  # noqa: PLC0415

    queue = RefundQueue(pool, duty_kinds=refund_duty_kinds(config.miniprogram))
    return refusal_by_hand(await queue.settle_by_hand(out_refund_no))


def _tell(decided: "Decided | RefundRefusal") -> None:
    from engine.payments.refunds.wishes import RefundRefusal  # noqa: PLC0415

    if isinstance(decided, RefundRefusal):
        _refuse(decided.code)
    before = " before, under the same key" if decided.repeated else ""
    if decided.out_refund_no is None:
        out().print(Text(f"Decided{before}: the tickets are taken back; they cost nothing."), style=GOOD)
        return
    out().print(Text(f"Decided{before}: {yuan(decided.amount_fen)}, as {decided.out_refund_no}."), style=GOOD)
    out().print("The jobs (floodgate work) send it. See it with: floodgate refund list " + decided.order_no)


def _refuse(code: "RefundCode") -> NoReturn:
    from engine.payments.refunds.handlers import CODES  # noqa: PLC0415
    from engine.web.problems import PROBLEMS  # noqa: PLC0415

    out().print(Text(f"Refused, {code}: {PROBLEMS[CODES[code]].english}"), style=BAD)
    finish(passed=False)


def _items(asked: list[str]) -> dict[str, int]:
    items: dict[str, int] = {}
    for one in asked:
        sku_id, _, count = one.rpartition("=")
        if not sku_id or not count.isascii() or not count.isdigit() or int(count) < 1 or sku_id in items:
            raise Stop(f"{one!r} names no tickets. Write --item SKU=COUNT, each SKU once.")
        items[sku_id] = int(count)
    return items


def _run(config: Config, use: Callable[["Pool"], Awaitable[T]]) -> T:
    from engine.infra.postgres import open_pool  # noqa: PLC0415

    async def run() -> T:
        pool = await open_pool(
            config.postgres.url,
            connections_max=2,
            statement_timeout_s=config.postgres.statement_timeout_s,
            connect_timeout_s=config.postgres.connect_timeout_s,
            application="floodgate-cli",
        )
        async with pool:
            return await use(pool)

    return asyncio.run(run())
