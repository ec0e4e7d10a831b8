"""When a generator may be believed: the bounds that every one of ours is held to, whoever carries the crowd. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

BUSY_SHARE = 0.8
"""Of one core: above this a process of the generator may be what is measured."""
MISSED_S = 1.0
"""Whoever sets out later than this after their moment was missed: the generator could not carry them."""
MISSED_SHARE_MAX = 0.001
"""Of the arrivals: load that a report would claim and the server never saw."""


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed; 0 without any."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else 0.0
