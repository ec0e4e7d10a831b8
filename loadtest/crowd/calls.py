"""When the public document called whom: the heads of all lanes as they rose, by one clock."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

from loadtest.crowd.line import Lane


class Calls:
    def __init__(self) -> None:
        self._risen: dict[str, tuple[list[int], list[float]]] = {}
        """Of each lane its heads, rising, and the moment each was first seen."""

    def note(self, lanes: Mapping[str, Lane], *, at_s: float) -> None:
        """Two workers may be a tick apart, so a head that is behind the last one says nothing."""
        for lane_id, lane in lanes.items():
            heads, moments = self._risen.setdefault(lane_id, ([], []))
            if lane.head > (heads[-1] if heads else 0):
                heads.append(lane.head)
                moments.append(at_s)

    def when_s(self, lane_id: str, position: int) -> float:
        """When this position was first seen to be called; it must have been."""
        heads, moments = self._risen[lane_id]
        return moments[bisect_right(heads, position)]

    def most_within(self, span_s: float) -> int:
        """The most positions of one lane that were called within any span of so many seconds."""
        most = 0
        for heads, moments in self._risen.values():
            first = 0
            for last, moment in enumerate(moments):
                while moments[first] < moment - span_s:
                    first += 1
                most = max(most, heads[last] - (heads[first - 1] if first else 0))
        return most
