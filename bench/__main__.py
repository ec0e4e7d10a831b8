"""`make bench`: every figure against its yardstick in one run, as a table and in `.run/bench.json`."""

from __future__ import annotations

import argparse
import shutil
import sys
import time

from rich.console import Console

from bench import machine, report
from bench.figures import FIGURES, FULL, QUICK, Bench, server_core
from bench.report import Figure
from bench.servers import ROOT, Servers
from bench.stack import Stack

RUN = ROOT / ".run"


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="short rounds, about a minute in all")
    arguments.add_argument("--only", action="append", choices=tuple(FIGURES), help="one figure's name; repeat")
    given = arguments.parse_args()
    pace = QUICK if given.quick else FULL

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    began_at = time.monotonic()
    folder = RUN / "bench"
    shutil.rmtree(folder, ignore_errors=True)
    found: list[Figure] = []
    with (
        Stack(folder) as stack,
        Servers("bench.yardsticks.echo", logs=stack.logs, core=server_core()) as echo,
    ):
        bench = Bench(pace, stack, echo, console)
        for name in given.only or FIGURES:
            console.print(f"{name} ...")
            found += FIGURES[name](bench)
            bench.conclude()
        efforts = bench.efforts

    on = machine.describe()
    report.write(RUN / "bench.json", machine=on, figures=found, efforts=efforts)
    report.show(console, machine=on, figures=found, efforts=efforts)
    console.print(f"{time.monotonic() - began_at:.0f} s; written to {RUN / 'bench.json'}")
    return 0 if all(one.met for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
