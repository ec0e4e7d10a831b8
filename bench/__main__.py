"""`make bench`: every figure against its yardstick in one run, as a table and in `.run/bench.json`.

A figure below its target is a finding, not a failure: it is reported as it is. The exit code is 1 only when
a figure could not be measured.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
import time

from rich.console import Console

from bench import machine, planning_page, report
from bench.figures import FIGURES, FULL, GROUPS, HOUSES, QUICK, Bench, House, RoundSpoilt, server_core
from bench.servers import ROOT, Servers
from bench.stack import Stack
from engine.cli.unit_costs import NAMES, SHIPPED

RUN = ROOT / ".run"

# More than this many other processes at work, and a round measures them, too.
BUSY_LOAD = 0.5


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m bench", description="Measure against yardsticks.")
    arguments.add_argument("--quick", action="store_true", help="short rounds, about five minutes in all")
    arguments.add_argument("--only", action="append", choices=(*FIGURES, *GROUPS), help="one figure's name; repeat")
    arguments.add_argument(
        "--ship", action="store_true", help="also renew what `floodgate plan` reckons with, and docs/planning.md"
    )
    given = arguments.parse_args()
    wanted = [figure for name in given.only or FIGURES for figure in GROUPS.get(name, [name])]

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    began_at = time.monotonic()
    RUN.mkdir(exist_ok=True)
    lock = (RUN / "bench.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        console.print("Another bench runs here; two would measure each other.", style="red")
        return 1
    load = os.getloadavg()[0]
    if load > BUSY_LOAD:
        console.print(f"Others use this machine (load {load:.1f}): rates will waver, read the spread.", style="red")
    found = report.Report()
    with lock:
        for house in HOUSES:
            if names := [name for name in house.figures if name in wanted]:
                _measure(house, names, quick=given.quick, console=console, found=found)

    on = machine.describe()
    report.write(RUN / "bench.json", machine=on, load=load, found=found)
    report.show(console, machine=on, found=found)
    if given.ship:
        found.spoilt += report.ship(SHIPPED, machine=on, costs=found.unit_costs, wanted=NAMES)
        planning_page.renew()
    for sentence in found.spoilt:
        console.print(sentence, style="red")
    console.print(f"{time.monotonic() - began_at:.0f} s; written to {RUN / 'bench.json'}")
    return 1 if found.spoilt else 0


def _measure(house: House, names: list[str], *, quick: bool, console: Console, found: report.Report) -> None:
    """Measure some figures of a house on a fresh stack."""
    with (
        Stack(RUN / f"bench-{house.name}", house.sales) as stack,
        Servers("bench.yardsticks.echo", logs=stack.logs, core=server_core()) as echo,
    ):
        bench = Bench(QUICK if quick else FULL, stack, echo, console)
        for name in names:
            console.print(f"{name} ...")
            try:
                found.figures += house.figures[name](bench)
            except RoundSpoilt as reason:
                found.spoilt.append(f"{name} could not be measured: {reason}")
                console.print(found.spoilt[-1], style="red")
            bench.conclude()
        found.efforts += bench.efforts
        found.unit_costs |= bench.unit_costs
        found.curves += bench.curves
        found.scaled += bench.scaled
        found.peers += bench.peers


if __name__ == "__main__":
    sys.exit(main())
