"""Drawing one person's mind from dice: what they want, how long they take, and what they do that others do not.

Habits are what all people of a run have in common, as weights and medians; a persona is one draw from them. The demo
and every profile draw here. Pure, and cheap: a hundred thousand people take two seconds.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, TypeVar

from loadtest.crowd.population import LAPSING, NOW, Behaviour, Persona, Stop

T = TypeVar("T")

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
"""The ordinary mix: a sixth of the holds is never paid, and everything that may go wrong is tried by somebody."""

QUANTITIES: Mapping[int, float] = {1: 25, 2: 45, 3: 15, 4: 15}
"""Two friends are the usual order; the mean is 2.2 units."""

OPENID_LENGTH = 28


class Lots(Generic[T]):
    """Things drawn by their weights."""

    __slots__ = ("_edges", "_things")

    def __init__(self, weights: Mapping[T, float]) -> None:
        assert weights
        self._things = list(weights)
        self._edges = list(accumulate(weights.values()))

    def draw(self, dice: random.Random) -> T:
        lot = dice.random() * self._edges[-1]
        return self._things[min(bisect_right(self._edges, lot), len(self._things) - 1)]


@dataclass(frozen=True, slots=True)
class Slowness:
    """A time that people take, in seconds of the run: lognormal, cut off at `longest_s`."""

    median_s: float
    sigma: float
    longest_s: float = math.inf

    def draw(self, dice: random.Random) -> float:
        return min(dice.lognormvariate(math.log(self.median_s), self.sigma), self.longest_s)


@dataclass(frozen=True, slots=True)
class Habits:
    """What all people of a run have in common."""

    wishes: Mapping[str, float]
    """SKU to its weight as a first wish; everybody takes another SKU rather than nothing."""
    think: Slowness
    """From the held order to the money."""
    patience: Slowness
    """How long they look at units that others hold, if they do not stay to the end."""
    away: Slowness
    """How long somebody who looked away when called does so."""
    behaviours: Lots[Behaviour]
    quantities: Lots[int]
    stays: float
    """Of those who pay, the share that stands by until the sale is truly sold out."""
    gone: float
    late: float
    """Of those who do not lapse: who left the line for good, and who looked away when they were called."""
    looks_every_s: tuple[float, float] | None = None
    """Between these for each of the impatient; None where everybody looks when told."""
    stops_after: Stop = "all"


def persona(dice: random.Random, habits: Habits, *, openid: str, lane: str | None = None) -> Persona:
    """One person, who sets out at once; a moment of arrival is for the caller to give."""
    behaviour = habits.behaviours.draw(dice)
    lapses = behaviour in LAPSING
    patience_s = math.inf if dice.random() < habits.stays else habits.patience.draw(dice)
    near = behaviour is Behaviour.PAYS_NEAR_DEADLINE
    return Persona(
        openid=openid,
        arrives_s=NOW,
        wishes=_wishes(dice, habits.wishes),
        quantity=habits.quantities.draw(dice),
        behaviour=behaviour,
        think_s=habits.think.draw(dice),
        patience_s=0.0 if lapses else patience_s,
        away_s=0.0 if lapses else _away_s(dice, habits),
        deadline_offset_s=dice.uniform(-0.8, -0.3) if near else dice.uniform(0.2, 2.0),
        whim=dice.getrandbits(32),
        lane=lane,
        looks_every_s=dice.uniform(*habits.looks_every_s) if habits.looks_every_s else None,
        stops_after=habits.stops_after,
    )


def openid_of(word: str, *, seed: int, number: int) -> str:
    """As WeChat's are: 28 characters that begin with an o. One for each seed, word and number."""
    head = f"o{seed & 0xFFFFFFFFFFFF:012x}-{word}-"
    openid = f"{head}{number:0{OPENID_LENGTH - len(head)}d}"
    assert len(openid) == OPENID_LENGTH, "a shorter word leaves room for more people"
    return openid


def _away_s(dice: random.Random, habits: Habits) -> float:
    lot = dice.random()
    if lot < habits.gone:
        return math.inf
    return habits.away.draw(dice) if lot < habits.gone + habits.late else 0.0


def _wishes(dice: random.Random, weights: Mapping[str, float]) -> tuple[str, ...]:
    """All SKUs in the order one buyer wants them: a weighted draw without putting back, as a race of exponential
    clocks."""
    if len(weights) == 1:
        return tuple(weights)
    return tuple(sku for _, sku in sorted((dice.expovariate(weight), sku) for sku, weight in weights.items()))
