"""`floodgate session`: cancel a session for good, and watch its buyers get their money back."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from engine.cli.terminal import BAD, DOUBTFUL, GOOD, Stop, finish, out
from engine.config import Config
from engine.infra.outage import Outage
from engine.payments.cancelling.progress import Progress, is_reason, yuan

if TYPE_CHECKING:
    from engine.infra.postgres import Connection

session_app = typer.Typer(help="Cancel sessions and watch their refunds.", no_args_is_help=True)

WATCH_EVERY_S = 1.0

SessionId = Annotated[str, typer.Argument(metavar="ID", help="The session's id in its sale file.")]
Watch = Annotated[bool, typer.Option("--watch", help="Stay until all of them are refunded; exit code 1 if any failed.")]


@session_app.command("cancel")
def session_cancel(
    ctx: typer.Context,
    session: SessionId,
    reason: Annotated[str, typer.Option("--reason", help="Why; buyers read it with their refund. 80 characters.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether you are sure.")] = False,
    watch: Watch = False,
) -> None:
    """Cancel a session for good: sold no more, open orders end, every paid order is refunded."""
    if not is_reason(reason):
        raise Stop("The reason must be 1 to 80 characters in one line, without emoji: WeChat shows it to the buyers.")
    config = ctx.obj.config()
    before = asyncio.run(_read(config, session))
    if before.cancelled_ms is None and not yes and sys.stdin.isatty():
        _ask(before)
    asyncio.run(_cancel(config, session, reason))
    if before.cancelled_ms is None:
        out().print(Text(f"The session {session} is cancelled. Its tickets are sold no more."), style=GOOD)
    else:
        out().print(Text(f"The session {session} was cancelled before: {before.reason}"), style=DOUBTFUL)
    if watch:
        _watch(config, session)
    out().print(
        Text(f"The jobs (floodgate work) make the refunds. Watch them: floodgate session refunds {session} --watch")
    )


@session_app.command("refunds")
def session_refunds(
    ctx: typer.Context,
    session: SessionId,
    watch: Watch = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """How far a cancelled session's refunds have come; before that, what cancelling it would mean."""
    config = ctx.obj.config()
    if watch:
        _watch(config, session)
    progress = asyncio.run(_read(config, session))
    if as_json:
        typer.echo(orjson.dumps(progress.document()))
        return
    for line in _lines(progress):
        out().print(Text(line))


def _lines(progress: Progress) -> list[str]:
    if progress.cancelled_ms is None:
        counts = progress.counts
        return [
            f"The session {progress.session_id} ({progress.title}) is not cancelled.",
            (
                f"Cancelling it would refund {counts.undecided:,} orders, {yuan(counts.undecided_fen)} at most, "
                f"and end {counts.open:,} that are not paid yet."
            ),
        ]
    return [f"{progress.session_id} ({progress.title}) was cancelled: {progress.reason}", *progress.lines()]


def _ask(before: Progress) -> None:
    for line in _lines(before):
        out().print(Text(line), style=DOUBTFUL)
    if not typer.confirm("There is no way back. Cancel it?"):
        raise Stop("Nothing was changed.")


def _watch(config: Config, session: str) -> None:
    """Until nothing is left, then end with the verdict."""
    progress = asyncio.run(_follow(config, session))
    if progress.cancelled_ms is None:
        raise Stop(f"The session {session} is not cancelled. Cancel it with: floodgate session cancel {session}")
    finish(passed=not progress.counts.failed)


async def _follow(config: Config, session: str) -> Progress:
    """Show the progress until there is none to wait for. An outage of PostgreSQL is waited out."""
    seen: Progress | None = None
    with Live(console=out(), refresh_per_second=4) as live:
        while seen is None or not (seen.done or seen.cancelled_ms is None):
            if seen is not None:
                await asyncio.sleep(WATCH_EVERY_S)
            try:
                async with _ledger(config) as conn:
                    while True:
                        seen = await _known(conn, session)
                        live.update(_picture(seen))
                        if seen.done or seen.cancelled_ms is None:
                            return seen
                        await asyncio.sleep(WATCH_EVERY_S)
            except Outage as outage:
                if seen is None:
                    raise
                live.update(Group(_picture(seen), Text(f"{outage}; still watching", style=DOUBTFUL)))
    return seen


def _picture(progress: Progress) -> Group:
    back = progress.counts.succeeded + progress.counts.free
    bar = ProgressBar(total=max(1, progress.orders), completed=back, width=60)
    style = BAD if progress.counts.failed else GOOD if progress.done else ""
    return Group(bar, *(Text(line, style=style) for line in _lines(progress)))


async def _read(config: Config, session: str) -> Progress:
    async with _ledger(config) as conn:
        return await _known(conn, session)


async def _cancel(config: Config, session: str, reason: str) -> None:
    from engine.payments.cancelling.book import cancel  # noqa: PLC0415

    async with _ledger(config) as conn:
        await cancel(conn, session, reason)


async def _known(conn: "Connection", session: str) -> Progress:
    from engine.payments.cancelling.book import read_progress  # noqa: PLC0415

    progress = await read_progress(conn, session)
    if progress is None:
        raise Stop(f"There is no session {session!r}. Its id stands in the sale file, under [[events.sessions]].")
    return progress


@asynccontextmanager
async def _ledger(config: Config) -> AsyncIterator["Connection"]:
    """One connection to PostgreSQL."""
    from engine.infra.postgres import connection, open_pool  # noqa: PLC0415

    pool = await open_pool(
        config.postgres.url,
        connections_max=1,
        statement_timeout_s=config.postgres.statement_timeout_s,
        connect_timeout_s=config.postgres.connect_timeout_s,
        application="floodgate-cli",
    )
    async with pool, connection(pool, wait_s=config.postgres.connect_timeout_s) as conn:
        yield conn
