"""Heads and the people between them. Pure.

After a loss, the live indexes of a known gap may have no owner. The head passes them at once, and nobody in there is
counted as called: the pacing counts people, and a position that nobody holds is none.
"""

from engine.line.sight import LaneSight


def gap_of(lane: LaneSight) -> tuple[int, int]:
    """The lane's gap as positions, from and to; empty where there is none."""
    return lane.lobby + lane.gap_from, lane.lobby + max(lane.gap_from, lane.gap_to)


def people_between(lane: LaneSight, start: int, end: int) -> int:
    """How many people stand from one position up to another, the gap left out."""
    gap_from, gap_to = gap_of(lane)
    in_gap = max(0, min(end, gap_to) - max(start, gap_from))
    return max(0, end - start - in_gap)


def advanced(lane: LaneSight, people: int) -> int:
    """The head after so many more people are called: never behind where it stood, never beyond the last one there."""
    head, (gap_from, gap_to) = lane.head, gap_of(lane)
    if gap_from <= head < gap_to:
        head = gap_to
    elif head < gap_from <= head + people and gap_from < gap_to:
        people -= gap_from - head
        head = gap_to
    return max(lane.head, min(head + people, lane.end))
