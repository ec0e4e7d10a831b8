"""The books of a round: what each worker hands over at its end, how that travels, and the folder that keeps it.

FOLDER/
  handed.json              who, what and when: story, seed, sale, workers, arrivals begun and missed, who is missing
  record.msgpack           the merged record (`loadtest.recording.record.Record.packed`)
  testimonies/0000.msgpack one for each worker (`loadtest.crowd.testimony.pack`); the judge absorbs all of them
  histograms/KIND.hlog     the latencies, merged over workers, one histogram for each second, for any HdrHistogram tool

`read` gives back what the audit and the report need. Books of which a worker's part is missing say so in `missing`:
nothing can be proved from them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgpack
import orjson

from loadtest.recording.record import Record
from loadtest.report.tables import file_name, interval_log

PART_BYTES = 512 * 1024
"""Of a worker's books in one message, so that heartbeats come between."""


@dataclass(frozen=True, slots=True)
class Beat:
    """How one generator process was within one second."""

    wall_s: float
    cpu_share: float
    """Of one core."""
    lag_s: float
    """The latest that its clock struck."""


@dataclass(frozen=True, slots=True)
class Books:
    """One worker's."""

    record: bytes
    testimony: bytes
    line_reads: int
    """How often somebody looked at the line, be it answered by the engine or by a CDN."""
    beats: tuple[Beat, ...] = ()

    def packed(self) -> bytes:
        beats = [[beat.wall_s, beat.cpu_share, beat.lag_s] for beat in self.beats]
        return bytes(msgpack.packb([self.record, self.testimony, self.line_reads, beats]))

    @classmethod
    def unpacked(cls, packed: bytes) -> Self:
        record, testimony, line_reads, beats = msgpack.unpackb(packed)
        return cls(record, testimony, line_reads, tuple(Beat(*beat) for beat in beats))


@dataclass(slots=True)
class Handed:
    """All of a round."""

    record: Record
    testimonies: list[bytes]
    line_reads: int = 0
    beats: dict[str, list[Beat]] = field(default_factory=dict)
    """By worker."""
    missing: list[str] = field(default_factory=list)
    """Workers that began the round and never handed over."""
    about: dict[str, Any] = field(default_factory=dict)
    """Story, seed, sale and moments, for whoever reads the folder."""

    @classmethod
    def of(cls, books: dict[str, Books], *, missing: list[str], about: dict[str, Any]) -> Self:
        """`books` by worker."""
        record = Record()
        for one in books.values():
            record.add(Record.unpacked(one.record))
        return cls(
            record=record,
            testimonies=[one.testimony for one in books.values()],
            line_reads=sum(one.line_reads for one in books.values()),
            beats={worker: list(one.beats) for worker, one in books.items()},
            missing=missing,
            about=about,
        )


def parts_of(packed: bytes) -> list[bytes]:
    count = max(1, math.ceil(len(packed) / PART_BYTES))
    return [packed[n * PART_BYTES : (n + 1) * PART_BYTES] for n in range(count)]


class Gathering:
    """Puts the parts together as they come, from several workers at once."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[int, bytes]] = defaultdict(dict)
        self.books: dict[str, Books] = {}

    def take(self, worker: str, *, part: int, parts: int, piece: bytes) -> None:
        have = self._parts[worker]
        have[part] = piece
        if len(have) == parts:
            self.books[worker] = Books.unpacked(b"".join(have[n] for n in range(parts)))
            del self._parts[worker]


def write(folder: Path, handed: Handed) -> None:
    """Over whatever lies there from an earlier round. Raises OSError."""
    testimonies, histograms = folder / "testimonies", folder / "histograms"
    for kept in (testimonies, histograms):
        kept.mkdir(parents=True, exist_ok=True)
        for old in kept.iterdir():
            old.unlink()
    for n, testimony in enumerate(handed.testimonies):
        (testimonies / f"{n:04d}.msgpack").write_bytes(testimony)
    for kind in handed.record.totals:
        text = "".join(f"{line}\n" for line in interval_log(handed.record, kind))
        (histograms / f"{file_name(kind)}.hlog").write_text(text, encoding="ascii")
    (folder / "record.msgpack").write_bytes(handed.record.packed())
    document = {
        **handed.about,
        "begun": handed.record.begun,
        "missed": handed.record.missed,
        "line_reads": handed.line_reads,
        "missing": handed.missing,
        "beats": {worker: [[b.wall_s, b.cpu_share, b.lag_s] for b in beats] for worker, beats in handed.beats.items()},
    }
    (folder / "handed.json").write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def read(folder: Path) -> Handed:
    """Raises OSError when a file is not there."""
    said = orjson.loads((folder / "handed.json").read_bytes())
    return Handed(
        record=Record.unpacked((folder / "record.msgpack").read_bytes()),
        testimonies=[path.read_bytes() for path in sorted((folder / "testimonies").iterdir())],
        line_reads=said["line_reads"],
        beats={worker: [Beat(*beat) for beat in beats] for worker, beats in said["beats"].items()},
        missing=said["missing"],
        about={key: value for key, value in said.items() if key not in {"line_reads", "beats", "missing"}},
    )
