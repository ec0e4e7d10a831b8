"""Was the line fair? Measured from outside: when each phone asked, and what it was told.

Pure: claims in, figures out. Only people of one lane are compared, each with their first pass, and only moments that
a phone knows: when it sent a claim and when the answer came. What happened between the two is not known, so nobody
is accused of what may have crossed on its way.

kendall_tau         +1 when people were let in exactly in the order of their positions, 0 when at random, -1 when
                    backwards: (pairs in order - pairs out of order) / pairs. Over those who were punctual: a line
                    cannot let in somebody who has not come, so whoever asked later than `late_after_s` after they
                    were called is counted in `came_late` and left out here, and is in `kendall_tau_of_all`. It stays
                    below 1 in a fair line, because people look at the document every few seconds and not all at once.
largest_overtaking  The most positions by which somebody was passed over. A person is passed over when the engine had
                    told them to wait for room, then let in somebody behind them, and then told them to wait again.
                    Whoever is let in while the one ahead is not asking takes nothing from them: their room is kept.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NOBODY = 1 << 62


@dataclass(slots=True)
class Claiming:
    """How one buyer came to their first pass, or did not. Instants are seconds of one clock; None has not happened.

    asked_s: the first claim left. told_to_wait_s: the first answer "called, but there is no room" came.
    asked_in_vain_s: the last claim left that got this answer. asked_well_s, admitted_s: the claim that got the pass
    left, and its answer came.
    """

    lane: str
    position: int
    called_s: float
    asked_s: float | None = None
    told_to_wait_s: float | None = None
    asked_in_vain_s: float | None = None
    asked_well_s: float | None = None
    admitted_s: float | None = None

    def refused(self, *, asked_s: float, answered_s: float) -> None:
        """There was no room."""
        if self.told_to_wait_s is None:
            self.told_to_wait_s = answered_s
        self.asked_in_vain_s = asked_s

    def admitted(self, *, asked_s: float, answered_s: float) -> None:
        """Here is the pass; only the first one counts."""
        if self.admitted_s is None:
            self.asked_well_s, self.admitted_s = asked_s, answered_s


@dataclass(frozen=True, slots=True)
class Fairness:
    """The figures of one run. The taus are None with fewer than two people to compare."""

    kendall_tau: float | None
    kendall_tau_of_all: float | None
    admitted: int
    came_late: int
    largest_overtaking: int


def fairness_of(claimings: Sequence[Claiming], *, late_after_s: float) -> Fairness:
    """Measure everybody who was called."""
    admitted = [one for one in claimings if one.admitted_s is not None]
    punctual = [one for one in admitted if (one.asked_s or 0.0) <= one.called_s + late_after_s]
    return Fairness(
        kendall_tau=_tau_of(punctual),
        kendall_tau_of_all=_tau_of(admitted),
        admitted=len(admitted),
        came_late=len(admitted) - len(punctual),
        largest_overtaking=largest_overtaking(claimings),
    )


def _tau_of(admitted: Iterable[Claiming]) -> float | None:
    """The lanes' taus weighted by their pairs: people of two lanes stand in no order."""
    ordered, pairs = 0, 0
    for lane in _by_lane(admitted):
        more_ordered, more_pairs = concordance([(one.position, one.admitted_s or 0.0) for one in lane])
        ordered, pairs = ordered + more_ordered, pairs + more_pairs
    return round(ordered / pairs, 4) if pairs else None


def concordance(people: Sequence[tuple[int, float]]) -> tuple[int, int]:
    """Of (position, instant) with distinct positions: pairs in order less pairs out of order, and all pairs.

    O(n log n). A pair of one instant is in neither order.
    """
    by_instant = sorted(people, key=lambda one: (one[1], one[0]))
    ranks = {position: rank for rank, position in enumerate(sorted(position for position, _ in people))}
    counted = [0] * (len(people) + 1)
    swapped = tied = run = 0
    before: float | None = None
    for seen, (position, instant) in enumerate(by_instant):
        run = run + 1 if instant == before else 0
        tied += run
        before = instant
        swapped += seen - _count_below(counted, ranks[position])
        _count(counted, ranks[position])
    pairs = len(people) * (len(people) - 1) // 2
    return pairs - tied - 2 * swapped, pairs


def _count(counted: list[int], rank: int) -> None:
    at = rank + 1
    while at < len(counted):
        counted[at] += 1
        at += at & -at


def _count_below(counted: list[int], rank: int) -> int:
    at, below = rank, 0
    while at:
        below += counted[at]
        at -= at & -at
    return below


def largest_overtaking(claimings: Iterable[Claiming]) -> int:
    """The most positions by which anybody was passed over, in any lane; 0 when nobody was. O(n log n)."""
    return max((_largest_in(lane) for lane in _by_lane(claimings)), default=0)


def _largest_in(lane: Sequence[Claiming]) -> int:
    """Of those whose waiting encloses a claim that got in, the foremost: a sweep over when the claims left, and a tree
    of minima over when the waiting ended."""
    waiting = sorted(
        (one.told_to_wait_s, one.asked_in_vain_s, one.position)
        for one in lane
        if one.told_to_wait_s is not None and one.asked_in_vain_s is not None
    )
    entering = sorted(
        (one.asked_well_s, one.admitted_s, one.position)
        for one in lane
        if one.asked_well_s is not None and one.admitted_s is not None
    )
    ends = sorted({end for _, end, _ in waiting})
    foremost = [NOBODY] * (len(ends) + 1)
    largest = upcoming = 0
    for asked_s, admitted_s, position in entering:
        while upcoming < len(waiting) and waiting[upcoming][0] <= asked_s:
            _, end, ahead = waiting[upcoming]
            # Counted from the last end, so that one question covers everybody who waited that long or longer.
            at = len(ends) - bisect_left(ends, end)
            while at <= len(ends):
                foremost[at] = min(foremost[at], ahead)
                at += at & -at
            upcoming += 1
        at = len(ends) - bisect_left(ends, admitted_s)
        while at > 0:
            largest = max(largest, position - foremost[at])
            at -= at & -at
    return largest


def _by_lane(claimings: Iterable[Claiming]) -> list[list[Claiming]]:
    lanes: dict[str, list[Claiming]] = {}
    for one in claimings:
        lanes.setdefault(one.lane, []).append(one)
    return list(lanes.values())
