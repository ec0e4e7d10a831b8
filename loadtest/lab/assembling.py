"""A run that was played becomes a Report: the verdict, and everything that it rests on. Pure, given what was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from loadtest.books.verdict import judge
from loadtest.crowd.journal import Stage
from loadtest.lab import slos, summing
from loadtest.lab.honesty import generated, generator_shares
from loadtest.lab.judging import arrivals, audited, headline, until
from loadtest.lab.playing import Played
from loadtest.lab.searches import saturation, soaking
from loadtest.lab.searches.driving import Found
from loadtest.profiles.loading import digest
from loadtest.profiles.profile import ClosedArrivals, Profile, RateArrivals
from loadtest.report.model import CrossCheck, Generator, Machine, Report, Timeline

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
    generator = generated(played.live, engine=around.engine, processes=around.processes)
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


def costs(played: Played) -> dict[str, float]:
    """CPU microseconds per order that was made, by group; everything that its process did meanwhile is in it."""
    # Who taps twice gets two answers about one order, so the ledger's count is the right one where it is known.
    orders = sum(played.evidence.orders_by_state.values()) or slos.count_of("orders", played.record)
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
