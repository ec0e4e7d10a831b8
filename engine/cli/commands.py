"""The commands themselves."""

import asyncio
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.table import Table
from rich.text import Text

from engine.cli.fapiao import fapiao_app
from engine.cli.line import line_app
from engine.cli.loadtest import WORDS, compare, loadtest
from engine.cli.plan import plan_drop
from engine.cli.plan_rates import plan_rates
from engine.cli.reconcile import reconcile
from engine.cli.refunds import refund_app
from engine.cli.sales import sale_app
from engine.cli.sessions import session_app
from engine.cli.terminal import BAD, DOUBTFUL, GOOD, Stop, finish, out
from engine.cli.verify_draw import verify_draw
from engine.config import (
    FILE_NAME,
    Config,
    ConfigInvalid,
    config_file,
    load_config,
    origins,
    starter_toml,
)

app = typer.Typer(
    name="floodgate",
    help="Sells a scarce thing to a flood of people, exactly once each.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    # A traceback's local variables would show secrets.
    pretty_exceptions_show_locals=False,
)

RUN = "Run"
PREPARE = "Prepare and check"
SELL = "Sell"
MEASURE = "Measure"

app.add_typer(sale_app, name="sale", rich_help_panel=SELL)
app.add_typer(line_app, name="line", rich_help_panel=SELL)
app.add_typer(session_app, name="session", rich_help_panel=SELL)
app.add_typer(refund_app, name="refund", rich_help_panel=SELL)
app.add_typer(fapiao_app, name="fapiao", rich_help_panel=PREPARE)
app.command(rich_help_panel=PREPARE)(reconcile)
app.command(rich_help_panel=PREPARE)(verify_draw)
app.command("plan", rich_help_panel=PREPARE)(plan_drop)
app.command(rich_help_panel=PREPARE)(plan_rates)
app.command(rich_help_panel=MEASURE, add_help_option=False, context_settings=WORDS)(loadtest)
app.command(rich_help_panel=MEASURE, add_help_option=False, context_settings=WORDS)(compare)


@dataclass(frozen=True, slots=True)
class Given:
    """Where the settings are read from; each command loads them when it needs them."""

    path: Path | None

    def config(self) -> Config:
        return load_config(self.path, os.environ)


@app.callback()
def floodgate(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help=f"Settings; else $FLOODGATE_CONFIG, else ./{FILE_NAME}."),
    ] = None,
) -> None:
    ctx.obj = Given(config_file(config, os.environ))


MigrationsDir = Annotated[
    Path | None, typer.Option("--migrations-dir", metavar="DIR", help="The folder of the migrations.")
]


def _migrations(given: Path | None) -> Path:
    from engine.cli.migrations import HOME  # noqa: PLC0415

    return given or HOME


# --- Run ---


@app.command(rich_help_panel=RUN)
def serve(
    ctx: typer.Context,
    index: Annotated[int, typer.Option(min=0, help="The number of this worker on this machine.")] = 0,
) -> None:
    """Serve buyers: one web worker. Start as many as there are cores; they share the port."""
    config = ctx.obj.config()
    from engine.app import run_worker  # noqa: PLC0415

    run_worker(config, index=index)


@app.command(rich_help_panel=RUN)
def work(ctx: typer.Context) -> None:
    """Do the background jobs: sweep deadlines, settle payments, move the line, audit."""
    config = ctx.obj.config()
    from engine.app import run_jobs  # noqa: PLC0415

    run_jobs(config)


# --- Prepare and check ---


@app.command(rich_help_panel=PREPARE)
def migrate(ctx: typer.Context, migrations_dir: MigrationsDir = None) -> None:
    """Create the database if it is missing and bring it to the newest schema."""
    from engine.cli.migrations import migrate as run  # noqa: PLC0415

    run(ctx.obj.config().postgres.url, _migrations(migrations_dir))
    out().print("The database is migrated.", style=GOOD)


@app.command(rich_help_panel=PREPARE)
def doctor(ctx: typer.Context, migrations_dir: MigrationsDir = None) -> None:
    """Check Python, settings, Redis, PostgreSQL and the WeChat keys; exit code 1 if anything fails."""
    from engine.cli.doctor import check_python, examine  # noqa: PLC0415
    from engine.cli.findings import Finding, Verdict, fail, ok  # noqa: PLC0415

    findings: list[Finding] = [check_python()]
    try:
        config = ctx.obj.config()
    except ConfigInvalid as invalid:
        findings += [fail("config", str(problem)) for problem in invalid.problems]
    else:
        findings.append(ok("config", str(ctx.obj.path or "the environment")))
        findings += asyncio.run(examine(config, _migrations(migrations_dir)))
    styles = {Verdict.OK: GOOD, Verdict.WARNING: DOUBTFUL, Verdict.FAIL: BAD}
    for finding in findings:
        line = Text.assemble((f"{finding.verdict.value:5}", styles[finding.verdict]), f"{finding.subject:20}")
        out().print(line.append(finding.text))
    finish(passed=all(finding.verdict is not Verdict.FAIL for finding in findings))


@app.command(rich_help_panel=PREPARE)
def config(
    ctx: typer.Context,
    init: Annotated[bool, typer.Option("--init", help=f"Write a first {FILE_NAME} with fresh secrets.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every setting in force and where it came from; secrets are masked."""
    if init:
        _write_starter(ctx.obj.path or Path(FILE_NAME))
        return
    found = origins(ctx.obj.path, os.environ)
    if as_json:
        typer.echo(orjson.dumps({each.key: {"value": each.value, "source": each.source} for each in found}))
        return
    table = Table("setting", "value", "from", box=None, pad_edge=False)
    for each in found:
        table.add_row(each.key, Text(each.value), Text(each.source, style="dim"))
    out().print(table)


def _write_starter(path: Path) -> None:
    try:
        # Its owner's alone from the first byte, and never over an older one, whose secrets would be lost.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Stop(f"{path} exists already and is left as it is.") from None
    except OSError as error:
        raise Stop(f"{path} cannot be written: {error.strerror}.") from None
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(starter_toml())
    out().print(f"Wrote {path} with fresh secrets. Fill in \\[wechat], then run: floodgate doctor", style=GOOD)


@app.command(rich_help_panel=PREPARE)
def audit(ctx: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Compare Redis, orders and money; exit code 1 if they do not agree."""
    config = ctx.obj.config()
    from engine.app import run_audit  # noqa: PLC0415

    report = run_audit(config)
    if as_json:
        typer.echo(orjson.dumps(report.as_json()))
    else:
        for line in report.lines():
            out().print(Text(line))
    finish(passed=report.passed)


# --- One machine ---


@app.command(rich_help_panel=RUN)
def up(
    workers: Annotated[int, typer.Option(min=1, max=64, help="Web workers.")] = 2,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="The buyers' port; else 8080, or a free one.")
    ] = None,
    home: Annotated[Path, typer.Option(metavar="DIR", help="Where all of it is kept.")] = Path(".run"),
    sale: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A sale file to apply; may be repeated.")
    ] = None,
    opens_in: Annotated[
        float | None, typer.Option("--opens-in", metavar="SECONDS", help="Let its first sale open then.")
    ] = None,
    simulator: Annotated[
        str, typer.Option(metavar="OPTIONS", help="For the WeChat simulator, as in floodgate simulator --help.")
    ] = "",
) -> None:
    """Run the whole stack on this machine, stores and WeChat simulator included, until Ctrl-C."""
    from engine.embedded.stack import run_up  # noqa: PLC0415

    raise typer.Exit(
        run_up(
            home=home,
            workers=workers,
            sale_files=sale or (),
            opens_in_s=opens_in,
            public_port=port,
            simulator_options=shlex.split(simulator),
        )
    )


@app.command(
    rich_help_panel=RUN,
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def simulator(ctx: typer.Context) -> None:
    """Run the WeChat simulator, payments and logins, for tests and demos: see its --help."""
    from engine.simulator.cli import simulator as run  # noqa: PLC0415

    command = typer.Typer(add_completion=False)
    command.command()(run)
    command(args=ctx.args, prog_name="floodgate simulator")
