"""What the tables of a profile are made of: their base, shares, times."""

from __future__ import annotations

import math
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]


class Table(BaseModel):
    """Nothing unknown, nothing changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Lognormal(Table):
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
