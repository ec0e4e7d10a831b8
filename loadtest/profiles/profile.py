"""A profile: one story of a peak, as a TOML file says it. Shapes and bounds; `loading.py` reads the files.

Numbers of people and tickets are those of the real event; `scale` brings them down to the machine at hand. Times of
people (hold, think, pay, patience) are real, too, and `pace` divides them: a ten-minute hold at a pace of 50 lasts
twelve seconds. Arrivals and the network are not touched: the step at the opening is what a drop is about.

Every profile says where its numbers come from; a guess is called one.
"""

from __future__ import annotations

import enum
import math
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from loadtest.crowd.habits import QUANTITIES, SHARES
from loadtest.crowd.population import Behaviour, Stop
from loadtest.recording.kinds import Goodput

LATE_MONEY = frozenset({Behaviour.PAYS_AFTER_DEADLINE, Behaviour.MONEY_AFTER_RELEASE})

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]


class _Table(BaseModel):
    """One table of the file: nothing unknown, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Story(_Table):
    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """Also the name of the file."""
    title: str
    title_zh: str
    about: str
    """What happened, and what the run asks."""
    sources: Annotated[list[str], Field(min_length=1)]


class Scale(_Table):
    people: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Multiplies tickets, people and rates of arrival."""
    pace: Annotated[float, Field(ge=1, le=1000)] = 1.0
    """Divides the times of people."""


class Tier(_Table):
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,23}$")]
    title: Annotated[str, Field(min_length=1, max_length=120)]
    price_fen: Annotated[int, Field(ge=1, le=10_000_000)]
    share: Positive
    """Of the tickets; shares are weighed against each other."""
    wish: Positive = 1.0
    """The weight of this tier as somebody's first wish."""


class Sale(_Table):
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


class DropArrivals(_Table):
    """People gather, a step follows the opening, then an exponential tail."""

    curve: Literal["drop"]
    people: Annotated[int, Field(ge=1)]
    lobby_s: Seconds
    """Of the run: how long the lobby is open."""
    lobby: Share = 0.5
    step: Share = 0.32
    """Shares of the people; the rest are the tail."""
    step_mean_s: Positive = 0.8
    tail_mean_s: Positive = 4.0
    tail_max_s: Positive = 15.0

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.lobby + self.step > 1:
            raise ValueError("lobby and step together are more than everybody")
        return self


class RateArrivals(_Table):
    """A Poisson process whose rate is a line through the points: (seconds after the opening, people per second)."""

    curve: Literal["rates"]
    points: Annotated[list[tuple[Seconds, Annotated[float, Field(ge=0)]]], Field(min_length=2)]

    @model_validator(mode="after")
    def _time_goes_on(self) -> Self:
        times = [at for at, _ in self.points]
        if times != sorted(times) or times[0] != 0:
            raise ValueError("points begin at second 0 and go forward")
        return self


class ClosedArrivals(_Table):
    """So many people at any time, each followed by the next: a closed loop, for saturation and for Locust's own
    habits. Its latencies hide queueing; the report says so."""

    curve: Literal["closed"]
    points: Annotated[list[tuple[Seconds, Annotated[float, Field(ge=0)]]], Field(min_length=2)]
    """(seconds after the opening, people)."""


Arrivals = Annotated[DropArrivals | RateArrivals | ClosedArrivals, Field(discriminator="curve")]


class Lognormal(_Table):
    """A time of people: half take `median_s` or less; the tail is given by its 95th percentile or by sigma."""

    median_s: Positive
    p95_s: Positive | None = None
    sigma: Annotated[float, Field(gt=0, le=4)] | None = None

    @model_validator(mode="after")
    def _one_tail(self) -> Self:
        if (self.p95_s is None) == (self.sigma is None):
            raise ValueError("give p95_s or sigma, one of the two")
        if self.p95_s is not None and self.p95_s <= self.median_s:
            raise ValueError("p95_s must be above median_s")
        return self

    @property
    def spread(self) -> float:
        """Sigma of the logarithm."""
        return self.sigma if self.sigma is not None else math.log((self.p95_s or 0) / self.median_s) / 1.6449


def _by_name(weights: Any) -> Any:
    """A file says `cancels_held`, as the code does, and not "cancels before paying"."""
    if not isinstance(weights, dict):
        return weights
    named = {behaviour.name.lower(): behaviour for behaviour in Behaviour}
    # A profile that was kept with its run says what the code's values say.
    known = {**named, **{behaviour.value: behaviour for behaviour in Behaviour}}
    if unknown := [str(name) for name in weights if name not in known and not isinstance(name, Behaviour)]:
        raise ValueError(f"nobody behaves as {', '.join(unknown)}; there are {', '.join(named)}")
    return {known.get(name, name): weight for name, weight in weights.items()}


class People(_Table):
    pay: Lognormal
    """From the held order to the money."""
    behaviours: Annotated[dict[Behaviour, Positive], BeforeValidator(_by_name), Field(min_length=1)] | None = None
    """Weights by the names of `Behaviour` in small letters, e.g. abandons = 43; None for the ordinary mix."""
    quantities: dict[Annotated[int, Field(ge=1, le=50)], Annotated[float, Field(gt=0)]] = dict(QUANTITIES)
    """Units per order to a weight. TOML's keys are text: `2 = 45`."""
    stays: Share = 0.28
    """Of those who pay, the share that stands by until the sale is truly sold out."""
    patience: Lognormal = Lognormal(median_s=60, sigma=0.5)
    """Of the others, how long they look at units that others hold."""
    gone: Share = 0.05
    """Left the line for good before being called."""
    late: Share = 0.05
    """Looked away when called."""
    members: Share = 0.0
    """Of the people, those with the right to the members' lane."""
    looks: Literal["policy", "impatient"] = "policy"
    """How they look at the line: when told, or every few seconds whatever they are told."""
    look_every_s: tuple[Positive, Positive] = (5.0, 10.0)
    """The impatient, in seconds of the run."""
    stops_after: Stop = "all"
    """How far people go: into the line and no further, up to the order, or to the end."""
    logged_in: bool = False
    """They come with the seal of an earlier visit, which is good for a day. Their logins happen while the server warms
    up and are not measured; whoever finds no time for it then logs in on coming, as everybody else does."""


class BotKind(enum.Enum):
    POLLER = "poller"
    """Looks at the line many times a second, from one address, whatever it is told."""
    FORGER = "forger"
    """Shows places and passes that it made or changed."""
    FORWARDER = "forwarder"
    """Uses a pass that was given to somebody else."""
    HOARDER = "hoarder"
    """Reserves as much as it may and never pays."""


class Bots(_Table):
    share: Share = 0.0
    """Of everybody who comes."""
    kinds: dict[BotKind, Annotated[float, Field(gt=0)]] = {
        BotKind.POLLER: 40,
        BotKind.FORGER: 15,
        BotKind.FORWARDER: 15,
        BotKind.HOARDER: 30,
    }
    looks_per_s: tuple[Positive, Positive] = (10.0, 50.0)
    stays_s: Positive = 20.0
    """In seconds of the run; then it gives up, if it has not ended before."""


class MobileNetwork(_Table):
    median_ms: Positive = 50.0
    p95_ms: Positive = 300.0
    dropped: Share = 0.01

    @model_validator(mode="after")
    def _tail_is_above(self) -> Self:
        if self.p95_ms <= self.median_ms:
            raise ValueError("p95_ms must be above median_ms")
        return self


class Engine(_Table):
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    settings: dict[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]+$")], str | int | float | bool] = {}
    """FLOODGATE_ settings by their name behind the prefix; only for a stack that the lab starts itself."""
    kill_every_s: Positive | None = None
    """kill -9 of a random process this often, until half a minute after the opening."""


Measure = Literal["p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms", "error_share", "per_s", "count"]


class Slo(_Table):
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


class Run(_Table):
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


class Profile(_Table):
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
    wechat: dict[str, Any] = {}
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
