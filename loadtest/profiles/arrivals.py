"""How people may come: the three curves that a profile can name. `curves.py` draws moments from them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from loadtest.profiles.tables import Positive, Seconds, Share, Table


class DropArrivals(Table):
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


class RateArrivals(Table):
    """A Poisson process whose rate is a line through the points: (seconds after the opening, people per second)."""

    curve: Literal["rates"]
    points: Annotated[list[tuple[Seconds, Annotated[float, Field(ge=0)]]], Field(min_length=2)]

    @model_validator(mode="after")
    def _time_goes_on(self) -> Self:
        times = [at for at, _ in self.points]
        if times != sorted(times) or times[0] != 0:
            raise ValueError("points begin at second 0 and go forward")
        return self


class ClosedArrivals(Table):
    """So many people at any time, each followed by the next: a closed loop, for saturation and for Locust's own
    habits. Its latencies hide queueing; the report says so."""

    curve: Literal["closed"]
    points: Annotated[list[tuple[Seconds, Annotated[float, Field(ge=0)]]], Field(min_length=2)]
    """(seconds after the opening, people)."""


Arrivals = Annotated[DropArrivals | RateArrivals | ClosedArrivals, Field(discriminator="curve")]
