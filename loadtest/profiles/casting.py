"""Who comes in a profile's run: everybody drawn from its seed, so that a run can be repeated and a verdict explained.

The n-th person is the same whoever draws it, so that several processes share a crowd by number without talking: each
has dice of their own. Pure.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from loadtest.crowd.bots import Bot
from loadtest.crowd.habits import SHARES, Habits, Lots, Slowness, openid_of, persona
from loadtest.crowd.population import LAPSING, NOW, Persona
from loadtest.profiles import curves
from loadtest.profiles.profile import BotKind, Lognormal, Profile

Visitor = Persona | Bot
V = TypeVar("V", bound=Visitor)

MEMBERS = "members"
"""The lane of those who are on the organizer's list."""
MEMBERS_LISTED = 2000
"""So many members beyond those of an open curve are on the list, for closed loops."""
AWAY = Lognormal(median_s=20, sigma=0.6)
AWAY_MAX_S = 85.0
"""Who looked away when called comes back before the line stops expecting them, after 90 s. A guess."""
HOARDED = ("bot2", "bot3")
"""In the openids of the further accounts of a hoarder."""
LATEST_SHARE = 1.5
"""Who takes longer than the hold to pay comes too late, but not for ever: at one and a half holds they try."""


def cast(profile: Profile) -> list[Visitor]:
    """Everybody who comes along an open curve, ordered by arrival; nobody for a closed one."""
    dice = random.Random(profile.seed)
    times = curves.moments(profile, dice)
    drawing = _Drawing(profile)
    return placed([drawing.visitor(number) for number in range(len(times))], times, dice)


def newcomer(profile: Profile, number: int) -> Visitor:
    """The n-th person, who sets out at once: for closed loops, where somebody's end is the next one's beginning."""
    return _Drawing(profile).visitor(number)


def member(profile: Profile, number: int) -> Persona:
    """The n-th person, as a member who sets out at once."""
    return _Drawing(profile).human(number, dice_of(profile, number), lane=MEMBERS)


def member_openids(profile: Profile) -> list[str]:
    """Whom the organizer's list of members must name, for `floodgate line members SALE members FILE`."""
    if profile.sale.member_share == 0:
        return []
    coming = [one.openid for one in cast(profile) if isinstance(one, Persona) and one.lane == MEMBERS]
    at_hand = [openid_of("fan", seed=profile.seed, number=number) for number in range(MEMBERS_LISTED)]
    return sorted({*coming, *at_hand})


def placed(visitors: Sequence[V], times: Sequence[float], dice: random.Random) -> list[V]:
    """Give everybody a moment, and put them in its order. Who lets a hold lapse comes before the opening, if somebody
    does: whoever gets a returned unit must be somebody who pays, or a run would not end."""
    early = [at for at in times if at <= 0]
    late = [at for at in times if at > 0]
    dice.shuffle(early)
    dice.shuffle(late)
    free = early + late
    lapsing = sum(_lapses(one) for one in visitors)
    theirs, others = iter(free[:lapsing]), free[lapsing:]
    dice.shuffle(others)
    rest = iter(others)
    arriving = [replace(one, arrives_s=next(theirs if _lapses(one) else rest)) for one in visitors]
    return sorted(arriving, key=lambda one: one.arrives_s)


def dice_of(profile: Profile, number: int) -> random.Random:
    """The dice of one person, for whatever is not in their persona."""
    return random.Random(profile.seed * 1_000_003 + number)


class _Drawing:
    """One profile, ready to draw from."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._habits = _habits(profile)
        self._kinds = Lots({kind.value: weight for kind, weight in profile.bots.kinds.items()})

    def visitor(self, number: int) -> Visitor:
        profile, dice = self._profile, dice_of(self._profile, number)
        if dice.random() < profile.bots.share:
            return self._bot(number, dice)
        is_member = dice.random() < profile.people.members
        return self.human(number, dice, lane=MEMBERS if is_member else None)

    def human(self, number: int, dice: random.Random, *, lane: str | None) -> Persona:
        word = "buyer" if lane is None else "fan"
        openid = openid_of(word, seed=self._profile.seed, number=number)
        return persona(dice, self._habits, openid=openid, lane=lane)

    def _bot(self, number: int, dice: random.Random) -> Bot:
        bots, kind = self._profile.bots, self._kinds.draw(dice)
        words = HOARDED if kind == BotKind.HOARDER.value else ()
        return Bot(
            openid=openid_of("bot", seed=self._profile.seed, number=number),
            arrives_s=NOW,
            kind=kind,
            looks_per_s=dice.uniform(*bots.looks_per_s),
            stays_s=bots.stays_s,
            wishes=tuple(sorted(self._habits.wishes, key=lambda sku: -self._habits.wishes[sku])),
            quantity=self._profile.sale.per_order_max,
            whim=dice.getrandbits(32),
            accounts=tuple(openid_of(word, seed=self._profile.seed, number=number) for word in words),
        )


def _habits(profile: Profile) -> Habits:
    people, pace = profile.people, profile.scale.pace
    return Habits(
        wishes={tier.id: tier.wish for tier in profile.sale.tiers},
        think=_run_time(people.pay, pace, longest_s=LATEST_SHARE * profile.hold_s),
        patience=_run_time(people.patience, pace),
        away=_run_time(AWAY, pace, longest_s=AWAY_MAX_S / pace),
        behaviours=Lots(people.behaviours or SHARES),
        quantities=Lots({n: weight for n, weight in people.quantities.items() if n <= profile.sale.per_order_max}),
        stays=people.stays,
        gone=people.gone,
        late=people.late,
        looks_every_s=people.look_every_s if people.looks == "impatient" else None,
        stops_after=people.stops_after,
    )


def _run_time(time: Lognormal, pace: float, *, longest_s: float = math.inf) -> Slowness:
    """A time of people as it is in the run."""
    return Slowness(time.median_s / pace, time.spread, longest_s)


def _lapses(one: Visitor) -> bool:
    return isinstance(one, Persona) and one.behaviour in LAPSING
