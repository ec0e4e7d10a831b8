"""The searches as they are run: one or more plays of a profile on one ground, and what was found.

How a profile is played once is the lab's; this only says which profiles, in which order, and when to stop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from loadtest.lab.live import Live
from loadtest.lab.playing import Played
from loadtest.lab.searches import breaking, overloading
from loadtest.profiles.profile import Profile

StopWhen = Callable[[Live, float], str | None]
"""Asked every second with what is known and the seconds since the opening; an answer ends the play and is noted."""


SOLD_OUT = "sold out"
"""In the words of everybody who left because of it."""
ENOUGH = "A promise broke, and what becomes of goodput behind that has been seen: the ramp ended here."


class Play(Protocol):
    """Plays a profile once, with a sale of its own that `mark` names."""

    async def __call__(self, profile: Profile, *, mark: str, stop_when: StopWhen | None = None) -> Played: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search left. `played` is what the report shows; `before` was played on the way and is audited, too.

    `holds` None: the promises of the profile decide, as in any run; otherwise they were there to be broken, and this
    decides in their place. `arrivals_until_s` (of the wall clock): from there on a missed arrival is no fault of the
    run, because the load had passed what was looked for. `saturation` None: as in any run.
    """

    played: Played
    before: Sequence[Played]
    holds: bool | None
    words: str
    extra: Mapping[str, Any]
    saturation: Mapping[str, Sequence[tuple[float, float]]] | None = None
    arrivals_until_s: float | None = None


async def search(profile: Profile, play: Play) -> Found:
    """Play as `profile.run.search` says; `fitting.check` comes before."""
    match profile.run.search:
        case "breakpoint":
            return await find_breakpoint(profile, play)
        case "overload":
            return await overload(profile, play)
        case "none":
            played = await play(profile, mark="run")
            return Found(played=played, before=(), holds=None, words="", extra={})


async def find_breakpoint(profile: Profile, play: Play) -> Found:
    """One play along the profile's own ramp, until a promise broke and what follows has been seen."""
    watched: list[breaking.Search] = []

    def enough(live: Live, since_s: float) -> str | None:
        now_s = time.time()
        if not watched:
            watched.append(breaking.Search(profile.slo, opens_at_s=now_s - since_s))
        return ENOUGH if watched[0].may_end(live.record, now_s=now_s) else None

    played = await play(profile, mark="ramp", stop_when=enough)
    _forgive_the_end(played)
    search = breaking.Search(profile.slo, opens_at_s=played.opens_at_s)
    told = search.told(played.record, until_s=breaking.ramp_end(played.record))
    return Found(
        played=played,
        before=(),
        holds=True,
        words=str(told["words"]),
        extra={"breakpoint": told},
        arrivals_until_s=search.over_s,
    )


async def overload(profile: Profile, play: Play) -> Found:
    """A closed loop finds the capacity; then people come at its multiples."""
    first = await play(overloading.finding(profile), mark="find")
    _forgive_the_end(first)
    per_s = overloading.capacity(profile, first.record, opens_at_s=first.opens_at_s)
    if per_s <= 0:
        return Found(played=first, before=(), holds=False, words="Nobody was served: there is no capacity.", extra={})
    plan = overloading.phases(per_s)
    played = await play(overloading.overloaded(profile, plan), mark="flood")
    _forgive_the_end(played)
    told = overloading.told(plan, played.record, opens_at_s=played.opens_at_s, capacity_per_s=per_s)
    return Found(
        played=played,
        before=(first,),
        holds=bool(told["holds"]),
        words=str(told["words"]),
        extra={"overload": told},
        saturation=overloading.points(told),
    )


def _forgive_the_end(played: Played) -> None:
    """A search sends people home while there is plenty for them: what they would still have bought is not unsold.

    That holds as long as nobody was told that it is sold out.
    """
    journal = played.evidence.journal
    if not any(SOLD_OUT in why for why in journal.leavings):
        journal.wanted.clear()
