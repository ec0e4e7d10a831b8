"""The record of a run as it grows, counted once: what a screen shows of it while it is still incomplete. Pure.

A second is counted when every process has had the time to tell of it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hdrh.histogram import HdrHistogram

from loadtest.recording.kinds import GOODPUTS, goodput_of
from loadtest.recording.record import Record
from loadtest.recording.recorder import DIGITS_SECOND, histogram

TOLD_AFTER_S = 2
"""Processes tell of a second when it is over, twice a second."""


@dataclass(frozen=True, slots=True)
class KindSoFar:
    count: int
    per_s: int
    """In the newest second that is known."""
    per_s_best: int
    p50_ms: float | None
    p99_ms: float | None


class Tally:
    def __init__(self) -> None:
        self._until = -1
        self._counts: Counter[str] = Counter()
        self._newest: Counter[str] = Counter()
        self._best: Counter[str] = Counter()
        self._times: dict[str, HdrHistogram] = {}
        self.arrived = 0
        self.missed = 0
        self.outages = 0

    def count(self, record: Record, *, now_s: float) -> None:
        """Take in every second that is old enough and not counted yet."""
        until = int(now_s) - TOLD_AFTER_S
        fresh = sorted(at for at in record.seconds if self._until < at < until)
        self._newest = Counter()
        for at in fresh:
            second = record.seconds[at]
            self.arrived += second.begun
            self.missed += second.missed
            good: Counter[str] = Counter()
            for (kind, outcome), count in second.outcomes.items():
                if (goodput := goodput_of(kind, outcome)) is not None:
                    good[goodput] += count
                elif outcome.startswith("outage:"):
                    self.outages += count
            self._counts.update(good)
            self._newest = good
            for kind, count in good.items():
                self._best[kind] = max(self._best[kind], count)
                self._times.setdefault(kind, histogram(digits=DIGITS_SECOND)).decode_and_add(second.histograms[kind])
        if fresh:
            self._until = fresh[-1]

    def kinds(self) -> dict[str, KindSoFar]:
        """In the order of a visit; those that nobody was given yet are missing."""
        return {
            kind: KindSoFar(
                count=self._counts[kind],
                per_s=self._newest[kind],
                per_s_best=self._best[kind],
                p50_ms=self._at(kind, 50),
                p99_ms=self._at(kind, 99),
            )
            for kind in GOODPUTS
            if self._counts[kind]
        }

    def _at(self, kind: str, percentile: float) -> float | None:
        values = self._times.get(kind)
        return None if values is None else float(values.get_value_at_percentile(percentile)) / 1000
