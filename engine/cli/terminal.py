"""How the command line speaks: results on standard output, complaints in red on standard error."""

import os
import sys
from typing import NoReturn

from rich.console import Console
from rich.text import Text

GOOD, BAD, DOUBTFUL = "green", "red", "yellow"


class Stop(Exception):
    """The command cannot be done; its text is the sentence that says why and what to do."""


WIDE = 240  # columns where nobody looks: a table in a pipe or a file is not cut


def out() -> Console:
    """Standard output. A terminal's own width holds where there is one, and $COLUMNS where it is set."""
    plain = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(highlight=False, soft_wrap=True, width=WIDE if plain else None)


def complain(sentence: str) -> None:
    """Red where a terminal shows it; never parsed for markup, for it may quote what somebody typed."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(sentence, style=BAD))


def finish(*, passed: bool) -> NoReturn:
    """End with the verdict as exit code: 0 or 1."""
    sys.exit(0 if passed else 1)
