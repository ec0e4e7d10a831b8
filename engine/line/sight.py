"""What a worker sees of the line when it looks, a few times a second. Everything else is computed from it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSight:
    """One lane at one instant. Positions count from 0: first the lobby as drawn, then the live cohort.

    head: positions below it are called. lobby: people in the lobby, the N of the draw once it is drawn. tail: the
    next live index, below ceiling. gap: live indexes from gap_from to gap_to may have no owner. seed and root are
    empty before the draw. called, shown, taken, lapsed: people called, first claims, passes used, passes that ran
    out, all since the epoch began.
    """

    head: int = 0
    lobby: int = 0
    tail: int = 0
    ceiling: int = 0
    gap_from: int = 0
    gap_to: int = 0
    seed: bytes = b""
    root: bytes = b""
    called: int = 0
    shown: int = 0
    taken: int = 0
    lapsed: int = 0

    @property
    def end(self) -> int:
        """The position behind everybody."""
        return self.lobby + self.tail

    @property
    def waiting(self) -> int:
        """Positions that are not called yet, gaps left out as far as they are known."""
        gap = max(0, self.lobby + self.gap_to - max(self.head, self.lobby + self.gap_from))
        return max(0, self.end - self.head - gap)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How far the lanes were called at `serving_ms`, and how many of those called from there on to the next
    checkpoint have come to claim."""

    serving_ms: int
    heads: tuple[int, ...]
    shown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelves:
    """Units of all SKUs together. `free` leaves out SKUs whose capacity was lowered below what is held; `used` is
    what the buyers of each lane hold and have bought."""

    free: int = 0
    held: int = 0
    sold: int = 0
    used: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSight:
    """The line of a sale at one instant, by the clock of Redis, under `epoch`.

    drawn: the draw is made and published; final: sold out for good. admitted: passes not used yet; claimers: people
    who were called, came and wait for room; orders_open: orders neither paid nor released, of which the last deadline
    is held_until_ms (0: none). tick, ticked_ms, serving_ms, pace and checkpoints are the pacing's. opens_ms, closes_ms,
    paused and round are what Redis was told last (round 0: nothing yet), and so what every script goes by. passes:
    the passes not used yet, by the eighths of their time that have passed, the youngest first.
    """

    epoch: int
    now_ms: int
    drawn: bool
    final: bool
    tick: int
    ticked_ms: int
    serving_ms: int
    pace: bytes
    lanes: tuple[LaneSight, ...]
    admitted: int
    claimers: int
    orders_open: int
    held_until_ms: int
    opens_ms: int = 0
    closes_ms: int = 0
    paused: bool = False
    round: int = 0
    shelves: Shelves = Shelves()
    checkpoints: tuple[Checkpoint, ...] = ()
    passes: tuple[int, ...] = ()

    @property
    def live(self) -> bool:
        """Whether people may be called and served at this instant."""
        in_window = self.opens_ms <= self.now_ms < self.closes_ms
        return in_window and self.drawn and not self.paused and not self.final

    @property
    def waiting(self) -> int:
        """People who are not called yet, in all lanes."""
        return sum(lane.waiting for lane in self.lanes)
