"""`floodgate reconcile DATE`: WeChat's bills of a day against the ledger."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.text import Text

from engine.cli.terminal import BAD, DOUBTFUL, GOOD, Stop, complain, out
from engine.infra.outage import Outage
from engine.payments.bills.advice import Language
from engine.payments.bills.days import ONE_DAY, day_of, oldest_kept

EXIT_AWAY = 4
EXITS = {"agrees": 0, "differences": 1, "refused": 2, "unreadable": 2, "not_ready": 3, "away": EXIT_AWAY}
IN_CHINESE = {
    "agrees": "账目一致",
    "differences": "有差异",
    "not_ready": "账单还没有生成",
    "refused": "微信支付拒绝提供账单",
    "unreadable": "账单无法读取",
    "away": "微信支付没有应答",
}
assert IN_CHINESE.keys() == EXITS.keys()
STYLES = {"agrees": GOOD, "not_ready": DOUBTFUL}
MONTHS_KEPT = timedelta(days=93)  # whether the oldest days are still there, WeChat says


def reconcile(
    ctx: typer.Context,
    day: Annotated[str, typer.Argument(metavar="DATE", help="A day in China: 2026-11-21, or yesterday.")],
    repair: Annotated[
        bool, typer.Option("--repair", help="Ask WeChat about money that our orders lack, and settle it.")
    ] = False,
    refund_strays: Annotated[
        bool, typer.Option("--refund-strays", help="Give back money for orders that do not exist here; also repairs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Where to write the differences; else bills.directory.")
    ] = None,
    lang: Annotated[Language, typer.Option("--lang", help="The language of the summary and of what to do.")] = (
        Language.EN
    ),
) -> None:
    """Compare WeChat's bills of a day with payments and refunds.

    Exit code 0: nothing left to do; 1: differences; 2: wrong settings or wrong use, or a bill that WeChat refuses or
    that cannot be read; 3: the bill is not there yet; 4: WeChat Pay or a store does not answer.
    """
    config = ctx.obj.config()
    chosen = chosen_day(day, datetime.now(UTC))
    from engine.app import run_reconcile  # noqa: PLC0415
    from engine.payments.bills.files import write_private  # noqa: PLC0415
    from engine.payments.bills.outcome import DayResult  # noqa: PLC0415
    from engine.payments.bills.report import as_json as to_json  # noqa: PLC0415
    from engine.payments.bills.report import to_csv, verdict  # noqa: PLC0415
    from engine.payments.bills.summary import lines  # noqa: PLC0415

    path = csv or config.bills.directory / f"reconciliation-{chosen}.csv"
    try:
        outcomes = run_reconcile(config, chosen, repair=repair or refund_strays, strays=refund_strays)
        compared = any(isinstance(outcome, DayResult) for outcome in outcomes)
        if compared:
            write_private(path, to_csv(outcomes, lang))
    except Outage as outage:
        complain(f"{type(outage).__name__}: {outage}. Try again, or see what is wrong with: floodgate doctor")
        raise typer.Exit(EXIT_AWAY) from None
    except OSError as error:
        raise Stop(f"{error.filename or path} cannot be written: {error.strerror or error}.") from None
    ended = verdict(outcomes)
    if as_json:
        typer.echo(orjson.dumps({**to_json(outcomes, lang), "csv": os.fspath(path) if compared else None}))
    else:
        for line in lines(outcomes, lang):
            out().print(Text(line))
        told = IN_CHINESE[ended] if lang == "zh" else ended.replace("_", " ")
        out().print(Text(f"{told}; {path}" if compared else told), style=STYLES.get(ended, BAD))
    raise typer.Exit(EXITS[ended])


def chosen_day(text: str, now: datetime) -> date:
    """The day that was asked for. Raises Stop."""
    today = day_of(now)
    if text == "yesterday":
        return today - ONE_DAY
    try:
        if len(text) != 10:
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError:
        raise Stop(f"{text!r} is no day: write it like {today - ONE_DAY}, or say yesterday.") from None
    if day > today:
        raise Stop(f"{day} has not come yet in China, where it is {today}.")
    if day < today - MONTHS_KEPT:
        raise Stop(f"WeChat keeps bills for three months: the oldest that is surely there is {oldest_kept(now)}.")
    return day
