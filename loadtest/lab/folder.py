"""Where a run is kept: one folder, complete or not there.

report.json  report.html  timeline.csv  latencies.csv  histograms/<kind>.hlog  profile.toml  sale.toml  draw/  logs/
"""

from __future__ import annotations

import contextlib
import shutil
from datetime import UTC, datetime
from pathlib import Path

from loadtest.lab.toml import to_toml
from loadtest.profiles.profile import Profile
from loadtest.recording.record import Record
from loadtest.report import page, tables
from loadtest.report.model import Report

RUNS = Path(".run/loadtest")
LOG_MAX = 4_000_000
"""Of each log its end is kept, so much of it."""


def fresh(profile: Profile, *, given: Path | None, at: datetime) -> Path:
    """An empty folder for this run. Raises FileExistsError when the given one is a file or has something in it, and
    another OSError where nothing can be written."""
    if given is not None:
        if given.exists() and not given.is_dir():
            raise FileExistsError(f"{given} is a file: give a folder of its own to each run")
        given.mkdir(parents=True, exist_ok=True)
        if any(given.iterdir()):
            raise FileExistsError(f"{given} is not empty: give a folder of its own to each run")
        return _with_logs(given)
    name = f"{profile.story.name}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    for number in range(1, 1000):
        folder = RUNS / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            return _with_logs(folder)
    raise FileExistsError(f"{RUNS / name} is taken")


def _with_logs(folder: Path) -> Path:
    (folder / "logs").mkdir(exist_ok=True)
    return folder


def keep_profile(profile: Profile, folder: Path) -> None:
    """As it was played: another run of this file is the same run."""
    document = profile.model_dump(mode="json", exclude_defaults=True)
    (folder / "profile.toml").write_text(to_toml(document), encoding="utf-8")


def keep_logs(stack_home: Path, folder: Path) -> None:
    """The ends of the logs of a stack that has stopped."""
    for log in sorted((stack_home / "stack" / "logs").glob("*.log")):
        with log.open("rb") as source:
            source.seek(max(0, log.stat().st_size - LOG_MAX))
            with (folder / "logs" / log.name).open("wb") as target:
                shutil.copyfileobj(source, target)


def write(report: Report, record: Record, folder: Path) -> Path:
    """Everything that is made from the report; returns the page."""
    (folder / "report.json").write_bytes(report.encoded())
    tables.write(report, record, folder)
    return page.write(report, folder)
