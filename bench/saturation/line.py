"""Those who found no free connection, until one is free or their patience ends. Pure.

The newest is served first. Phones do not stand in each other's way, so no order among them is the right one; but
whoever came last has the most patience left and will still be there for the answer. To serve the oldest first would
have a full line spend every connection on somebody who is about to give up, and would measure the line in place of the
server. Who waited carries the wait in the latency, and who gave up is counted: nothing is hidden by the choice.

People of one tick are one entry, so that turning away half a million a second costs a few hundred steps.
"""

from __future__ import annotations

from collections import deque


class Line:
    """Arrivals by their tick. `patience_s`: how long one of them waits for a connection."""

    def __init__(self, *, patience_s: float) -> None:
        self._patience_s = patience_s
        self._ticks: deque[tuple[float, int]] = deque()

    def join(self, came_s: float, count: int) -> None:
        """So many came then; ticks come in their order."""
        self._ticks.append((came_s, count))

    def next(self, now_s: float) -> float | None:
        """When the one came who is served now, the newest of those who are still patient; None where nobody is."""
        if not self._ticks:
            return None
        came_s, count = self._ticks[-1]
        if came_s + self._patience_s < now_s:
            return None
        if count == 1:
            self._ticks.pop()
        else:
            self._ticks[-1] = (came_s, count - 1)
        return came_s

    def leave(self, now_s: float) -> list[tuple[float, int]]:
        """Those whose patience has ended, by their tick; they are gone."""
        gone = []
        while self._ticks and self._ticks[0][0] + self._patience_s < now_s:
            gone.append(self._ticks.popleft())
        return gone

    def close(self) -> list[tuple[float, int]]:
        """Everybody who is still there, by their tick; they are gone."""
        gone = list(self._ticks)
        self._ticks.clear()
        return gone
