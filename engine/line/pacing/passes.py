"""Which passes become orders: how many of those that are out still will, and how many usually do. Pure.

A pass that lies unused for a while will mostly run out. If every pass counted as a coming order until its end, those
who will not order would keep the shelf half full for two minutes. So what counts is, among passes of one age, how many
should have become orders and have not, and the less the older they are.

How many usually do is known exactly once a pass' time is over: what was given out a pass-time ago and has not run out
since was used. Counting what is used and what runs out as they happen would not do, for the one comes early and the
other late.
"""

from dataclasses import dataclass

from engine.line.pacing.estimates import belief
from engine.line.sight import LineSight

MARKS_PER_PASS = 16


@dataclass(frozen=True, slots=True)
class Mark:
    """Totals of the epoch at one moment of the serving clock: passes given out, and passes taken by orders."""

    serving_ms: int
    given: int
    taken: int
    lapsed: int


@dataclass(frozen=True, slots=True)
class PassHistory:
    """The totals over the time of a pass, oldest first. lapsed_before: how many had run out when the oldest mark
    became the oldest."""

    marks: tuple[Mark, ...] = ()
    lapsed_before: int = 0

    def after(self, now: Mark, *, pass_ms: int) -> "tuple[PassHistory, int, int]":
        """The history with this moment, and what is known for good by it: passes whose time is over, and how many of
        them were used."""
        marks = list(self.marks)
        if not marks or now.serving_ms - marks[-1].serving_ms >= pass_ms // MARKS_PER_PASS:
            marks.append(now)
        oldest = marks[0]
        while len(marks) > 1 and marks[1].serving_ms <= now.serving_ms - pass_ms:
            marks.pop(0)
        if marks[0] is oldest:
            return PassHistory(tuple(marks), self.lapsed_before), 0, 0
        given = marks[0].given - oldest.given
        return PassHistory(tuple(marks), now.lapsed), given, given - (now.lapsed - self.lapsed_before)

    def given_by(self, serving_ms: float, now: Mark) -> float:
        """Passes given out up to a moment within the history, read between its marks."""
        before = self.marks[0] if self.marks else now
        for mark in (*self.marks, now):
            if mark.serving_ms >= serving_ms:
                span = mark.serving_ms - before.serving_ms
                part = (serving_ms - before.serving_ms) / span if span > 0 else 1.0
                return before.given + (mark.given - before.given) * max(0.0, part)
            before = mark
        return now.given

    def orders_expected(self, sight: LineSight, conversion: float, *, pass_ms: int) -> float:
        """How many of the passes that are out will probably become orders: no more than there are."""
        now, ages = mark_of(sight), len(sight.passes)
        expected = conversion * max(0, sight.admitted - sum(sight.passes))
        given_after = float(now.given)
        for eighth, unused in enumerate(sight.passes):
            given_before = self.given_by(now.serving_ms - pass_ms * (eighth + 1) / ages, now)
            given, given_after = given_after - given_before, given_before
            expected += (conversion * given - (given - unused)) * belief(eighth / ages)
        return min(float(sight.admitted), max(0.0, expected))


def mark_of(sight: LineSight) -> Mark:
    """The totals as they are now."""
    taken = sum(lane.taken for lane in sight.lanes)
    lapsed = sum(lane.lapsed for lane in sight.lanes)
    return Mark(sight.serving_ms, taken + lapsed + sight.admitted, taken, lapsed)
