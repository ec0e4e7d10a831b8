"""The numbers of a run for other tools: two CSV files, and HdrHistogram interval logs, one for each kind.

timeline.csv   one row per second, one column per series (`goodput.orders`, `latency_ms.orders.p99`, `cpu.web-0` ...);
               a cell without a sample is empty
latencies.csv  kind, percentile, ms
histograms/    KIND.hlog: one compressed histogram of microseconds for each second, stamped with the wall clock; any
               HdrHistogram tool reads and plots it
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from hdrh.histogram import HdrHistogram

from loadtest.recording.record import Record
from loadtest.report.model import Report, Series, Timeline
from loadtest.report.words import in_order

TIMELINE = "timeline.csv"
LATENCIES = "latencies.csv"
HISTOGRAMS = "histograms"
_LOG_VERSION = "1.2"
"""Of the log's lines; the histograms in them are of encoding V2."""


def write(report: Report, record: Record, folder: Path) -> None:
    """All tables of a run into its folder, over whatever lies there."""
    columns = dict(series(report.timeline))
    with (folder / TIMELINE).open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["t_s", *columns])
        for n, t in enumerate(report.timeline.t_s):
            rows.writerow([_cell(t), *(_cell(values[n] if n < len(values) else None) for values in columns.values())])
    with (folder / LATENCIES).open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["kind", "percentile", "ms"])
        for kind in in_order(report.kinds):
            rows.writerows([kind, _cell(p), _cell(ms)] for p, ms in report.kinds[kind].distribution)
    histograms = folder / HISTOGRAMS
    histograms.mkdir(exist_ok=True)
    for kind in record.totals:
        text = "".join(line + "\n" for line in interval_log(record, kind))
        (histograms / f"{file_name(kind)}.hlog").write_text(text, encoding="ascii")


def series(timeline: Timeline) -> Iterator[tuple[str, Series]]:
    """Every series of the timeline under the name of its column."""
    yield "arrivals", timeline.arrivals
    for kind in in_order(timeline.goodput):
        yield f"goodput.{kind}", timeline.goodput[kind]
    for kind in in_order(timeline.offered):
        yield f"offered.{kind}", timeline.offered[kind]
    for kind in in_order(timeline.latency_ms):
        for measure, values in timeline.latency_ms[kind].items():
            yield f"latency_ms.{kind}.{measure}", values
    for name, several in (
        ("stock", timeline.stock),
        ("line", timeline.line),
        ("cpu", timeline.cpu),
        ("memory_mib", timeline.memory_mib),
    ):
        for part, values in several.items():
            yield f"{name}.{part}", values
    yield "connections", timeline.connections
    yield "redis_keys", timeline.redis_keys


def interval_log(record: Record, kind: str) -> Iterator[str]:
    """The lines of one kind's log. The lines are made here because the histograms of the record are encoded already,
    and because hdrh's writer cuts the interval's highest value down to whole units."""
    seconds = sorted(at for at, second in record.seconds.items() if kind in second.histograms)
    yield f"#[Latencies of {file_name(kind)}, in microseconds from the moment the person meant to act]"
    yield f"#[Histogram log format version {_LOG_VERSION}]"
    if seconds:
        began = datetime.fromtimestamp(seconds[0], UTC)
        yield f"#[StartTime: {seconds[0]:.3f} (seconds since epoch), {began:%a %b %d %H:%M:%S UTC %Y}]"
    yield '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'
    for at in seconds:
        encoded = record.seconds[at].histograms[kind]
        yield f"{at:.3f},1.000,{_highest_ms(encoded):.3f},{encoded.decode('ascii')}"


def file_name(kind: str) -> str:
    """A kind as the name of a file."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", kind)


def _highest_ms(encoded: bytes) -> float:
    return float(HdrHistogram.decode(encoded).get_max_value()) / 1000


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.12g}"
