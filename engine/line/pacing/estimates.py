"""What the pacing learns while it runs: who shows up, who orders, how many units, which holds lapse. Pure.

Each estimate begins with an opinion that weighs as much as twenty people, and then follows the last few hundred, so
that a sale of an hour adapts and a sale of a minute does not swing.
"""

from dataclasses import dataclass, replace

OPINION_PEOPLE = 20
MEMORY_PEOPLE = 400

SHOW_START, SHOW_FLOOR = 0.8, 0.3
CONVERSION_START, CONVERSION_FLOOR = 0.8, 0.2
LAPSE_START, LAPSE_CEILING = 0.2, 0.9
UNITS_START = 2.0  # most people come with somebody

HALVES_PER_TIME = 8


def belief(elapsed: float) -> float:
    """How far it is still believed that those who are missing will come, when so much (0 to 1) of the time that they
    were given has passed. Whoever comes mostly comes soon: the belief halves with each eighth of the time."""
    faith: float = 0.5 ** (HALVES_PER_TIME * elapsed)
    return faith


@dataclass(frozen=True, slots=True)
class Share:
    """A moving share: so many of so many. Both fade together once there are more than are remembered."""

    hits: float
    tries: float

    @classmethod
    def opinion(cls, value: float) -> "Share":
        """A share that nobody has measured yet."""
        return cls(value * OPINION_PEOPLE, OPINION_PEOPLE)

    @property
    def value(self) -> float:
        return self.hits / self.tries

    def at_least(self, hits: float, tries: float) -> "Share":
        """The share, raised to so many of so many: what is known so far can only become more."""
        if tries < OPINION_PEOPLE or hits <= self.value * tries:
            return self
        return Share(self.tries * min(1.0, hits / tries), self.tries)

    def after(self, hits: float, tries: float) -> "Share":
        """The share after so many more."""
        if tries <= 0:
            return self
        hits, tries = self.hits + hits, self.tries + tries
        fade = min(1.0, MEMORY_PEOPLE / tries)
        return Share(hits * fade, tries * fade)


SHOW, CONVERSION, LAPSE = (Share.opinion(value) for value in (SHOW_START, CONVERSION_START, LAPSE_START))


@dataclass(frozen=True, slots=True)
class Counted:
    """Totals of an epoch as they were last seen."""

    taken: int = 0
    held: int = 0
    sold: int = 0


@dataclass(frozen=True, slots=True)
class Estimates:
    """show: of people called, who come to claim. conversion: of passes, which become orders. lapse: of units that
    were held, which come back unpaid. units: per order."""

    show: Share = SHOW
    conversion: Share = CONVERSION
    lapse: Share = LAPSE
    units: float = 1.0

    @property
    def show_rate(self) -> float:
        return min(1.0, max(SHOW_FLOOR, self.show.value))

    @property
    def conversion_rate(self) -> float:
        return min(1.0, max(CONVERSION_FLOOR, self.conversion.value))

    @property
    def lapse_share(self) -> float:
        return min(LAPSE_CEILING, max(0.0, self.lapse.value))

    @property
    def units_per_person(self) -> float:
        """Units that one person who was let through takes off the shelf, on average."""
        return self.units * self.conversion_rate

    @classmethod
    def untaught(cls, *, units_max: int) -> "Estimates":
        """Opinions alone, for a sale whose orders may have so many units. An order is thought to be of two, or of the
        middle where fewer are allowed: with too small a number people would be called for whom nothing is left."""
        return cls(units=min(UNITS_START, (1 + units_max) / 2))

    def learned(self, before: Counted, now: Counted, *, orders_open: int) -> "Estimates":
        """The estimates of units after what happened between two ticks.

        Lapsed units cannot be counted directly: they are what left the held ones and was not sold. Single ticks may be
        off by an order or two, either way, so the sums keep their sign and only the share is bounded.
        """
        taken = max(0, now.taken - before.taken)
        units = self.units
        if orders_open > 0 and now.held > 0:
            units += (now.held / orders_open - units) * orders_open / (orders_open + OPINION_PEOPLE)
        sold = max(0, now.sold - before.sold)
        returned = before.held + taken * units - sold - now.held
        return replace(
            self,
            lapse=self.lapse.after(returned, sold + returned),
            units=max(1.0, units),
        )
