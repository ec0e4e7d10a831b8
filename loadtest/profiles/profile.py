"""A profile: one story of a peak, as a TOML file says it. Shapes and bounds; `loading.py` reads the files.

Numbers of people and tickets are those of the real event; `scale` brings them down to the machine at hand. Times of
people (hold, think, pay, patience) are real, too, and `pace` divides them: a ten-minute hold at a pace of 50 lasts
twelve seconds. Arrivals and the network are not touched: the step at the opening is what a drop is about.

Every profile says where its numbers come from; a guess is called one.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from loadtest.crowd.habits import SHARES
from loadtest.crowd.population import Behaviour
from loadtest.profiles.arrivals import Arrivals, ClosedArrivals, DropArrivals, RateArrivals
from loadtest.profiles.people import BotKind, Bots, People
from loadtest.profiles.tables import Lognormal, Positive, Seconds, Share, Table
from loadtest.recording.kinds import Goodput

__all__ = [
    "Arrivals",
    "BotKind",
    "Bots",
    "ClosedArrivals",
    "DropArrivals",
    "Engine",
    "Lognormal",
    "Measure",
    "MobileNetwork",
    "People",
    "Profile",
    "RateArrivals",
    "Run",
    "Sale",
    "Scale",
    "Slo",
    "Story",
    "Tier",
]

LATE_MONEY = frozenset({Behaviour.PAYS_AFTER_DEADLINE, Behaviour.MONEY_AFTER_RELEASE})


class Story(Table):
    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """Of a profile that comes with the lab also the name of its file."""
    title: str
    title_zh: str
    about: str
    """What happened, and what the run asks."""
    sources: Annotated[list[str], Field(min_length=1)]


class Scale(Table):
    people: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Multiplies tickets, people and rates of arrival."""
    pace: Annotated[float, Field(ge=1, le=1000)] = 1.0
    """Divides the times of people."""


class Tier(Table):
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,23}$")]
    title: Annotated[str, Field(min_length=1, max_length=120)]
    price_fen: Annotated[int, Field(ge=1, le=10_000_000)]
    share: Positive
    """Of the tickets; shares are weighed against each other."""
    wish: Positive = 1.0
    """The weight of this tier as somebody's first wish."""


class Sale(Table):
    tickets: Annotated[int, Field(ge=1)]
    hold_s: Annotated[float, Field(ge=1, le=3600)]
    per_order_max: Annotated[int, Field(ge=1, le=50)] = 4
    per_buyer_max: Annotated[int, Field(ge=1, le=50)] = 6
    member_share: Share = 0.0
    """Of the tickets, what the members' lane may have at most; 0 for a sale with one lane."""
    line_rate: Annotated[float, Field(gt=0)] | None = None
    """People called per second in the run; None leaves it to the pacing."""
    tiers: Annotated[list[Tier], Field(min_length=1, max_length=12)]

    @model_validator(mode="after")
    def _tiers_differ(self) -> Self:
        names = [tier.id for tier in self.tiers]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two tiers are called {twice[0]}")
        return self


class MobileNetwork(Table):
    median_ms: Positive = 50.0
    p95_ms: Positive = 300.0
    dropped: Share = 0.01

    @model_validator(mode="after")
    def _tail_is_above(self) -> Self:
        if self.p95_ms <= self.median_ms:
            raise ValueError("p95_ms must be above median_ms")
        return self


class Engine(Table):
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    settings: dict[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]+$")], str | int | float | bool] = Field(
        default_factory=dict
    )
    """FLOODGATE_ settings by their name behind the prefix; only for a stack that the lab starts itself."""
    kill_every_s: Positive | None = None
    """kill -9 of a random process this often, until half a minute after the opening."""


Measure = Literal["p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms", "error_share", "per_s", "count"]


class Slo(Table):
    """One promise about a kind of goodput; exactly one bound. Times are those of its whole run, from the moment the
    person meant to act. `error_share`: outages among all attempts of its requests."""

    kind: Goodput
    measure: Measure
    at_most: float | None = None
    at_least: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("give at_most or at_least, one of the two")
        return self

    @property
    def words(self) -> str:
        bound = f"at most {self.at_most:g}" if self.at_most is not None else f"at least {self.at_least:g}"
        return f"{self.kind} {self.measure} {bound}"


class Run(Table):
    warm_up_s: Seconds = 3.0
    """Reads of the line and of the sale before the clock starts; not measured."""
    after_opening_s: Annotated[float, Field(gt=0, le=7200)]
    """People who still ask so long after the opening are sent home; they count as not served."""
    settle_s: Seconds = 30.0
    """Then holds lapse and refunds arrive; what does not come to rest in this time fails the audit."""
    search: Literal["none", "breakpoint", "overload"] = "none"
    """breakpoint: the run ends when an SLO breaks and says at which load. overload: the rates of arrival are
    multiples of the capacity that the run finds first."""
    soak: bool = False
    """Memory, connections, latency and keys must be flat."""


class Profile(Table):
    story: Story
    seed: int = 20270301
    scale: Scale = Scale()
    sale: Sale
    arrivals: Arrivals
    people: People
    bots: Bots = Bots()
    network: MobileNetwork | None = None
    """What lies between phones and server; none: they stand beside each other."""
    cdn: bool = True
    """Whether the line document comes from a cache that asks the engine four times a second."""
    wechat: dict[str, Any] = Field(default_factory=dict)
    """The simulator's faults by their names (docs/simulator.md); it refuses what it does not know."""
    engine: Engine = Engine()
    slo: Annotated[list[Slo], Field(min_length=1)]
    run: Run

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.tickets < len(self.sale.tiers):
            raise ValueError(f"at this scale there are {self.tickets} tickets for {len(self.sale.tiers)} tiers")
        if self.people.members and not self.sale.member_share:
            raise ValueError("people.members need a lane: sale.member_share says how much of the tickets is theirs")
        if min(self.people.quantities) > self.sale.per_order_max:
            raise ValueError("everybody in people.quantities wants more than sale.per_order_max")
        if self.wechat.get("callback_loss") and LATE_MONEY & set(self.people.behaviours or SHARES):
            raise ValueError(
                "wechat.callback_loss does not go with people who pay after the deadline: of such money, if its notice "
                "is lost, only the next day's bill knows. Give people.behaviours without pays_after_deadline and "
                "money_after_release"
            )
        return self

    # The run's own numbers.

    @property
    def tickets(self) -> int:
        return max(1, round(self.sale.tickets * self.scale.people))

    @property
    def hold_s(self) -> int:
        """Whole seconds, as the engine takes them."""
        return max(1, round(self.sale.hold_s / self.scale.pace))

    @property
    def lobby_s(self) -> float:
        return self.arrivals.lobby_s if isinstance(self.arrivals, DropArrivals) else 0.0
