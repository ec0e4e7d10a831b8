"""What is seen while a round runs: goodput by kind and second over all workers, the stock, the line, the generators.

Workers tell of their last seconds again and again; a second that is told anew replaces what was told before, so that
nothing is counted twice. Pure but for the memory.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from loadtest.locusts.handing import Beat
from loadtest.recording.kinds import goodput_of
from loadtest.recording.record import Record
from loadtest.recording.recorder import Second

SECONDS_SHOWN = 120
AGAIN_S = 2
"""A worker's clock second may still grow after it was told."""

Row = list[Any]
"""A second as it travels: [second, {goodput or word: count}]."""
ARRIVED = "arrived"
MISSED = "missed"
OUTAGES = "outages"


def row_of(at: int, second: Second) -> Row:
    counts: Counter[str] = Counter()
    for (kind, outcome), count in second.outcomes.items():
        goodput = goodput_of(kind, outcome)
        if goodput is not None:
            counts[goodput] += count
        elif outcome.startswith("outage:"):
            counts[OUTAGES] += count
    counts[ARRIVED], counts[MISSED] = second.begun, second.missed
    return [at, {word: count for word, count in counts.items() if count}]


def rows_since(seconds: Mapping[int, Second], told: int) -> list[Row]:
    """The seconds to tell of when those up to `told` were told before."""
    return [row_of(at, second) for at, second in seconds.items() if at > told - AGAIN_S]


@dataclass(frozen=True, slots=True)
class Sight:
    """The sale at one moment, as the engine tells it. Empty parts are not known."""

    wall_s: float
    stock: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    """SKU to (free, held, sold)."""
    bands: Mapping[str, str] = field(default_factory=dict)
    """SKU to what the public is told."""
    waiting: int | None = None
    called: int | None = None
    rate_per_s: float | None = None
    phase: str = ""


class Board:
    def __init__(self) -> None:
        self._rows: dict[int, dict[str, Mapping[str, int]]] = defaultdict(dict)
        self.totals: dict[str, Counter[str]] = defaultdict(Counter)
        """By worker."""
        self.beats: dict[str, Beat] = {}
        self.sights: deque[Sight] = deque(maxlen=SECONDS_SHOWN)
        self.peaks: Counter[str] = Counter()

    def hear(self, worker: str, rows: Iterable[Row], beat: Beat | None) -> None:
        for at, counts in rows:
            known = self._rows[at].get(worker, {})
            for word in {*known, *counts}:
                self.totals[worker][word] += counts.get(word, 0) - known.get(word, 0)
            self._rows[at][worker] = counts
            for word, count in self.second(at).items():
                self.peaks[word] = max(self.peaks[word], count)
        if beat is not None:
            self.beats[worker] = beat
        for old in sorted(self._rows)[: -2 * SECONDS_SHOWN]:
            del self._rows[old]

    def settle(self, record: Record) -> None:
        """Put the books in the place of what was told meanwhile."""
        self._rows.clear()
        self.totals.clear()
        self.peaks.clear()
        self.hear("everybody", [row_of(at, second) for at, second in record.seconds.items()], None)

    def second(self, at: int) -> Counter[str]:
        counts: Counter[str] = Counter()
        for one in self._rows.get(at, {}).values():
            counts.update(one)
        return counts

    def total(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for one in self.totals.values():
            counts.update(one)
        return counts

    def seconds(self, *, growing_s: int) -> list[Counter[str]]:
        """The last whole seconds, without those that may still grow."""
        if not self._rows:
            return []
        last = max(self._rows) - growing_s
        first = max(min(self._rows), last - SECONDS_SHOWN + 1)
        return [self.second(at) for at in range(first, last + 1)]
