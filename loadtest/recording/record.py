"""The record of a whole run: the recorders of all processes, one over the other.

It travels between processes and machines as plain lists and bytes (msgpack), and is kept on disk as one HdrHistogram
interval log per kind, which any HdrHistogram tool reads, beside a CSV of the counts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self, cast

import msgpack
from hdrh.histogram import HdrHistogram

from loadtest.recording.recorder import DIGITS_SECOND, Recorder, Second, histogram


@dataclass(slots=True)
class Record:
    seconds: dict[int, Second] = field(default_factory=dict)
    totals: dict[str, HdrHistogram] = field(default_factory=dict)

    @classmethod
    def of(cls, recorder: Recorder) -> Self:
        """What one process heard; call `finish` on it first."""
        return cls(recorder.seconds, recorder.totals)

    def add(self, other: Record) -> None:
        """Lay another process's record over this one."""
        for at, second in other.seconds.items():
            mine = self.seconds.setdefault(at, Second())
            mine.outcomes.update(second.outcomes)
            mine.begun += second.begun
            mine.missed += second.missed
            for kind, encoded in second.histograms.items():
                known = mine.histograms.get(kind)
                mine.histograms[kind] = encoded if known is None else _merged(known, encoded)
        for kind, values in other.totals.items():
            self.totals.setdefault(kind, histogram()).add(values)

    def outcomes(self) -> Counter[tuple[str, str]]:
        """(kind, outcome) to how often, over the whole run."""
        total: Counter[tuple[str, str]] = Counter()
        for second in self.seconds.values():
            total.update(second.outcomes)
        return total

    @property
    def begun(self) -> int:
        return sum(second.begun for second in self.seconds.values())

    @property
    def missed(self) -> int:
        return sum(second.missed for second in self.seconds.values())

    def packed(self) -> bytes:
        """For another process."""
        seconds = [
            [at, [[*key, n] for key, n in second.outcomes.items()], second.histograms, second.begun, second.missed]
            for at, second in self.seconds.items()
        ]
        totals = {kind: values.encode() for kind, values in self.totals.items()}
        return cast(bytes, msgpack.packb([seconds, totals]))

    @classmethod
    def unpacked(cls, packed: bytes) -> Self:
        rows, encoded = cast(tuple[list[Any], dict[str, bytes]], msgpack.unpackb(packed))
        seconds = {
            at: Second(Counter({(kind, outcome): n for kind, outcome, n in outcomes}), histograms, begun, missed)
            for at, outcomes, histograms, begun, missed in rows
        }
        return cls(seconds, {kind: HdrHistogram.decode(values) for kind, values in encoded.items()})


def _merged(one: bytes, other: bytes) -> bytes:
    both = histogram(digits=DIGITS_SECOND)
    both.decode_and_add(one)
    both.decode_and_add(other)
    return cast(bytes, both.encode())
