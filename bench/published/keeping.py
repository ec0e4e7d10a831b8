"""Takes the newest reports out of `.run` into `docs/reports`, without what is nobody else's business."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from bench.published.pages import KEPT, ROOT
from loadtest.profiles.loading import digest, load, names

RUN = ROOT / ".run"
RUNS = RUN / "loadtest"
SOURCES = {"bench": "bench.json", "demo": "demo-report.json", "payment-storm": "payment-storm.json"}
SHOWN = "concert-drop"  # whose whole report is kept, with its page
EXTRAS = ("overload", "soak", "breakpoint")
KINDS = ("count", "p50_ms", "p99_ms")


def keep() -> None:
    """The newest report of each kind."""
    KEPT.mkdir(exist_ok=True)
    for name, source in SOURCES.items():
        # Paths of this machine are nobody else's business.
        text = (RUN / source).read_text(encoding="utf-8").replace(f"{ROOT}/", "")
        (KEPT / f"{name}.json").write_text(text, encoding="utf-8")
    shown = newest(SHOWN)
    assert shown is not None, f"no run of {SHOWN} in {RUNS}"
    shutil.copyfile(shown, KEPT / f"{SHOWN}.json")
    shutil.copyfile(shown.with_name("report.html"), KEPT / f"{SHOWN}.html")
    runs = [summary(orjson.loads(path.read_bytes())) for path in _newest_of_all()]
    (KEPT / "lab.json").write_bytes(orjson.dumps({"runs": runs}, option=orjson.OPT_INDENT_2) + b"\n")


def _newest_of_all() -> Iterator[Path]:
    for name in names():
        path = newest(name)
        if path is not None:
            yield path


def newest(profile: str) -> Path | None:
    """The report of the last run of a profile as its file says, if there is one: nothing was changed for it."""
    as_shipped = digest(load(profile))
    found = sorted(RUNS.glob(f"{profile}-[0-9]*T*/report.json"), key=lambda path: path.stat().st_mtime)
    return next((path for path in reversed(found) if orjson.loads(path.read_bytes())["digest"] == as_shipped), None)


def summary(report: Mapping[str, Any]) -> dict[str, Any]:
    """What a table tells of a run of the lab."""
    machine = report["machine"]
    return {
        "name": report["story"]["name"],
        "command": report["command"],
        "started_at": report["started_at"],
        "machine": f"{machine['cpu']}, {machine['cores']} cores",
        "seed": report["seed"],
        "digest": report["digest"],
        "passed": report["passed"],
        "headline": report["headline"],
        "people": report["arrived"]["intended"],
        "missed": report["arrived"]["missed"],
        "kinds": {kind: {key: found[key] for key in KINDS} for kind, found in report["kinds"].items()},
        "slos": report["slos"],
        "audit": report["audit"]["figures"],
        "extra": {name: report["extra"][name] for name in EXTRAS if report["extra"].get(name)},
    }
