"""`python -m bench.published`."""

from __future__ import annotations

import argparse
import sys

from bench.published import keeping, pages


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m bench.published", description="Write the numbers of the pages.")
    arguments.add_argument("--keep", action="store_true", help="take the newest reports of .run first")
    if arguments.parse_args().keep:
        keeping.keep()
    pages.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
