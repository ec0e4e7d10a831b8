"""`floodgate fapiao`: tell WeChat how this shop issues e-fapiao, and see what WeChat knows."""

import asyncio
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from engine.cli.terminal import DOUBTFUL, GOOD, Stop, out
from engine.payments.wechat.fapiao_answers import Trouble, TroubleKind

fapiao_app = typer.Typer(help="Set e-fapiao up at WeChat, and see what WeChat knows.", no_args_is_help=True)

NOT_OPEN = "NOAUTH"


@fapiao_app.command("setup")
def fapiao_setup(
    ctx: typer.Context,
    callback_url: Annotated[
        str | None, typer.Option("--callback-url", metavar="URL", help="Where WeChat tells; else wechat.notify_url.")
    ] = None,
    payee: Annotated[
        str | None, typer.Option("--payee", metavar="NAME", help="The seller on the card; with --logo-url.")
    ] = None,
    logo_url: Annotated[
        str | None, typer.Option("--logo-url", metavar="URL", help="The logo on the card; makes a new card each time.")
    ] = None,
) -> None:
    """Tell WeChat, for every merchant account, where to call back and whether receipts offer a fapiao."""
    config = ctx.obj.config()
    if (payee is None) != (logo_url is None):
        raise Stop("A card needs both --payee and --logo-url.")
    url = callback_url or config.wechat.notify_url
    if "?" in url or "#" in url:
        raise Stop("WeChat calls back no address with a query or a fragment: leave out what begins with ? or #.")
    from engine.app.fapiao import at_wechat  # noqa: PLC0415

    async def set_up() -> list[tuple[str, str | None]]:
        async with at_wechat(config) as apis:
            done: list[tuple[str, str | None]] = []
            for mchid, api in apis.items():
                _require(mchid, await api.configure(callback_url=url, show_cell=config.fapiao.show_cell))
                card_id = None
                if payee is not None and logo_url is not None:
                    card_id = _require(mchid, await api.make_card_template(payee=payee, logo_url=logo_url))
                done.append((mchid, card_id))
            return done

    for mchid, card_id in asyncio.run(set_up()):
        out().print(Text(f"{mchid}: WeChat calls back at {url}."), style=GOOD)
        if card_id is not None:
            out().print(Text(f"{mchid}: a card was made: {card_id}."), style=GOOD)
    if not config.fapiao.enabled:
        out().print(Text("fapiao.enabled is false: nothing is issued yet."), style=DOUBTFUL)


@fapiao_app.command("show")
def fapiao_show(ctx: typer.Context) -> None:
    """Show the seller, the settings and the first tax codes that WeChat knows, for every merchant account."""
    config = ctx.obj.config()
    from engine.app.fapiao import at_wechat  # noqa: PLC0415

    async def ask() -> list[tuple[str, Any, Any, Any]]:
        async with at_wechat(config) as apis:
            return [
                (
                    mchid,
                    _require(mchid, await api.configuration()),
                    _require(mchid, await api.seller()),
                    _require(mchid, await api.tax_codes()),
                )
                for mchid, api in apis.items()
            ]

    for mchid, configuration, seller, codes in asyncio.run(ask()):
        named = seller.get("seller_information") or {}
        out().print(Text(f"{mchid}: {named.get('name', '?')}, tax number {named.get('taxpayer_id', '?')}"))
        out().print(
            Text(f"  calls back at {configuration.get('callback_url') or 'nowhere yet: floodgate fapiao setup'}")
        )
        table = Table("tax code", "name", "basis points", "mark", box=None, pad_edge=False)
        for row in codes.get("data") or []:
            cells = (row.get(name, "") for name in ("tax_code", "goods_name", "tax_rate", "tax_prefer_mark"))
            table.add_row(*(Text(str(cell)) for cell in cells))
        out().print(table)


def _require(mchid: str, answer: Any) -> Any:
    """What WeChat answered; Stop says why it did not."""
    if not isinstance(answer, Trouble):
        return answer
    if answer.code == NOT_OPEN:
        raise Stop(f"{mchid}: WeChat says NO_AUTH. Open the e-fapiao product at pay.weixin.qq.com first.")
    if answer.kind is TroubleKind.UNKNOWN:
        raise Stop(f"{mchid}: WeChat Pay gave no clear answer ({answer.detail}). Try again in a minute.")
    raise Stop(f"{mchid}: WeChat Pay refused: {answer.detail}.")
