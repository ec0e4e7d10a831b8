"""The command that runs the simulator until SIGTERM or Ctrl-C.

It prints one line when it is ready. A fault file or a home folder that cannot be used is explained in one
sentence and nothing starts (exit code 2).
"""

import asyncio
import gc
import signal
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from engine.simulator import faults
from engine.simulator.credentials import CredentialsError
from engine.simulator.faults import Faults, FaultsError
from engine.simulator.ledger import LedgerError
from engine.simulator.server import Simulator


def simulator(
    *,
    home: Annotated[Path, typer.Option(help="Folder for keys, credentials and the journal; made on first use.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 takes a free one.")] = 9300,
    host: Annotated[
        str, typer.Option(help="Address to listen on; anything but loopback exposes test keys.")
    ] = "127.0.0.1",
    faults_file: Annotated[
        Path | None, typer.Option("--faults", help="TOML file with fault knobs.", dir_okay=False)
    ] = None,
    allow_http_notify: Annotated[
        bool,
        typer.Option("--allow-http-notify", help="Accept http:// notify_url for hosts other than loopback."),
    ] = False,
    signers: Annotated[int, typer.Option(min=1, max=64, help="Threads that sign, 3,000 a second each.")] = 1,
) -> None:
    """Run a local WeChat Pay (API v3) and mini-program login."""
    try:
        luck = Faults() if faults_file is None else faults.read_profile(faults_file, Faults())
        # The ledger only grows: the collector would look at all of it again and again and find nothing.
        gc.freeze()
        gc.set_threshold(50_000, 50, 1000)
        uvloop.run(_run(home, host=host, port=port, luck=luck, http_anywhere=allow_http_notify, signers=signers))
    except (FaultsError, CredentialsError, LedgerError, OSError) as error:
        typer.echo(f"simulator: {error}", err=True)
        raise typer.Exit(2) from error


def main() -> None:
    typer.run(simulator)


async def _run(home: Path, *, host: str, port: int, luck: Faults, http_anywhere: bool, signers: int) -> None:
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    running = Simulator(home, luck=luck, http_anywhere=http_anywhere, signers=signers)
    try:
        await running.start(host=host, port=port)
        typer.echo(f"simulator ready on http://{host}:{running.port} (mchid {running.credentials.mchid})")
        await asked_to_stop.wait()
    finally:
        await running.stop()
