"""A part of a run, cut out of its record by seconds, and what happened in it. Pure.

A stretch is a Record like that of a whole run, so the promises of a profile can be judged on it. Its latencies come
from the histograms of its seconds, with their two significant digits.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hdrh.histogram import HdrHistogram

from loadtest.lab import slos
from loadtest.profiles.profile import Slo
from loadtest.recording.kinds import GOODPUTS, Goodput, requests_of
from loadtest.recording.record import Record
from loadtest.recording.recorder import DIGITS_SECOND, histogram
from loadtest.report.model import SloResult

OF_THE_WHOLE = frozenset({"count", "per_s"})
"""Measures that say something about a whole run and nothing about a part of it."""


def stretch(record: Record, *, from_s: int, until_s: int, timed: bool = True) -> Record:
    """The seconds of the wall clock from `from_s` up to, but not with, `until_s`; without latencies it is cheap."""
    seconds = {at: record.seconds[at] for at in range(from_s, until_s) if at in record.seconds}
    totals: dict[str, HdrHistogram] = {}
    for second in seconds.values() if timed else ():
        for name, encoded in second.histograms.items():
            totals.setdefault(name, histogram(digits=DIGITS_SECOND)).decode_and_add(encoded)
    return Record(seconds, totals)


def broken(slo: Slo, part: Record) -> SloResult | None:
    """The promise as it was broken in this part; None where it holds, or where nobody asked for its kind."""
    if slo.measure in OF_THE_WHOLE or not attempts(slo.kind, part):
        return None
    found = slos.result(slo, part)
    # Asked for and answered with something else is for the kind that it was answered with.
    if found.holds or (found.found is None and not slos.outages(slo.kind, part)):
        return None
    return found


def attempts(kind: Goodput, part: Record) -> int:
    """Requests that were made for it, however they ended."""
    wanted = requests_of(kind)
    return sum(count for (request, _), count in part.outcomes().items() if request in wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a stretch of `seconds` seconds had, per second. `arrivals`: people who came, or should have."""

    seconds: int
    arrivals: float
    missed: float
    goodput: dict[str, float]
    """By kind, only those that there were any of."""
    turned_away: dict[str, float]
    """Request and outcome, as "order 503" or "join TOO_OFTEN", of what was neither good nor an answer to an order."""


def rates(part: Record, *, seconds: int) -> Rates:
    """`seconds` is the length, since a second in which nothing happened is not in the record."""
    assert seconds > 0
    outcomes: Counter[tuple[str, str]] = part.outcomes()
    goodput = {kind: slos.count_of(kind, part) / seconds for kind in GOODPUTS}
    refused: Counter[str] = Counter()
    for (request, outcome), count in outcomes.items():
        if outcome.startswith("outage:") or not outcome.isdigit() or int(outcome) >= 400:
            refused[f"{request} {outcome.removeprefix('outage:')}"] += count
    return Rates(
        seconds=seconds,
        arrivals=part.begun / seconds,
        missed=part.missed / seconds,
        goodput={kind: round(per_s, 2) for kind, per_s in goodput.items() if per_s},
        turned_away={what: round(count / seconds, 2) for what, count in refused.most_common()},
    )
