"""Room for the requests of one route: so many at a time, and a wait for those who find none. Pure.

To refuse a request costs a worker a fifth of what an order costs, so a worker that refuses at once, whatever comes,
is kept busy with refusals as soon as several times more comes than it can serve, and serves next to nobody. So nobody
is refused at once: who finds no room waits, and the refusals leave at a pace that costs next to nothing. A connection
that waits brings no other request, and what nobody has read yet costs nothing at all.

When there is room again, the oldest goes in first as long as nobody waits for long: that is a burst, and everybody gets
in. Once the oldest has waited so long that it may be refused, the newest goes in first: the answers of the others would
come too late, and the newest one's would, too, if it had to wait for them. The refusals go to the oldest.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Entrant = TypeVar("Entrant")

# Long enough to outlive a burst: many who come in one get in after all.
WAIT_S = 0.25
# Three per cent of a worker's time, at about 30 microseconds each.
REFUSALS_PER_S = 1000
REFUSE_EVERY_S = 0.05


class Room(Generic[Entrant]):
    """Counts who is in and keeps who waits, for `wait_s` at least."""

    __slots__ = ("_asked_s", "_count_max", "_has_left", "_wait_s", "_waiting", "_waiting_count_max", "count")

    def __init__(
        self,
        *,
        count_max: int,
        waiting_count_max: int,
        wait_s: float = WAIT_S,
        has_left: Callable[[Entrant], bool] = lambda _: False,
    ) -> None:
        """`has_left`: whether somebody who waits has hung up."""
        self.count = 0  # who is in
        self._asked_s = math.inf  # when it was last asked whom to refuse
        self._has_left = has_left
        self._count_max = count_max
        self._waiting_count_max = waiting_count_max
        self._wait_s = wait_s
        self._waiting: deque[tuple[float, Entrant]] = deque()

    @property
    def full(self) -> bool:
        """Whether somebody who comes now has to wait."""
        return self.count >= self._count_max

    def wait(self, entrant: Entrant, now_s: float) -> bool:
        """Let somebody wait; False where too many do already."""
        if len(self._waiting) >= self._waiting_count_max:
            return False
        self._waiting.append((now_s, entrant))
        return True

    def next(self, now_s: float) -> Entrant | None:
        """Who goes in now; None when nobody waits or there is no room."""
        if not self._waiting or self.full:
            return None
        is_burst = self._waiting[0][0] + self._wait_s > now_s
        return (self._waiting.popleft() if is_burst else self._waiting.pop())[1]

    def refused(self, now_s: float) -> list[tuple[float, Entrant]]:
        """Who waited long enough, the oldest first, and not more than the pace allows since this was last asked: a busy
        worker asks late. They are gone, and so is whoever has left: that is nobody's refusal."""
        gone: list[tuple[float, Entrant]] = []
        until_s = now_s - self._wait_s
        since_s = max(REFUSE_EVERY_S, now_s - self._asked_s)
        self._asked_s = now_s
        while self._waiting and self._waiting[0][0] <= until_s and len(gone) < REFUSALS_PER_S * since_s:
            oldest = self._waiting.popleft()
            if not self._has_left(oldest[1]):
                gone.append(oldest)
        return gone

    def clear(self) -> list[tuple[float, Entrant]]:
        """Everybody who waits; they are gone."""
        gone = list(self._waiting)
        self._waiting.clear()
        return gone
