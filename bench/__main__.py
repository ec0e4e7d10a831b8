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

from bench import machine, report
from bench.figures import FIGURES, FULL, QUICK, Bench, RoundSpoilt, server_core
from bench.report import Figure
from bench.servers import ROOT, Servers
from bench.stack import Stack

RUN = ROOT / ".run"

# More than this many other processes at work, and a round measures them, too.
BUSY_LOAD = 0.5


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m bench", description="Measure against yardsticks.")
    arguments.add_argument("--quick", action="store_true", help="short rounds, about a minute in all")
    arguments.add_argument("--only", action="append", choices=tuple(FIGURES), help="one figure's name; repeat")
    given = arguments.parse_args()
    pace = QUICK if given.quick else FULL

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
    spoilt: list[str] = []
    found: list[Figure] = []
    with (
        lock,
        Stack(RUN / "bench") as stack,
        Servers("bench.yardsticks.echo", logs=stack.logs, core=server_core()) as echo,
    ):
        bench = Bench(pace, stack, echo, console)
        for name in given.only or FIGURES:
            console.print(f"{name} ...")
            try:
                found += FIGURES[name](bench)
            except RoundSpoilt as reason:
                spoilt.append(f"{name} could not be measured: {reason}")
                console.print(spoilt[-1], style="red")
            bench.conclude()
        efforts = bench.efforts

    on = machine.describe()
    report.write(RUN / "bench.json", machine=on, load=load, figures=found, efforts=efforts)
    report.show(console, machine=on, figures=found, efforts=efforts)
    for sentence in spoilt:
        console.print(sentence, style="red")
    console.print(f"{time.monotonic() - began_at:.0f} s; written to {RUN / 'bench.json'}")
    return 1 if spoilt else 0


if __name__ == "__main__":
    sys.exit(main())
