"""The claim window: who was called and has not shown up yet, by checkpoints on the serving clock. Pure.

A checkpoint is written before the heads move on, about sixteen times a window. The people called between a checkpoint
and the next are counted together: how many were called, how many of them have come. After the window those who did
not come stop counting. They stay called and may still come; nobody waits for them any more.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from engine.line.pacing.estimates import belief
from engine.line.pacing.heads import people_between
from engine.line.sight import LineSight

CHECKPOINTS_PER_WINDOW = 16


@dataclass(frozen=True, slots=True)
class Called:
    """The people of one checkpoint. `until_ms`: when the next one was written; None while it is the newest."""

    since_ms: int
    until_ms: int | None
    people: int
    shown: int

    def counts(self, serving_ms: int, window_ms: int) -> bool:
        """Whether they are still waited for."""
        return self.until_ms is None or self.until_ms + window_ms > serving_ms


def called_groups(sight: LineSight) -> Iterator[Called]:
    """The checkpoints' people, oldest first."""
    if not sight.checkpoints:
        return
    ends = [(point.heads, point.serving_ms) for point in sight.checkpoints[1:]]
    heads_now = tuple(lane.head for lane in sight.lanes)
    for point, (heads, until_ms) in zip(sight.checkpoints, [*ends, (heads_now, None)], strict=True):
        people = sum(people_between(*step) for step in zip(sight.lanes, point.heads, heads, strict=False))
        yield Called(point.serving_ms, until_ms, people, min(point.shown, people))


def outstanding(sight: LineSight, *, window_ms: int) -> int:
    """People who were called, have not come, and may still be waited for."""
    groups = (group for group in called_groups(sight) if group.counts(sight.serving_ms, window_ms))
    return sum(group.people - group.shown for group in groups)


def shows_expected(sight: LineSight, show_rate: float, *, window_ms: int) -> float:
    """How many of them are expected: of each group those who usually come, less those who have, and the less of what is
    missing, the longer ago they were called. A group that came in greater numbers makes up for another."""
    expected = 0.0
    for group in called_groups(sight):
        if group.counts(sight.serving_ms, window_ms):
            elapsed = (sight.serving_ms - (group.until_ms or sight.serving_ms)) / window_ms
            expected += (group.people * show_rate - group.shown) * belief(elapsed)
    return max(0.0, expected)


def called_lately(sight: LineSight, lane: int, *, window_ms: int) -> float:
    """People of one lane who may still take units of its own, whether they came or not: of those who were called
    together the fewer, the longer ago that was."""
    people, seen = 0.0, sight.lanes[lane]
    points = [point for point in sight.checkpoints if lane < len(point.heads)]
    ends = [*((point.heads[lane], point.serving_ms) for point in points[1:]), (seen.head, sight.serving_ms)]
    for point, (head, until_ms) in zip(points, ends, strict=False):
        elapsed = (sight.serving_ms - until_ms) / window_ms
        if elapsed < 1:
            people += people_between(seen, point.heads[lane], head) * belief(elapsed)
    return people


def settled(sight: LineSight, *, after_ms: int, window_ms: int) -> tuple[int, int, int]:
    """What is known for good since `after_ms`: people called, those who came in time, and the new `after_ms`."""
    people = shown = 0
    for group in called_groups(sight):
        if group.since_ms > after_ms and not group.counts(sight.serving_ms, window_ms):
            people, shown, after_ms = people + group.people, shown + group.shown, group.since_ms
    return people, shown, after_ms


def shown_so_far(sight: LineSight, *, window_ms: int) -> tuple[int, int]:
    """People called within the window and those who have come already: the share can only rise from there."""
    groups = [group for group in called_groups(sight) if group.counts(sight.serving_ms, window_ms)]
    return sum(group.people for group in groups), sum(group.shown for group in groups)


def checkpoint_due(sight: LineSight, *, window_ms: int, step_ms: int = 0) -> bool:
    """Whether the next tick, which takes the serving clock so far, writes one."""
    if not sight.checkpoints:
        return True
    since_ms = sight.serving_ms + step_ms - sight.checkpoints[-1].serving_ms
    return since_ms >= window_ms // CHECKPOINTS_PER_WINDOW


def drop_count(sight: LineSight, *, window_ms: int) -> int:
    """How many of the oldest nobody needs any more."""
    return sum(not group.counts(sight.serving_ms, window_ms) for group in called_groups(sight))
