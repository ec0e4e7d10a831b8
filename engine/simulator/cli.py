"""The command that runs the simulator until SIGTERM or Ctrl-C.

It prints one line when it is ready. A profile or a home folder that cannot be used is explained in one
sentence and nothing starts (exit code 2).
"""

import asyncio
import gc
import signal
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from engine.simulator.keys import keyring as keys
from engine.simulator.keys.credentials import CredentialsError
from engine.simulator.luck import faults, manual
from engine.simulator.luck.faults import Faults, FaultsError
from engine.simulator.office.journal import LedgerError
from engine.simulator.processes import supervisor
from engine.simulator.processes.roles import Plan
from engine.simulator.processes.server import Simulator


def _show_knobs(asked: bool) -> None:
    if asked:
        typer.echo(manual.knob_tables(), nl=False)
        raise typer.Exit


def simulator(
    *,
    home: Annotated[Path, typer.Option(help="Folder for keys, credentials and the journal; made on first use.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 takes a free one.")] = 9300,
    host: Annotated[
        str, typer.Option(help="Address to listen on; anything but loopback exposes test keys.")
    ] = "127.0.0.1",
    profile: Annotated[
        Path | None,
        typer.Option(
            "--profile", "--faults", help="TOML file with fault knobs, see docs/simulator.md.", dir_okay=False
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer, sharing the port.")] = 1,
    callers: Annotated[
        int, typer.Option(min=0, max=64, help="Processes that call back; 0 leaves it to the ledger process.")
    ] = 0,
    merchants: Annotated[int, typer.Option(min=1, max=100, help="Merchants, all of one mini program.")] = 1,
    signers: Annotated[
        int, typer.Option(min=1, max=64, help="Threads that sign in each process, 3,000 a second each.")
    ] = 1,
    allow_http_notify: Annotated[
        bool,
        typer.Option("--allow-http-notify", help="Accept http:// notify_url for hosts other than loopback."),
    ] = False,
    knobs: Annotated[
        bool,
        typer.Option("--knobs", help="Print every knob of a profile and end.", is_eager=True, callback=_show_knobs),
    ] = False,
) -> None:
    """Run a local WeChat Pay (API v3) and mini-program services, as strict as the real ones and as unlucky as asked.

    One worker and no caller run as one process; more of either run beside a ledger process that decides everything.
    """
    try:
        luck = Faults() if profile is None else faults.read_profile(profile, Faults())
        if workers == 1 and callers == 0:
            # The ledger only grows: the collector would look at all of it again and again and find nothing.
            gc.freeze()
            gc.set_threshold(50_000, 50, 1000)
            uvloop.run(
                _run_alone(
                    home,
                    host=host,
                    port=port,
                    luck=luck,
                    merchants=merchants,
                    http_anywhere=allow_http_notify,
                    signers=signers,
                )
            )
        else:
            plan = Plan(
                home=home,
                folder=home,
                keyring=keys.ensure(home, merchants=merchants),
                luck=luck,
                host=host,
                port=port,
                signers=signers,
                callers=callers,
                http_anywhere=allow_http_notify,
            )
            supervisor.run(plan, workers=workers, ready=_say_ready)
    except (FaultsError, CredentialsError, LedgerError, OSError) as error:
        typer.echo(f"simulator: {error}", err=True)
        raise typer.Exit(2) from error
    except supervisor.StartError as error:
        raise typer.Exit(2) from error


def main() -> None:
    typer.run(simulator)


async def _run_alone(
    home: Path, *, host: str, port: int, luck: Faults, merchants: int, http_anywhere: bool, signers: int
) -> None:
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    running = Simulator(home, luck=luck, merchants=merchants, http_anywhere=http_anywhere, signers=signers)
    try:
        await running.start(host=host, port=port)
        _echo_ready(host, running.port, running.credentials.mchid)
        await asked_to_stop.wait()
    finally:
        await running.stop()


def _say_ready(plan: Plan) -> None:
    _echo_ready(plan.host, plan.port, plan.keyring.all_credentials[0].mchid)


def _echo_ready(host: str, port: int, mchid: str) -> None:
    typer.echo(f"simulator ready on http://{host}:{port} (mchid {mchid})")
