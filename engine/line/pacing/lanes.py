"""Who is called next where there are several lanes: weighted deficit round robin. Pure.

Every lane with people waiting earns its weight's share of each release; what is not whole people yet is kept as its
deficit, so that over time the shares are exact however small a release is. What a lane cannot use goes to the others
by their weights and is not owed back. The lanes that are open to everyone have a floor together, so that no presale
can shut the public out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

PUBLIC_FLOOR = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneTerms:
    """What the organizer set for a lane. public: open to everyone; quota_units: None is no bound."""

    weight: int = 1
    public: bool = True
    quota_units: int | None = None


def shares_of(terms: Sequence[LaneTerms], active: Sequence[int]) -> dict[int, float]:
    """The share of each of these lanes, one in sum, with the public floor."""
    whole = sum(terms[lane].weight for lane in active)
    public = sum(terms[lane].weight for lane in active if terms[lane].public)
    shares = {lane: terms[lane].weight / whole for lane in active}
    if 0 < public < whole * PUBLIC_FLOOR:
        for lane in active:
            of = public if terms[lane].public else whole - public
            part = PUBLIC_FLOOR if terms[lane].public else 1 - PUBLIC_FLOOR
            shares[lane] = part * terms[lane].weight / of
    return shares


def divided(
    release: int, wanted: Sequence[int], terms: Sequence[LaneTerms], deficits: Sequence[float]
) -> tuple[list[int], list[float]]:
    """How many of a release each lane gets, and the deficits afterwards.

    `wanted` is how many each lane can take. The grants add up to the release, or to all that is wanted if that is
    less. Deficits of lanes that want more add up to nothing; a lane that wants no more keeps none.
    """
    grants = [0] * len(terms)
    owed = [*deficits[: len(terms)], *(0.0 for _ in range(len(terms) - len(deficits)))]
    active = [lane for lane in range(len(terms)) if wanted[lane] > 0]
    _pass_on(owed, [lane for lane in range(len(terms)) if lane not in active], terms, active)
    left = min(release, sum(max(0, count) for count in wanted))
    if left > 0:
        for lane, share in shares_of(terms, active).items():
            owed[lane] += left * share
    while left > 0:
        before = left
        for lane in active:
            count = max(0, min(math.floor(owed[lane]), wanted[lane] - grants[lane], left))
            grants[lane] += count
            owed[lane] -= count
            left -= count
        full = [lane for lane in active if grants[lane] >= wanted[lane]]
        if full:
            active = [lane for lane in active if lane not in full]
            _pass_on(owed, full, terms, active)
        elif left == before:  # nobody is owed a whole one: the one who is owed most is next
            lane = max(active, key=lambda lane: (owed[lane], -lane))
            grants[lane] += 1
            owed[lane] -= 1
            left -= 1
    full = [lane for lane in active if grants[lane] >= wanted[lane]]
    _pass_on(owed, full, terms, [lane for lane in active if lane not in full])
    return grants, owed


def _pass_on(owed: list[float], from_lanes: Sequence[int], terms: Sequence[LaneTerms], to_lanes: Sequence[int]) -> None:
    """Lanes that want nothing are owed nothing and owe nothing: the others share it."""
    sum_owed = sum(owed[lane] for lane in from_lanes)
    for lane in from_lanes:
        owed[lane] = 0.0
    if not to_lanes:
        return
    for lane, share in shares_of(terms, to_lanes).items():
        owed[lane] += sum_owed * share
