"""`floodgate loadtest` and `floodgate compare`: the door to the load lab, which is a package of its own.

The engine knows nothing of its load tests. The command hands its words over and becomes the lab's own process, so that
signals, exit status and terminal are the lab's.
"""

import importlib.util
import os
import sys

import typer

from engine.cli.terminal import Stop

NEEDED = ("loadtest", "hdrh", "locust", "psutil")
INSTALL = 'pip install "floodgate-engine[loadtest]"'
WORDS = {"allow_extra_args": True, "ignore_unknown_options": True}


def loadtest(ctx: typer.Context) -> None:
    """Play a real peak against Floodgate, audit every book, judge it: see its --help and --list."""
    _become("loadtest", ctx.args)


def compare(ctx: typer.Context) -> None:
    """Put two load-test runs side by side, with ratios and spread: floodgate compare RUN_A RUN_B."""
    _become("loadtest.report.compare", ctx.args)


def _become(module: str, words: list[str]) -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise Stop(f"The load lab is not installed ({', '.join(missing)} missing). Install it with: {INSTALL}")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", module, *words])  # noqa: S606 - our own interpreter, no shell
