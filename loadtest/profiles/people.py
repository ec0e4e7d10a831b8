"""Who comes: what people are like, and which programs come with them. `casting.py` draws from it."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from loadtest.crowd.habits import QUANTITIES
from loadtest.crowd.population import Behaviour, Stop
from loadtest.profiles.tables import Lognormal, Positive, Share, Table


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


class People(Table):
    pay: Lognormal
    """From the held order to the money."""
    behaviours: Annotated[dict[Behaviour, Positive], BeforeValidator(_by_name), Field(min_length=1)] | None = None
    """Weights by the names of `Behaviour` in small letters, e.g. abandons = 43; None for the ordinary mix."""
    quantities: dict[Annotated[int, Field(ge=1, le=50)], Annotated[float, Field(gt=0)]] = Field(
        default_factory=lambda: dict(QUANTITIES)
    )
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


KINDS = {BotKind.POLLER: 40.0, BotKind.FORGER: 15.0, BotKind.FORWARDER: 15.0, BotKind.HOARDER: 30.0}


class Bots(Table):
    share: Share = 0.0
    """Of everybody who comes."""
    kinds: dict[BotKind, Annotated[float, Field(gt=0)]] = Field(default_factory=lambda: dict(KINDS))
    looks_per_s: tuple[Positive, Positive] = (10.0, 50.0)
    stays_s: Positive = 20.0
    """In seconds of the run; then it gives up, if it has not ended before."""
