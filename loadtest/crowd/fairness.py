"""Was the line fair? Measured from outside: when each phone asked, and what it was told.

Pure: claims in, figures out. Only people of one lane are compared, each with their first pass, and only moments that
a phone knows: when it sent a claim and when the answer came. What happened between the two is not known, so nobody
is accused of what may have crossed on its way.

kendall_tau         Of the pairs of people who competed, those let in by position less those let in against it, over
                    all of them: 1 when nobody ahead had to wait for somebody behind, -1 when everybody had. A pair
                    competes when the one ahead had asked before the one behind sent the claim that got in, and when
                    one of the two was in before the other's claim left: a line cannot let in who has not come, and
                    nobody knows the order of claims that cross on their way.
kendall_tau_of_all  The same over every pair, by when the answer came, as if everybody had come the moment they were
                    called. People look at the document every few seconds, and some are late: how far this is below 1
                    says how people come, and nothing about the line.
came_late           Those who asked later than `late_after_s` after they were called, and got in.
largest_overtaking  The most positions by which somebody was passed over. A person is passed over when the engine had
                    told them to wait for room, then let in somebody behind them, and then told them to wait again.
                    Whoever is let in while the one ahead is not asking takes nothing from them: their room is kept.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf

NOBODY = 1 << 62


@dataclass(slots=True)
class Claiming:
    """How one buyer came to their first pass, or did not. Instants are seconds of one clock; None has not happened.

    asked_s: the first claim left; the first after a pause, because nobody stands at the door meanwhile.
    told_to_wait_s: the first answer "called, but there is no room" came. asked_in_vain_s: the last claim left that got
    this answer. asked_well_s, admitted_s: the claim that got the pass left, and its answer came.
    """

    lane: str
    position: int
    called_s: float
    asked_s: float | None = None
    told_to_wait_s: float | None = None
    asked_in_vain_s: float | None = None
    asked_well_s: float | None = None
    admitted_s: float | None = None

    def asked(self, at_s: float) -> None:
        """A claim left."""
        if self.asked_s is None:
            self.asked_s = at_s

    def paused(self) -> None:
        """Nobody is let in now: whoever is there shall come again."""
        if self.admitted_s is None:
            self.asked_s = None

    def refused(self, *, asked_s: float, answered_s: float) -> None:
        """There was no room. Whoever had a pass before, and let it run out, waits behind those who had none."""
        if self.admitted_s is not None:
            return
        if self.told_to_wait_s is None:
            self.told_to_wait_s = answered_s
        self.asked_in_vain_s = asked_s

    def admitted(self, *, asked_s: float, answered_s: float) -> None:
        """Here is the pass; only the first one counts."""
        if self.admitted_s is None:
            self.asked_well_s, self.admitted_s = asked_s, answered_s


@dataclass(frozen=True, slots=True)
class Fairness:
    """The figures of one run. The taus are None where nobody can be compared."""

    kendall_tau: float | None
    kendall_tau_of_all: float | None
    admitted: int
    came_late: int
    largest_overtaking: int


def fairness_of(claimings: Sequence[Claiming], *, late_after_s: float) -> Fairness:
    """Measure everybody who was called."""
    admitted = [one for one in claimings if one.admitted_s is not None]
    return Fairness(
        kendall_tau=_tau_of(admitted),
        kendall_tau_of_all=_tau_of([_as_if_punctual(one) for one in admitted]),
        admitted=len(admitted),
        came_late=sum((one.asked_s or 0.0) > one.called_s + late_after_s for one in admitted),
        largest_overtaking=largest_overtaking(claimings),
    )


def _as_if_punctual(one: Claiming) -> Claiming:
    """Somebody who was there from the beginning, and whose claim took no time."""
    return replace(one, asked_s=-inf, asked_well_s=one.admitted_s)


def _tau_of(admitted: Iterable[Claiming]) -> float | None:
    """The lanes' taus weighted by their pairs: people of two lanes stand in no order."""
    ordered, pairs = 0, 0
    for lane in _by_lane(admitted):
        more_ordered, more_pairs = concordance(lane)
        ordered, pairs = ordered + more_ordered, pairs + more_pairs
    return round(ordered / pairs, 4) if pairs else None


def concordance(lane: Sequence[Claiming]) -> tuple[int, int]:
    """Of the pairs of one lane that competed: those in order less those against it, and all of them.

    O(n log^2 n): people enter when they asked, and each claim that got in is held against those ahead who are there:
    who of them was in before it left, and who sent the claim that got in after it was answered.
    """
    let_in = [one for one in lane if one.asked_s is not None and one.asked_well_s is not None]
    ranks = {position: rank for rank, position in enumerate(sorted(one.position for one in let_in))}
    entering = sorted(let_in, key=_asked_s)
    answers: list[list[float]] = [[] for _ in range(len(let_in) + 1)]
    leavings: list[list[float]] = [[] for _ in range(len(let_in) + 1)]
    sooner = later = upcoming = 0
    for behind in sorted(let_in, key=_asked_well_s):
        while upcoming < len(entering) and _asked_s(entering[upcoming]) <= _asked_well_s(behind):
            one = entering[upcoming]
            at = ranks[one.position] + 1
            while at < len(answers):
                insort(answers[at], _admitted_s(one))
                insort(leavings[at], _asked_well_s(one))
                at += at & -at
            upcoming += 1
        at = ranks[behind.position]
        while at:
            sooner += bisect_right(answers[at], _asked_well_s(behind))
            later += len(leavings[at]) - bisect_right(leavings[at], _admitted_s(behind))
            at -= at & -at
    return sooner - later, sooner + later


def _asked_s(one: Claiming) -> float:
    return inf if one.asked_s is None else one.asked_s


def _asked_well_s(one: Claiming) -> float:
    return inf if one.asked_well_s is None else one.asked_well_s


def _admitted_s(one: Claiming) -> float:
    return inf if one.admitted_s is None else one.admitted_s


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
