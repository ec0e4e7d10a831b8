"""Who comes to the drop, when, and how they behave: 6,000 people drawn from one seed.

Pure: the same arguments give the same people, so a run can be repeated and a verdict explained. The shape
of the crowd follows published drops: most gather before the opening, a step follows it, then an exponential
tail; a sixth of the holds is never paid. Think times are compressed in the proportion of the hold, so that a
whole drop with its returned units fits into a minute.

Not everybody is there when they are called: some come late, some never come back.

Two things keep the sale sellable to the last unit, as in real drops: demand is several times the supply, and
those who let a hold lapse (who abandon, pay late or cancel) come early and do not stand by, so whoever gets a
returned unit is somebody who pays.

It refuses to know HTTP, clocks or what the engine answered.
"""

from __future__ import annotations

import enum
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar


class Behaviour(enum.Enum):
    """What one buyer does that the next does not. Everybody who pays also retries after an outage."""

    PAYS = "pays"
    ABANDONS = "abandons"
    """Holds and never pays; every other one asks for payment parameters first, so the engine must close."""
    PAYS_NEAR_DEADLINE = "pays near the deadline"
    PAYS_AFTER_DEADLINE = "pays after the deadline"
    """WeChat may still take the money or have closed the order; both are right, if the books agree."""
    MONEY_AFTER_RELEASE = "money after the release"
    """The money arrives for an order whose units went back: they are taken again, or it is refunded."""
    REPEATS = "sends the order again"
    DOUBLE_TAPS = "taps twice at once"
    CANCELS_HELD = "cancels before paying"
    CANCELS_PAYING = "cancels while paying"
    GREEDY = "wants more than allowed"
    FOREIGN_PASS = "uses another's pass"  # noqa: S105
    BAD_QUANTITY = "asks for nonsense"
    NO_BALANCE = "pays at the second attempt"
    VANISHES = "pays, and the phone never hears of it"


LAPSING = frozenset(
    {
        Behaviour.ABANDONS,
        Behaviour.PAYS_NEAR_DEADLINE,
        Behaviour.PAYS_AFTER_DEADLINE,
        Behaviour.MONEY_AFTER_RELEASE,
        Behaviour.CANCELS_HELD,
        Behaviour.CANCELS_PAYING,
    }
)
"""Those whose units may come back. They come in the lobby and do not stand by for returned units."""

SHARES: Mapping[Behaviour, float] = {
    Behaviour.PAYS: 0.535,
    Behaviour.ABANDONS: 0.13,
    Behaviour.PAYS_NEAR_DEADLINE: 0.02,
    Behaviour.PAYS_AFTER_DEADLINE: 0.02,
    Behaviour.MONEY_AFTER_RELEASE: 0.01,
    Behaviour.REPEATS: 0.06,
    Behaviour.DOUBLE_TAPS: 0.06,
    Behaviour.CANCELS_HELD: 0.025,
    Behaviour.CANCELS_PAYING: 0.025,
    Behaviour.GREEDY: 0.035,
    Behaviour.FOREIGN_PASS: 0.02,
    Behaviour.BAD_QUANTITY: 0.02,
    Behaviour.NO_BALANCE: 0.02,
    Behaviour.VANISHES: 0.02,
}

QUANTITIES: Sequence[tuple[int, float]] = ((1, 0.25), (2, 0.45), (3, 0.15), (4, 0.15))
"""Two friends are the usual order; the mean is 2.2 units."""

LOBBY_SHARE = 0.50
"""Of those who do not lapse; with the others it is six in ten."""
STEP_SHARE = 0.32
STEP_MEAN_S = 0.8
TAIL_MEAN_S = 4.0
TAIL_MAX_S = 15.0
STAYS_SHARE = 0.28
"""Of those who pay, the share that stands by until the sale is truly sold out."""
GIVES_UP_MEDIAN_S = 4.0
GONE_SHARE = 0.05
LATE_SHARE = 0.05
LATE_MEDIAN_S = 6.0
LATE_MAX_S = 12.0
"""Of those who do not lapse: who left the line for good, and who looked away when they were called."""
THINK_MEDIAN_SHARE = 0.10
THINK_SIGMA = 0.55
THINK_MAX_SHARE = 0.60
"""Think time is lognormal, in shares of the hold; nobody who pays comes near the deadline by accident."""


@dataclass(frozen=True, slots=True)
class Persona:
    """One buyer's mind. `arrives_s` counts from the opening and is negative before it."""

    openid: str
    arrives_s: float
    wishes: tuple[str, ...]
    quantity: int
    behaviour: Behaviour
    think_s: float
    patience_s: float
    """How long it stands by while every unit is held by others; infinite for those who stay to the end."""
    away_s: float
    """How long after the screen calls it comes to look: 0 for most, infinite for those who never come back."""
    deadline_offset_s: float
    """Where it pays relative to the deadline, for those who pay late."""
    whim: int
    """A number of its own, for choices inside a behaviour."""


def people(
    *,
    count: int,
    seed: int,
    lobby_s: float,
    hold_s: float,
    popularity: Mapping[str, float],
) -> list[Persona]:
    """Draw `count` buyers, ordered by arrival.

    `popularity` maps each SKU to its weight as a first wish; everybody takes another SKU rather than nothing.
    """
    assert count >= 1
    assert lobby_s >= 0
    assert hold_s > 0
    assert popularity
    dice = random.Random(seed)
    drawn = [
        _person(dice, number=number, seed=seed, lobby_s=lobby_s, hold_s=hold_s, popularity=popularity)
        for number in range(count)
    ]
    return sorted(drawn, key=lambda person: person.arrives_s)


def _person(
    dice: random.Random,
    *,
    number: int,
    seed: int,
    lobby_s: float,
    hold_s: float,
    popularity: Mapping[str, float],
) -> Persona:
    behaviour = _weighted(dice, list(SHARES.items()))
    lapses = behaviour in LAPSING
    stays = dice.random() < STAYS_SHARE
    patience_s = math.inf if stays else dice.lognormvariate(math.log(GIVES_UP_MEDIAN_S), 0.5)
    think_s = min(dice.lognormvariate(math.log(THINK_MEDIAN_SHARE * hold_s), THINK_SIGMA), THINK_MAX_SHARE * hold_s)
    near = behaviour is Behaviour.PAYS_NEAR_DEADLINE
    return Persona(
        openid=f"o{seed & 0xFFFFFFFFFFFF:012x}-buyer-{number:08d}",
        arrives_s=_lobby_arrival_s(dice, lobby_s=lobby_s) if lapses else _arrival_s(dice, lobby_s=lobby_s),
        wishes=_wishes(dice, popularity),
        quantity=_weighted(dice, QUANTITIES),
        behaviour=behaviour,
        think_s=think_s,
        patience_s=0.0 if lapses else patience_s,
        away_s=0.0 if lapses else _away_s(dice),
        deadline_offset_s=dice.uniform(-0.8, -0.3) if near else dice.uniform(0.2, 2.0),
        whim=dice.getrandbits(32),
    )


def _arrival_s(dice: random.Random, *, lobby_s: float) -> float:
    lot = dice.random()
    if lot < LOBBY_SHARE:
        return _lobby_arrival_s(dice, lobby_s=lobby_s)
    if lot < LOBBY_SHARE + STEP_SHARE:
        return dice.expovariate(1 / STEP_MEAN_S)
    return min(dice.expovariate(1 / TAIL_MEAN_S), TAIL_MAX_S)


def _lobby_arrival_s(dice: random.Random, *, lobby_s: float) -> float:
    """Denser towards the opening: the square root of a uniform number, turned around."""
    return -lobby_s * (1 - math.sqrt(dice.random()))


def _away_s(dice: random.Random) -> float:
    lot = dice.random()
    if lot < GONE_SHARE:
        return math.inf
    return min(dice.lognormvariate(math.log(LATE_MEDIAN_S), 0.4), LATE_MAX_S) if lot < GONE_SHARE + LATE_SHARE else 0.0


def _wishes(dice: random.Random, popularity: Mapping[str, float]) -> tuple[str, ...]:
    """All SKUs in the order one buyer wants them: a weighted draw without putting back."""
    left = dict(popularity)
    wishes = []
    while left:
        sku = _weighted(dice, list(left.items()))
        wishes.append(sku)
        del left[sku]
    return tuple(wishes)


T = TypeVar("T")


def _weighted(dice: random.Random, weights: Sequence[tuple[T, float]]) -> T:
    return dice.choices([thing for thing, _ in weights], [weight for _, weight in weights])[0]
