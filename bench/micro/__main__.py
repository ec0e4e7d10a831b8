"""`python -m bench.micro FILE...`: keep the middle of several runs as the baselines that are committed.

A process lays its memory out anew each time, which alone moves a ratio by some percent. So a baseline is no single
run's: `make bench-units SAVE=1` makes five, and this puts them together.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench import machine
from bench.micro.gate import BASELINES, middle_of, read_baselines, write_baselines


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.micro", description=__doc__)
    arguments.add_argument("runs", type=Path, nargs="+", help="files that --save-baselines has written")
    runs = [read_baselines(file) for file in arguments.parse_args().runs]
    write_baselines(BASELINES, middle_of(runs), machine=machine.describe())
    print(f"the middle of {len(runs)} runs is kept in {BASELINES}")


if __name__ == "__main__":
    main()
