"""The breakpoint of a rising load: where a promise breaks, and what becomes of goodput behind it. Pure.

A promise is judged in windows. It is broken where a window breaks it and the next one, which shares no second with the
first, breaks it too: a stall of a second is not the end of what a server can do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loadtest.lab.searches.stretches import Rates, broken, rates, stretch
from loadtest.profiles.profile import Slo
from loadtest.recording.record import Record
from loadtest.report.model import SloResult

WINDOW_S = 5
FOLLOW_S = 15
"""The load goes on rising for so long after a break, to see what becomes of goodput."""
SETTLED_S = 2
"""The newest seconds are not judged: not every process has told of them yet."""
COMPARED = ("joins", "passes", "orders", "checkouts", "payments")
"""What people come for. Polls come from caches at their own pace, and refusals are nobody's wish."""
STEADY = 0.9
"""Goodput behind the break counts as kept from this share of its best window before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """The first window that broke a promise, from `from_s` on (wall clock)."""

    from_s: int
    slo: SloResult
    rates: Rates


class Search:
    """Looks at a growing record again and again; every second is judged once."""

    def __init__(self, slos: Sequence[Slo], *, opens_at_s: float, window_s: int = WINDOW_S) -> None:
        self._slos = slos
        self._window_s = window_s
        self._next_s = int(opens_at_s) + 1
        self._opens_at_s = int(opens_at_s) + 1
        self.found: Break | None = None

    def look(self, record: Record, *, until_s: int) -> Break | None:
        """Judge what is new up to, but not with, `until_s`."""
        while self.found is None and self._next_s + 2 * self._window_s <= until_s:
            self.found = self._at(record, self._next_s)
            self._next_s += 1
        return self.found

    def may_end(self, record: Record, *, now_s: float) -> bool:
        """Whether the break is found and its consequences have been seen."""
        until_s = int(now_s) - SETTLED_S
        found = self.look(record, until_s=until_s)
        return found is not None and until_s >= found.from_s + self._window_s + FOLLOW_S

    def _at(self, record: Record, from_s: int) -> Break | None:
        length = self._window_s
        first = stretch(record, from_s=from_s, until_s=from_s + length)
        for slo in self._slos:
            result = broken(slo, first)
            if result is None:
                continue
            second = stretch(record, from_s=from_s + length, until_s=from_s + 2 * length)
            if broken(slo, second) is not None:
                return Break(from_s=from_s, slo=result, rates=rates(first, seconds=length))
        return None

    @property
    def over_s(self) -> int | None:
        """Where the first broken window ends, on the wall clock; None while every promise holds."""
        return None if self.found is None else self.found.from_s + self._window_s

    def told(self, record: Record, *, until_s: int) -> dict[str, Any]:
        """What the report keeps as `extra["breakpoint"]`. `until_s`: the end of the ramp, on the wall clock.

        found, words; at_s (from the opening), window_s; arrivals_per_s, goodput_per_s by kind; slo, bound, measured;
        before: each kind's best window until the break; behind: its mean from there on; kept: behind over before.
        """
        end_s = max(self._opens_at_s + self._window_s, until_s)
        found = self.look(record, until_s=end_s)
        if found is None:
            best = self._best(record, self._opens_at_s, end_s)
            most = max((one.arrivals for one in self._windows(record, self._opens_at_s, end_s)), default=0.0)
            return {
                "found": False,
                "window_s": self._window_s,
                "words": f"Every promise held to the end of the ramp, at {most:.0f} people a second.",
                "arrivals_per_s": round(most, 1),
                "before": best,
            }
        behind_s = found.from_s + self._window_s
        before = self._best(record, self._opens_at_s, behind_s)
        behind = rates(stretch(record, from_s=behind_s, until_s=end_s, timed=False), seconds=max(1, end_s - behind_s))
        kept = {
            kind: round(behind.goodput.get(kind, 0.0) / best, 3) for kind, best in before.items() if kind in COMPARED
        }
        return {
            "found": True,
            "at_s": found.from_s - self._opens_at_s,
            "window_s": self._window_s,
            "words": _words(found, kept),
            "arrivals_per_s": round(found.rates.arrivals, 1),
            "goodput_per_s": found.rates.goodput,
            "turned_away_per_s": found.rates.turned_away,
            "slo": found.slo.words,
            "bound": found.slo.bound,
            "measured": found.slo.found,
            "before": before,
            "behind": behind.goodput,
            "kept": kept,
        }

    def _windows(self, record: Record, from_s: int, until_s: int) -> list[Rates]:
        length = self._window_s
        return [
            rates(stretch(record, from_s=at, until_s=at + length, timed=False), seconds=length)
            for at in range(from_s, until_s - length + 1)
        ]

    def _best(self, record: Record, from_s: int, until_s: int) -> dict[str, float]:
        best: dict[str, float] = {}
        for window in self._windows(record, from_s, until_s):
            for kind, per_s in window.goodput.items():
                best[kind] = max(best.get(kind, 0.0), per_s)
        return best


def ramp_end(record: Record) -> int:
    """Behind the last second in which somebody was to come."""
    return max((at for at, second in record.seconds.items() if second.begun), default=-1) + 1


def _words(found: Break, kept: dict[str, float]) -> str:
    fell = [f"{kind} to {share:.0%}" for kind, share in kept.items() if share < STEADY]
    measured = "nothing" if found.slo.found is None else f"{found.slo.found:g}"
    behind = (
        f"Behind it goodput fell: {', '.join(fell)} of its best window."
        if fell
        else "Goodput kept its height behind it."
    )
    return (
        f"At {found.rates.arrivals:.0f} people a second a promise broke: {found.slo.words}, and {measured} was found. "
        f"{behind}"
    )
