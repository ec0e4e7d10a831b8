"""Every request of one process, as counts and histograms by second: what is kept raw and merged over processes.

A second has, for each kind of request, its outcomes, and an HdrHistogram of the latencies of whatever was answered
(outages are counted, not timed: nothing came). What counts as goodput is timed under its word there, so that a quick
refusal never flatters an order; everything else under the name of its request. Values are microseconds from the
moment the person meant to act, 1 to two minutes, two significant digits in a second and three over the whole run.

Seconds are those of the wall clock, so that processes on several machines can be laid over each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from hdrh.histogram import HdrHistogram

from loadtest.recording.kinds import goodput_of

VALUE_MAX_US = 120_000_000
DIGITS_SECOND = 2
DIGITS_RUN = 3


def histogram(*, digits: int = DIGITS_RUN) -> HdrHistogram:
    """An empty one, in microseconds."""
    return HdrHistogram(1, VALUE_MAX_US, digits)


@dataclass(slots=True)
class Second:
    """What happened within one second of the wall clock."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(kind, outcome) to how often."""
    histograms: dict[str, bytes] = field(default_factory=dict)
    """What was timed (`timed_as`) to the encoded histogram of its answers."""
    begun: int = 0
    """People who were to arrive within this second, whether or not they could."""
    missed: int = 0
    """Those of them whose arrival this process could not carry out in time."""


class Recorder:
    """Hears of every request of one process; `wall_s` tells the time. Not for several threads."""

    def __init__(self, *, wall_s: Callable[[], float]) -> None:
        self._wall_s = wall_s
        self.seconds: dict[int, Second] = {}
        """Whole seconds of the wall clock; the current one has no histograms yet."""
        self.totals: dict[str, HdrHistogram] = {}
        """What was timed to the latencies of the whole run."""
        self._now = 0
        self._current = Second()
        self._open: dict[str, HdrHistogram] = {}

    def observe(self, kind: str, outcome: str, elapsed_s: float) -> None:
        """Hears of one answer or outage; see `wires.port.Observer`."""
        second = self._turn()
        second.outcomes[kind, outcome] += 1
        if outcome.startswith("outage:"):
            return
        value_us = min(max(1, int(elapsed_s * 1e6)), VALUE_MAX_US)
        timed = timed_as(kind, outcome)
        if timed not in self._open:
            self._open[timed] = histogram(digits=DIGITS_SECOND)
            self.totals.setdefault(timed, histogram())
        self._open[timed].record_value(value_us)
        self.totals[timed].record_value(value_us)

    def arrive(self, *, missed: bool) -> None:
        """Somebody arrived, or should have."""
        second = self._turn()
        second.begun += 1
        second.missed += missed

    def finish(self) -> None:
        """Encode what is still open; nothing is heard afterwards."""
        self._close()

    def _turn(self) -> Second:
        now = int(self._wall_s())
        if now != self._now:
            self._close()
            self._now, self._current = now, self.seconds.setdefault(now, Second())
        return self._current

    def _close(self) -> None:
        for timed, values in self._open.items():
            self._current.histograms[timed] = values.encode()
        self._open.clear()


def timed_as(kind: str, outcome: str) -> str:
    """The name under which an answer's latency is kept: its goodput, else its kind of request."""
    return goodput_of(kind, outcome) or kind
