"""Was the generator the limit? Its CPU and its lateness, half second by half second, in a sentence. Pure."""

from __future__ import annotations

from loadtest.lab.live import Live
from loadtest.recording.trust import BUSY_SHARE, percentile
from loadtest.report.model import Generator

LATE_S = 0.5
"""Its clock striking so late at the 99th percentile of half seconds means that it waited for the processor."""


def generator_shares(live: Live) -> dict[int, dict[str, float]]:
    """Wall second to process to its share of one core; the larger half second counts."""
    shares: dict[int, dict[str, float]] = {}
    for name, moments in live.moments.items():
        for moment in moments:
            second = shares.setdefault(int(moment.wall_s), {})
            second[name] = max(second.get(name, 0.0), moment.cpu_share)
    return shares


def generated(live: Live, *, engine: str, processes: int) -> Generator:
    busiest, late_s, who = 0.0, 0.0, ""
    for name, moments in live.moments.items():
        share = percentile([moment.cpu_share for moment in moments], 0.95)
        late_s = max(late_s, percentile([moment.lag_s for moment in moments], 0.99))
        if share >= busiest:
            busiest, who = share, name
    limit = busiest > BUSY_SHARE or late_s > LATE_S
    if busiest > BUSY_SHARE:
        words = (
            f"{who} used {busiest:.0%} of a core at the 95th percentile: the generator may be what was measured. "
            "Give it more processes (--processes), or another machine."
        )
    elif late_s > LATE_S:
        words = (
            f"The generator's clock struck up to {late_s:.1f} s late although it used only {busiest:.0%} of a core: it "
            "waited for a processor that the engine or others held. Latencies count from the intended moment, so "
            "they include this."
        )
    else:
        words = (
            f"The busiest process used {busiest:.0%} of a core at the 95th percentile and struck at most "
            f"{late_s * 1000:.0f} ms late: not the limit."
        )
    return Generator(
        engine=engine,
        processes=processes,
        cpu_share_p95=round(busiest, 4),
        was_the_limit=limit,
        words=words,
    )
