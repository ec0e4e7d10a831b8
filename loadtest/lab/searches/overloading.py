"""Many times what a server can do: how the phases are laid out, and what each of them got. Pure.

First a closed loop finds the capacity: so many people at any time, each followed by the next, and how many visits a
second that gives. Then people come at one, two, five and ten times this rate, whatever the server makes of it, with
rests between.

The overload is one of people, each with a whole visit in mind: login, a place in the line, a pass, an order, the money.
The line lets through what the till can serve, and the others wait in it. So goodput of what comes behind the line must
stay where it was, while logins and places come ten times as often. Whoever is still in the line at the end goes home
unserved, and is counted as that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loadtest.lab.searches.stretches import Rates, rates, stretch
from loadtest.profiles.profile import ClosedArrivals, Profile, RateArrivals
from loadtest.recording.record import Record

MULTIPLES: tuple[float, ...] = (1, 2, 5, 10)
PHASE_S = 8
REST_S = 6
LEAD_S = 2
"""Before the first phase."""
RAMP_S = 2
"""The first seconds of a phase are not judged: visits of it are still in the line."""
TAIL_S = 12
"""Behind the last phase, for what was begun."""
FIND_LOGINS_S = 15.0
LOGINS_PER_VISIT = 5.0
"""Where people come logged in: so long they have for it before the capacity is looked for; and so many logins a server
is taken to do in the time of one whole visit, for the time before the phases."""
KEPT = 0.9
"""Goodput of the greatest overload holds from this share of its best phase on, or of the capacity if that is less. A
pass or an order beyond the capacity of whole visits is none: it fills the till, and waits there."""
BEHIND_THE_LINE = ("passes", "orders", "checkouts", "payments")
"""What must not sink. Places come with the people, polls with the waiting; both are only shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """People at `multiple` times the capacity, from `from_s` to `until_s` after the opening."""

    multiple: float
    per_s: float
    from_s: int
    until_s: int


def finding(profile: Profile) -> Profile:
    """The closed loop of the file, with other people than those of the phases: nobody comes twice."""
    changes: dict[str, Any] = {"seed": profile.seed + 1}
    if profile.people.logged_in:
        changes["run"] = profile.run.model_copy(update={"warm_up_s": FIND_LOGINS_S})
    return profile.model_copy(update=changes)


def capacity(profile: Profile, record: Record, *, opens_at_s: float) -> float:
    """Visits per second in the last half of the closed loop, where it has come to its height."""
    assert isinstance(profile.arrivals, ClosedArrivals)
    ends_s = min(profile.arrivals.points[-1][0], profile.run.after_opening_s)
    from_s, until_s = int(opens_at_s + ends_s / 2) + 1, int(opens_at_s + ends_s)
    part = stretch(record, from_s=from_s, until_s=until_s, timed=False)
    return rates(part, seconds=max(1, until_s - from_s)).arrivals


def phases(capacity_per_s: float, *, multiples: Sequence[float] = MULTIPLES) -> list[Phase]:
    """One behind the other, each with a rest before it."""
    length = PHASE_S + REST_S
    return [
        Phase(
            multiple=multiple,
            per_s=multiple * capacity_per_s,
            from_s=LEAD_S + number * length,
            until_s=LEAD_S + number * length + PHASE_S,
        )
        for number, multiple in enumerate(multiples)
    ]


def overloaded(profile: Profile, plan: Sequence[Phase]) -> Profile:
    """The same people, coming in these phases."""
    points: list[tuple[float, float]] = [(0.0, 0.0)]
    for phase in plan:
        # Rates are scaled like everything of the profile; the capacity was found at this scale.
        per_s = phase.per_s / profile.scale.people
        points += [(phase.from_s, 0.0), (phase.from_s, per_s), (phase.until_s, per_s), (phase.until_s, 0.0)]
    changes = {"after_opening_s": float(plan[-1].until_s + TAIL_S)}
    if profile.people.logged_in:
        changes["warm_up_s"] = sum(phase.multiple for phase in plan) * PHASE_S / LOGINS_PER_VISIT
    run = profile.run.model_copy(update=changes)
    arrivals = RateArrivals(curve="rates", points=points)
    return profile.model_copy(update={"arrivals": arrivals, "run": run})


def told(plan: Sequence[Phase], record: Record, *, opens_at_s: float, capacity_per_s: float) -> dict[str, Any]:
    """What the report keeps as `extra["overload"]`.

    holds, words; capacity_per_s (visits); kept: kind to goodput at the greatest overload over what it could be;
    phases: of each its multiple, people per second as meant, as come and as missed, goodput by kind;
    turned_away: of each what was answered with "not now" or not at all, per second.
    """
    found = [_rates(phase, record, opens_at_s=opens_at_s) for phase in plan]
    kept = {
        kind: round(found[-1].goodput.get(kind, 0.0) / min(best, capacity_per_s), 3)
        for kind in BEHIND_THE_LINE
        if (best := max(one.goodput.get(kind, 0.0) for one in found))
    }
    sunk = {kind: share for kind, share in kept.items() if share < KEPT}
    kinds = [kind for kind in ("joins", *BEHIND_THE_LINE, "refusals") if any(kind in one.goodput for one in found)]
    return {
        "holds": bool(kept) and not sunk,
        "words": _words(plan[-1], kept, sunk),
        "capacity_per_s": round(capacity_per_s, 1),
        "kept": kept,
        "phases": [
            {
                "multiple": phase.multiple,
                "meant_per_s": round(phase.per_s, 1),
                "came_per_s": round(one.arrivals, 1),
                "missed_per_s": round(one.missed, 1),
                **{kind: one.goodput.get(kind, 0.0) for kind in kinds},
            }
            for phase, one in zip(plan, found, strict=True)
        ],
        "turned_away": [
            {"multiple": phase.multiple, "what": what, "per_s": per_s}
            for phase, one in zip(plan, found, strict=True)
            for what, per_s in one.turned_away.items()
        ],
    }


def points(told: dict[str, Any]) -> dict[str, list[tuple[float, float]]]:
    """The saturation curve of the phases: kind to (people per second, goodput per second)."""
    curve: dict[str, list[tuple[float, float]]] = {}
    for row in told["phases"]:
        for kind in ("joins", *BEHIND_THE_LINE):
            if kind in row:
                curve.setdefault(kind, []).append((row["came_per_s"], row[kind]))
    return curve


def _rates(phase: Phase, record: Record, *, opens_at_s: float) -> Rates:
    from_s, until_s = int(opens_at_s) + phase.from_s + RAMP_S, int(opens_at_s) + phase.until_s
    return rates(stretch(record, from_s=from_s, until_s=until_s, timed=False), seconds=until_s - from_s)


def _words(last: Phase, kept: dict[str, float], sunk: dict[str, float]) -> str:
    if not kept:
        return "Nobody got anything behind the line: there is no goodput to compare."
    each = ", ".join(f"{kind} {share:.0%}" for kind, share in (sunk or kept).items())
    verb = "sank" if sunk else "stayed"
    return f"At {last.multiple:g} times the capacity goodput {verb}: {each} of what it can be; {KEPT:.0%} must be left."
