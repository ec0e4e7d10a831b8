"""Who comes to a drop, as simulated buyers have them in mind: behaviours, and one person's mind.

Not everybody is there when they are called: some come late, some never come back. Not everybody pays: a sixth of the
holds of an ordinary sale lapses. `habits.py` draws such people from dice; what they do with a phone is said elsewhere.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Literal


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
"""Those whose units may come back. They come early and do not stand by for returned units, so that whoever gets one of
those is somebody who pays and the sale can end."""

NOW = -math.inf
"""In place of a moment of arrival: whoever is sent sets out at once, and nobody can be late."""

Stop = Literal["line", "order", "all"]
"""How far a visit goes: into the line and no further, up to the order, or to the end."""


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
    lane: str | None = None
    """The lane asked for; None for the one that is open to everyone."""
    looks_every_s: float | None = None
    """Looks at the line that often, whatever it is told; None for those who look when they are told."""
    leaves_after_s: float = math.inf
    """So long after joining, whoever is not called yet goes away."""
    stops_after: Stop = "all"
