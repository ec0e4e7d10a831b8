"""The demo's crowd: 6,000 people drawn from one seed.

The shape of the crowd follows published drops: most gather before the opening, a step follows it, then an exponential
tail; a sixth of the holds is never paid. Think times are compressed in the proportion of the hold, so that a whole
drop with its returned units fits into a minute.

Two things keep the sale sellable to the last unit, as in real drops: demand is several times the supply, and those who
let a hold lapse (who abandon, pay late or cancel) come early and do not stand by, so whoever gets a returned unit is
somebody who pays. Pure.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from loadtest.crowd.habits import QUANTITIES, SHARES, Habits, Lots, Slowness, openid_of, persona
from loadtest.crowd.population import Persona
from loadtest.profiles import curves
from loadtest.profiles.casting import placed
from loadtest.profiles.profile import DropArrivals

LOBBY_SHARE = 0.60
STEP_SHARE = 0.26
STAYS_SHARE = 0.28
GIVES_UP_MEDIAN_S = 4.0
GONE_SHARE = 0.05
LATE_SHARE = 0.05
LATE_MEDIAN_S = 6.0
LATE_MAX_S = 12.0
THINK_MEDIAN_SHARE = 0.10
THINK_SIGMA = 0.55
THINK_MAX_SHARE = 0.60
"""Think time is lognormal, in shares of the hold; nobody who pays comes near the deadline by accident."""


def people(*, count: int, seed: int, lobby_s: float, hold_s: float, popularity: Mapping[str, float]) -> list[Persona]:
    """Draw `count` buyers, ordered by arrival. `popularity` maps each SKU to its weight as a first wish."""
    assert count >= 1
    habits = Habits(
        wishes=popularity,
        think=Slowness(THINK_MEDIAN_SHARE * hold_s, THINK_SIGMA, THINK_MAX_SHARE * hold_s),
        patience=Slowness(GIVES_UP_MEDIAN_S, 0.5),
        away=Slowness(LATE_MEDIAN_S, 0.4, LATE_MAX_S),
        behaviours=Lots(SHARES),
        quantities=Lots(QUANTITIES),
        stays=STAYS_SHARE,
        gone=GONE_SHARE,
        late=LATE_SHARE,
    )
    dice = random.Random(seed)
    drawn = [persona(dice, habits, openid=openid_of("buyer", seed=seed, number=number)) for number in range(count)]
    shape = DropArrivals(curve="drop", people=count, lobby_s=lobby_s, lobby=LOBBY_SHARE, step=STEP_SHARE)
    return placed(drawn, curves.drop(shape, count, dice), dice)
