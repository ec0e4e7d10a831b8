"""How a round was, in a few lines: for the end of a run and for the web UI's tab."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from loadtest.crowd.journal import Journal
from loadtest.crowd.protocol import Shop
from loadtest.crowd.testimony import absorb
from loadtest.locusts.handing import Handed
from loadtest.recording.kinds import GOODPUTS, goodput_of
from loadtest.recording.trust import BUSY_SHARE, MISSED_SHARE_MAX, percentile
from loadtest.wires.port import Wire


@dataclass(frozen=True, slots=True)
class Summary:
    goodput: Mapping[str, tuple[int, float, float]]
    """Kind to (count, p50 in ms, p99 in ms)."""
    begun: int
    missed: int
    complaints: Mapping[str, int]
    missing: tuple[str, ...]
    busiest: float
    """The p95 of the CPU share of the busiest generator process."""

    @property
    def is_well(self) -> bool:
        """Whether everybody could come, nobody saw a promise broken, and something happened."""
        return not self.complaints and bool(self.goodput) and self.missed <= MISSED_SHARE_MAX * self.begun

    def lines(self) -> Iterator[str]:
        for kind, (count, p50_ms, p99_ms) in self.goodput.items():
            yield f"{kind:<10} {count:>8}   p50 {p50_ms:>8.1f} ms   p99 {p99_ms:>8.1f} ms"
        yield f"{self.begun} people came, {self.missed} of them were missed"
        for what, count in self.complaints.items():
            yield f"PROMISE BROKEN {count} times: {what}"
        if self.missing:
            yield f"The books of {len(self.missing)} workers are missing; nothing can be proved from the others"
        if self.busiest > BUSY_SHARE:
            yield f"THE GENERATOR WAS THE LIMIT: its busiest process used {self.busiest:.0%} of a core. Add workers"


def summary_of(handed: Handed, *, wire: Wire, shop: Shop) -> Summary:
    """`wire` and `shop` carry the phones that the testimonies speak of; nothing is asked here."""
    journal = Journal(buyer_count=0)
    for testimony in handed.testimonies:
        absorb(journal, testimony, wire=wire, shop=shop)
    counts = dict.fromkeys(GOODPUTS, 0)
    for (kind, outcome), count in handed.record.outcomes().items():
        goodput = goodput_of(kind, outcome)
        if goodput is not None:
            counts[goodput] += count
    timed = handed.record.totals
    return Summary(
        goodput={
            kind: (count, *(timed[kind].get_value_at_percentile(p) / 1000 for p in (50, 99)))
            for kind, count in counts.items()
            if count and kind in timed
        },
        begun=handed.record.begun,
        missed=handed.record.missed,
        complaints=dict(journal.complaints),
        missing=tuple(handed.missing),
        busiest=max(
            (percentile([beat.cpu_share for beat in beats], 0.95) for beats in handed.beats.values()), default=0.0
        ),
    )
