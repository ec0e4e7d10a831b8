"""A run that was played becomes a Report: the verdict, and everything that it rests on. Pure, given what was seen."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from loadtest.books.reckoning import NO_SETTINGS
from loadtest.books.verdict import Judgement, judge
from loadtest.crowd.journal import Stage
from loadtest.lab import slos, summing
from loadtest.lab.live import Live
from loadtest.lab.playing import Played
from loadtest.lab.searches import saturation, soaking
from loadtest.lab.searches.driving import Found
from loadtest.profiles.loading import digest
from loadtest.profiles.profile import ClosedArrivals, Profile, RateArrivals
from loadtest.recording.record import Record
from loadtest.report.model import Arrived, Audit, CrossCheck, Generator, Machine, Report, SloResult, Timeline

MISSED_MAX = 0.001
"""The share of arrivals that a generator may fail to carry out in time."""
BUSY_SHARE = 0.8
"""Of one core, at the 95th percentile of half seconds: above this the generator may be what is measured."""
LATE_S = 0.5
"""Its clock striking so late at the 99th percentile of half seconds means that it waited for the processor."""
GROUPS = {"web": "web", "jobs": "work", "redis": "redis", "postgres": "postgres", "simulator": "simulator"}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a report says of a run beside what was played."""

    profile: Profile
    """As it was asked for. What was played may have SKUs of its own, or be one step of a search."""
    command: str
    engine: str
    processes: int
    started_at: datetime
    duration_s: float
    machine: Machine
    versions: Mapping[str, str]
    left_running: Sequence[str] = ()
    missing: Sequence[str] = ()
    """What an audit would have needed and did not get."""
    cross_checks: Sequence[CrossCheck] = ()
    notes: Sequence[str] = ()


def assembled(found: Found, around: Circumstances) -> Report:
    """`found` is one play, or what a search made of several; then every one of them is audited."""
    played = found.played
    record, profile = played.record, played.profile
    judgement = judge(played.evidence.facts(left_running=around.left_running))
    promised = slos.results(profile.slo, record)
    audit = audited(judgement, played, missing=around.missing, before=found.before)
    arrived = arrivals(until(record, found.arrivals_until_s))
    generator = generated(played.live, around)
    line = summing.timeline(record, played.samples, generator_shares(played.live), opens_at_s=played.opens_at_s)
    soak = soaking.told(line) if profile.run.soak else None
    kept = found.holds if found.holds is not None else all(one.holds for one in promised)
    passed = audit.holds and arrived.holds and kept and (soak is None or soak["holds"])
    words = [found.words] if found.words else []
    return Report(
        story=around.profile.story.model_dump(mode="json"),
        profile=around.profile.model_dump(mode="json"),
        digest=digest(around.profile),
        seed=around.profile.seed,
        command=around.command,
        started_at=around.started_at.astimezone(UTC).isoformat(timespec="seconds"),
        duration_s=round(around.duration_s, 1),
        machine=around.machine,
        versions=dict(around.versions),
        passed=passed,
        headline=headline(
            judgement,
            promised if found.holds is None else (),
            audit,
            arrived,
            missing=around.missing,
            words=[*words, *([str(soak["words"])] if soak is not None else [])],
        ),
        slos=promised,
        audit=audit,
        arrived=arrived,
        generator=generator,
        kinds=summing.kinds(record),
        timeline=line,
        outcomes=summing.outcomes(record),
        saturation=dict(found.saturation) if found.saturation is not None else saturated(profile, line),
        costs=costs(played),
        ended=ended(played),
        notes=[*words, *notes(played, generator), *around.notes],
        cross_checks=list(around.cross_checks),
        extra={**seen(played), **found.extra, **({} if soak is None else {"soak": soak})},
    )


def until(record: Record, at_s: float | None) -> Record:
    """The part before a moment of the wall clock; all of it without one."""
    if at_s is None:
        return record
    return Record({second: heard for second, heard in record.seconds.items() if second < at_s})


def arrivals(record: Record) -> Arrived:
    begun, missed = record.begun, record.missed
    share = missed / begun if begun else 0.0
    return Arrived(
        intended=begun,
        missed=missed,
        share=round(share, 6),
        allowed=MISSED_MAX,
        holds=begun > 0 and share <= MISSED_MAX,
    )


def audited(judgement: Judgement, played: Played, *, missing: Sequence[str], before: Sequence[Played] = ()) -> Audit:
    """`before` was played on the same ground on the way here; its books must hold as well."""
    evidence = played.evidence
    checked = ["what every buyer was told, against the orders that they can read", "every limit per buyer"]
    if evidence.stock:
        checked.append("the stock in Redis, against the paid orders")
    if evidence.ledger:
        checked.append("WeChat's ledger, against the orders and against what buyers were told, fen by fen")
    if not missing:
        checked += ["PostgreSQL, Redis and money, by the engine's own audit", "the line, from its log"]
    checked.append("that nobody was passed over in the line, and that no place was given twice")
    if played.has_draw and evidence.draw.is_verified:
        checked.append(f"the draw of {evidence.draw.lobby_size:,} people, and one buyer's proof of it")
    earlier = [reason for one in before for reason in judge(one.evidence.facts(left_running=())).reasons]
    if before:
        checked.append(f"the same for the {len(before)} runs before this one that it was made with")
    said = [*judgement.reasons, *(f"in a run before: {reason}" for reason in earlier)]
    reasons = [reason for reason in said if NO_SETTINGS not in reason]
    return Audit(
        figures={
            name: getattr(judgement, name)
            for name in (
                *("capacity", "sold", "oversold", "undersold", "paid_orders", "paid_fen", "refunded_fen"),
                *("lost_paid", "double_paid"),
            )
        },
        reasons=[*(f"no full audit: {what}" for what in missing), *reasons],
        checked=checked,
        holds=not reasons and not missing,
    )


def headline(
    judgement: Judgement,
    promised: Sequence[SloResult],
    audit: Audit,
    arrived: Arrived,
    *,
    missing: Sequence[str],
    words: Sequence[str] = (),
) -> str:
    """What was sold, and what broke, in one sentence. `words`: what a search found."""
    sold = f"{judgement.sold:,} of {judgement.capacity:,} tickets sold" if judgement.capacity else "stock unknown"
    broken = [one for one in promised if not one.holds]
    wrong = []
    if len(audit.reasons) > len(missing):
        wrong.append(f"the audit disagrees in {len(audit.reasons) - len(missing)} ways: {audit.reasons[len(missing)]}")
    if broken:
        shown = "; ".join(f"{one.words}, found {_said(one.found)}" for one in broken[:2])
        wrong.append(f"{len(broken)} of {len(promised)} SLOs broken: {shown}")
    if not arrived.holds:
        wrong.append(f"{arrived.missed:,} of {arrived.intended:,} arrivals missed by the generator")
    if words:
        wrong.append(" ".join(words))
    if wrong:
        return f"{sold}; " + "; ".join(wrong)
    if missing:
        return f"{sold}, every SLO holds, but the books could not be audited: {missing[0]}"
    return f"{sold}, each once; every fen accounted for; all {len(promised)} SLOs hold"


def _said(found: float | None) -> str:
    return "nothing" if found is None else f"{found:,.4g}"


# The generator.


def generator_shares(live: Live) -> dict[int, dict[str, float]]:
    """Wall second to process to its share of one core; the larger half second counts."""
    shares: dict[int, dict[str, float]] = {}
    for name, moments in live.moments.items():
        for moment in moments:
            second = shares.setdefault(int(moment.wall_s), {})
            second[name] = max(second.get(name, 0.0), moment.cpu_share)
    return shares


def generated(live: Live, around: Circumstances) -> Generator:
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
        engine=around.engine,
        processes=around.processes,
        cpu_share_p95=round(busiest, 4),
        was_the_limit=limit,
        words=words,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed; 0 without any."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else 0.0


# Tables.


def costs(played: Played) -> dict[str, float]:
    """CPU microseconds per acknowledged order, by group; everything that its process did meanwhile is in it."""
    orders = slos.count_of("orders", played.record)
    if not orders:
        return {}
    spent: Counter[str] = Counter()
    for name, seconds in played.cpu_s.items():
        group = "generator" if name.startswith("generator") else GROUPS.get(name.partition("-")[0], name)
        spent[group] += round(seconds * 1e6)
    found = {group: round(us / orders, 1) for group, us in sorted(spent.items())}
    if played.signing_s is not None:
        found["simulator_signing"] = round(played.signing_s * 1e6 / orders, 1)
    return found


def ended(played: Played) -> dict[str, int]:
    journal = played.evidence.journal
    ends = Counter(journal.leavings)
    if paid := journal.stages.get(Stage.PAID, 0):
        ends["paid"] = paid
    return dict(ends.most_common())


def saturated(profile: Profile, line: Timeline) -> dict[str, Sequence[tuple[float, float]]]:
    """Offered against goodput. Where people come at a rate, the rate is what is offered."""
    if isinstance(profile.arrivals, RateArrivals):
        return dict(saturation.by_people(line))
    return dict(saturation.by_second(line))


def notes(played: Played, generator: Generator) -> list[str]:
    told = list(played.notes)
    if isinstance(played.profile.arrivals, ClosedArrivals):
        told.append(
            "A closed loop: who waits does not come again meanwhile, so these latencies hide queueing. "
            "Read them beside an open run."
        )
    if generator.was_the_limit:
        told.append(f"THE GENERATOR MAY BE WHAT WAS MEASURED. {generator.words}")
    if killed := played.evidence.killed:
        told.append("Killed with -9: " + ", ".join(killed))
    return told


def seen(played: Played) -> dict[str, Any]:
    """What the page has no chart for."""
    evidence = played.evidence
    return {
        "examples": evidence.journal.examples,
        "line": evidence.line,
        "line_document_reads": evidence.line_reads,
        "room_waits": evidence.journal.room_waits,
        "draw_verified": evidence.draw.is_verified if played.has_draw else None,
        "orders_by_state": evidence.orders_by_state,
        "engine_audit": evidence.audit,
    }
