"""The curves of the shapes: how many of the users there are, as a share of them all, after a share of the time. Pure.

Locust keeps a number of users, each visitor followed by the next: a closed loop. So a curve of arrivals becomes a curve
of people who are there: those who came within the last `STAY_S` seconds. That is what a visit takes at the usual pace,
and a guess; only the open loop (`--arrivals open`) plays a curve of arrivals as it is.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping

from loadtest.profiles.curves import level, moments
from loadtest.profiles.profile import ClosedArrivals, Profile

STAY_S = 15.0
"""How long somebody counts as there who came along an open curve."""
DROP_AT = 0.3
DROP_LOBBY = 0.5
DROP_TAIL = 0.15
STEPS = 5
SPIKE_FROM, SPIKE_TO, SPIKE_BASE = 0.45, 0.55, 0.2
SOAK_RISE = 0.05

Height = Callable[[float], float]


def drop(at: float) -> float:
    """People gather to half of all; the step; then an exponential tail."""
    if at < DROP_AT:
        return DROP_LOBBY * (1 - math.sqrt(1 - at / DROP_AT))
    return math.exp(-(at - DROP_AT) / DROP_TAIL)


def ramp(at: float) -> float:
    """From nobody to all, evenly."""
    return at


def steps(at: float) -> float:
    """Five steps, each as long as the others."""
    return min(STEPS, math.floor(at * STEPS) + 1) / STEPS


def spike(at: float) -> float:
    """A fifth of all; all of them for the middle tenth."""
    return 1.0 if SPIKE_FROM <= at < SPIKE_TO else SPIKE_BASE


def soak(at: float) -> float:
    """All of them, after a short rise."""
    return min(1.0, at / SOAK_RISE)


HEIGHTS: Mapping[str, Height] = {"drop": drop, "ramp": ramp, "steps": steps, "spike": spike, "soak": soak}


def users_of(profile: Profile) -> tuple[Callable[[float], int], float]:
    """How many people of a story are there so many seconds after its beginning (the lobby's, where it has one), and
    how long it goes on."""
    length_s = profile.lobby_s + profile.run.after_opening_s
    if isinstance(profile.arrivals, ClosedArrivals):
        points = [(at, people * profile.scale.people) for at, people in profile.arrivals.points]
        return (lambda at: round(level(points, at))), length_s
    times = moments(profile, random.Random(profile.seed))

    def there(at: float) -> int:
        now = at - profile.lobby_s
        return bisect_right(times, now) - bisect_left(times, now - STAY_S)

    return there, length_s
