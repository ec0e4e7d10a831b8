"""Who comes in a profile's run: everybody drawn from its seed, so that a run can be repeated and a verdict explained.

The n-th person is the same whoever draws it, so that several processes share a crowd by number without talking. Pure.
"""

from __future__ import annotations

import random

from loadtest.crowd.bots import Bot
from loadtest.crowd.population import Persona
from loadtest.profiles.profile import Profile

Visitor = Persona | Bot


def cast(profile: Profile) -> list[Visitor]:
    """Everybody who comes along an open curve, ordered by arrival; nobody for a closed one."""
    raise NotImplementedError


def newcomer(profile: Profile, number: int) -> Visitor:
    """The n-th person, who comes now: for closed loops, where somebody's end is the next one's beginning."""
    raise NotImplementedError


def member(profile: Profile, number: int) -> Visitor:
    """The n-th person, as a member."""
    raise NotImplementedError


def dice_of(profile: Profile, number: int) -> random.Random:
    """The dice of one person, for whatever is not in their persona."""
    return random.Random(profile.seed * 1_000_003 + number)
