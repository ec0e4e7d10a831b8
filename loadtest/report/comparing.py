"""Two sides of one or several runs each: every figure as a ratio B/A with its spread, and what that means. Pure.

A figure of a side is the median of its runs. The ratio's spread reaches from B's lowest over A's highest to B's
highest over A's lowest. Where the two sides' ranges meet, the difference is within the spread and means nothing; a
single run on each side has no spread, and then nobody can tell.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from loadtest.report.figures import at_share, mean, median
from loadtest.report.markup import Term
from loadtest.report.model import Report
from loadtest.report.words import MEASURES, PROCESSES, in_order, kind, named

Read = Callable[[Report], float | None]
PEOPLE_WANT_MORE = frozenset({"joins", "passes", "orders", "checkouts", "payments"})
"""More polls or more refusals a second are neither good nor bad."""


class Better(enum.Enum):
    """Which way a figure is better."""

    HIGHER = 1
    LOWER = -1
    NEITHER = 0


class Meaning(enum.Enum):
    BETTER = Term("better", "变好")
    WORSE = Term("worse", "变差")
    DIFFERENT = Term("different", "不同")
    SAME = Term("the same", "相同")
    WITHIN_THE_SPREAD = Term("within the spread", "在波动范围内")
    SPREAD_UNKNOWN = Term("spread unknown", "波动未知")
    MISSING = Term("not on both sides", "非双方都有")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of all runs; runs without it are left out."""

    group: Term
    name: Term
    unit: str
    better: Better
    a: Sequence[float]
    b: Sequence[float]

    @property
    def ratio(self) -> float | None:
        """B over A, of the medians; None where one is missing or A is 0."""
        if not self.a or not self.b:
            return None
        below = median(self.a)
        return median(self.b) / below if below else None

    @property
    def spread(self) -> tuple[float, float] | None:
        """The lowest and the highest ratio that the runs allow; None where A has a 0."""
        if not self.a or not self.b or min(self.a) <= 0:
            return None
        return min(self.b) / max(self.a), max(self.b) / min(self.a)

    @property
    def meaning(self) -> Meaning:
        if not self.a or not self.b:
            return Meaning.MISSING
        if {*self.a} == {*self.b} and len({*self.a}) == 1:
            return Meaning.SAME
        if len(self.a) == len(self.b) == 1:
            return Meaning.SPREAD_UNKNOWN
        if min(self.b) <= max(self.a) and min(self.a) <= max(self.b):
            return Meaning.WITHIN_THE_SPREAD
        if self.better is Better.NEITHER:
            return Meaning.DIFFERENT
        rises = min(self.b) > max(self.a)
        return Meaning.BETTER if rises == (self.better is Better.HIGHER) else Meaning.WORSE


@dataclass(frozen=True, slots=True)
class Promise:
    """An SLO and in how many runs of each side it held."""

    words: str
    a_holds: int
    a_runs: int
    b_holds: int
    b_runs: int


def rows(a: Sequence[Report], b: Sequence[Report]) -> list[Row]:
    """Every figure that some run has, in the order of the page."""
    return [
        Row(group, name, unit, better, _values(a, read), _values(b, read))
        for group, name, unit, better, read in _figures([*a, *b])
    ]


def promises(a: Sequence[Report], b: Sequence[Report]) -> list[Promise]:
    """The audit and every SLO."""

    def held(words: str) -> Promise:
        found = [[slo.holds for run in side for slo in run.slos if slo.words == words] for side in (a, b)]
        return Promise(words, sum(found[0]), len(found[0]), sum(found[1]), len(found[1]))

    books = [[run.audit.holds for run in side] for side in (a, b)]
    audit = Promise("the books agree", sum(books[0]), len(books[0]), sum(books[1]), len(books[1]))
    return [audit, *(held(words) for words in dict.fromkeys(slo.words for run in [*a, *b] for slo in run.slos))]


def _values(side: Sequence[Report], read: Read) -> list[float]:
    return [value for run in side if (value := read(run)) is not None]


def _figures(runs: Sequence[Report]) -> Iterator[tuple[Term, Term, str, Better, Read]]:
    for name in in_order({name for run in runs for name in run.kinds}):
        direction = Better.HIGHER if name in PEOPLE_WANT_MORE else Better.NEITHER
        yield kind(name), Term("count", "数量"), "", Better.NEITHER, _of_kind(name, "count")
        yield kind(name), Term("mean per second", "平均每秒"), "/s", direction, _of_kind(name, "per_s_mean")
        yield kind(name), Term("best second", "峰值每秒"), "/s", direction, _of_kind(name, "per_s_best")
        for measure in ("p50_ms", "p90_ms", "p99_ms", "p999_ms"):
            yield kind(name), MEASURES[measure], "ms", Better.LOWER, _of_kind(name, measure)
        yield kind(name), Term("outages", "故障"), "", Better.LOWER, _of_kind(name, "outage_count")
    costs = Term("CPU per order", "每单 CPU")
    for name in dict.fromkeys(name for run in runs for name in run.costs):
        yield costs, named(name, PROCESSES), "µs", Better.LOWER, _cost(name)
    share = Term("Processors, % of a core", "处理器，单核百分比")
    for name in dict.fromkeys(name for run in runs for name in run.timeline.cpu):
        label = named(name, PROCESSES)
        yield share, Term(f"{label.en}, mean", f"{label.zh}，平均"), "%", Better.LOWER, _cpu(name, 0)
        yield share, Term(f"{label.en}, p95", f"{label.zh}，p95"), "%", Better.LOWER, _cpu(name, 0.95)
    whole = Term("The run", "整场")
    yield whole, Term("tickets sold", "售出"), "", Better.NEITHER, lambda run: run.audit.figures.get("sold")
    yield whole, Term("arrivals missed", "错过的到场"), "", Better.LOWER, lambda run: run.arrived.missed
    yield whole, Term("lasted", "历时"), "s", Better.NEITHER, lambda run: run.duration_s


def _of_kind(name: str, field: str) -> Read:
    get: Callable[[object], float | None] = attrgetter(field)
    return lambda run: get(run.kinds[name]) if name in run.kinds else None


def _cost(name: str) -> Read:
    return lambda run: run.costs.get(name)


def _cpu(name: str, wanted: float) -> Read:
    """The mean, or with `wanted` that percentile, in per cent."""

    def read(run: Report) -> float | None:
        series = run.timeline.cpu.get(name, [])
        found = at_share(series, wanted) if wanted else mean(series)
        return None if found is None else found * 100

    return read
